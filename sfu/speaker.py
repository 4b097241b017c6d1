"""Who speaks: audio levels over time (RFC 6464) to the set of speakers and the active one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SpeakerDetector"]

ABOVE_FLOOR_DB = 9.0
"""Speech stands 15 to 40 dB over a room's noise, a keyboard about 6."""
SILENCE_DB = -60.0
"""Below this nobody speaks, however quiet the room."""
FLOOR_RISE_DB_S = 3.0
"""A fan that is switched on counts as noise after some seconds; a pause lowers the floor at once."""
HANGOVER_US = 600_000
"""A speaker's pause for breath."""
TAKEOVER_US = 800_000
"""How long somebody speaks alone, or louder, before the picture goes to them: a cough doesn't move it."""


@dataclass(slots=True)
class _Voice:
    floor_db: float
    level_db: float
    at_us: int
    heard_us: int | None = None
    """When they last spoke."""
    since_us: int | None = None
    """Since when they speak."""


class SpeakerDetector:
    """Fed with every host's level a few times a second; ``speaking`` and ``active`` are read."""

    def __init__(self) -> None:
        self._voices: dict[str, _Voice] = {}
        self.speaking: frozenset[str] = frozenset()
        self.active: str | None = None
        """Stays with whoever spoke last, until somebody else does."""

    def handle_levels(self, levels_db: Mapping[str, float | None], now_us: int) -> bool:
        """Levels in dBov by participant, None where no sound comes. True if there is news."""
        before = self.speaking, self.active
        for gone in self._voices.keys() - levels_db.keys():
            del self._voices[gone]
        for who, level_db in levels_db.items():
            self._hear(who, -127.0 if level_db is None else level_db, now_us)
        self.speaking = frozenset(who for who, voice in self._voices.items() if voice.since_us is not None)
        self._choose(now_us)
        return (self.speaking, self.active) != before

    def _hear(self, who: str, level_db: float, now_us: int) -> None:
        voice = self._voices.setdefault(who, _Voice(max(level_db, SILENCE_DB), level_db, now_us))
        rise_db = FLOOR_RISE_DB_S * (now_us - voice.at_us) / 1e6
        voice.floor_db = max(min(level_db, voice.floor_db + rise_db), -90.0)
        voice.level_db, voice.at_us = level_db, now_us
        # what is as loud as a voice is one, even where it never pauses
        loud = level_db > -35.0
        if level_db > SILENCE_DB and (loud or level_db > voice.floor_db + ABOVE_FLOOR_DB):
            voice.heard_us = now_us
            if voice.since_us is None:
                voice.since_us = now_us
        elif voice.heard_us is None or now_us - voice.heard_us > HANGOVER_US:
            voice.since_us = None

    def _choose(self, now_us: int) -> None:
        speaking = {who: voice for who, voice in self._voices.items() if voice.since_us is not None}
        if self.active not in self._voices:
            self.active = None
        if not speaking or (self.active in speaking and len(speaking) == 1):
            return
        loudest = max(speaking, key=lambda who: speaking[who].level_db)
        current = speaking.get(self.active) if self.active is not None else None
        if self.active is None:
            self.active = loudest
        elif current is None:
            since_us = speaking[loudest].since_us
            if since_us is not None and now_us - since_us >= TAKEOVER_US:
                self.active = loudest
