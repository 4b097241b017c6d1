"""The mix: every host's block, levelled and faded, summed and limited. Called by the sound thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np

from mixer.sound import BLOCK
from mixer.sound.level import AutoLevel
from mixer.sound.limiter import Limiter
from mixer.sound.opus import Samples

__all__ = ["SoundMix"]

Reader = Callable[[int], Samples | None]
"""Gives the 10 ms presented from a local time on, (480, 2), or None while there is nothing."""

_RAMP: Samples = (np.arange(1, BLOCK + 1, dtype=np.float32) / np.float32(BLOCK))[:, None]


class _Channel:
    def __init__(self, read: Reader, levelled: bool) -> None:
        self.read = read
        self.level = AutoLevel() if levelled else None
        self.gain_db = 0.0
        self.muted = False
        self.leaving = False
        self._applied = 0.0

    @property
    def silent(self) -> bool:
        return self._applied == 0.0

    def render(self, now_us: int) -> Samples | None:
        block = self.read(now_us)
        if block is None:
            self._applied = 0.0
            return None
        auto_db = 0.0 if self.level is None else self.level.update(block)
        off = self.muted or self.leaving
        wanted = 0.0 if off else 10 ** ((self.gain_db + auto_db) / 20)
        if wanted == self._applied == 0.0:
            return None
        # Every change of gain is a ramp over the block: nothing ever clicks.
        gain = np.float32(self._applied) + np.float32(wanted - self._applied) * _RAMP
        self._applied = wanted
        return np.asarray(block * gain, np.float32)


class SoundMix:
    """Hosts come, go and change on any thread; ``render`` is for one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._channels: dict[str, _Channel] = {}
        self._fading: list[_Channel] = []
        self._limiter = Limiter()

    def add(self, key: str, read: Reader, *, levelled: bool = True) -> None:
        """Fade a host in; a host of the same key is faded out at the same time."""
        with self._lock:
            self._retire(key)
            self._channels[key] = _Channel(read, levelled)

    def remove(self, key: str) -> None:
        """Fade a host out; unknown keys are ignored."""
        with self._lock:
            self._retire(key)

    def set_gain(self, key: str, gain_db: float) -> None:
        """Raises KeyError for an unknown key."""
        with self._lock:
            self._channels[key].gain_db = min(max(gain_db, -60.0), 20.0)

    def set_muted(self, key: str, muted: bool) -> None:
        """Raises KeyError for an unknown key."""
        with self._lock:
            self._channels[key].muted = muted

    def render(self, now_us: int) -> Samples:
        """The program's 10 ms presented from ``now_us`` on, late by the limiter's DELAY; (480, 2)."""
        with self._lock:
            channels = [*self._channels.values(), *self._fading]
        total = np.zeros((BLOCK, 2), np.float32)
        for channel in channels:
            block = channel.render(now_us)
            if block is not None:
                total += block
        with self._lock:
            self._fading = [channel for channel in self._fading if not channel.silent]
        return self._limiter.process(total)

    def _retire(self, key: str) -> None:
        channel = self._channels.pop(key, None)
        if channel is not None:
            channel.leaving = True
            self._fading.append(channel)
