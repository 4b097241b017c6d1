"""The Stage: the hosts of a stream, what their owner set for them, and whom the Program shows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sfu.events import StageChanged
from sfu.media import Kind
from sfu.speaker import SpeakerDetector

if TYPE_CHECKING:
    from sfu.node import Sfu
    from sfu.participant import Participant
    from sfu.stream import Stream
    from sfu.track import Track

__all__ = ["HostControls", "NotOnStage", "Stage", "StageFull"]

MIXER_SETTLE_S = 0.5
"""From the mixer's first packets until the Program moves to it: every input has a picture by then."""


class StageFull(LookupError):
    """As many hosts as there may be are on stage."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} hosts are on stage")
        self.limit = limit


class NotOnStage(LookupError):
    """No host on this stage has this id."""


@dataclass(frozen=True, slots=True)
class HostControls:
    """What the owner decided for one host."""

    audio_muted: bool = False
    video_muted: bool = False
    gain_db: float = 0.0

    def muted(self, kind: Kind) -> bool:
        return self.audio_muted if kind == "audio" else self.video_muted


class Stage:
    """Directs the stream's Program: the tracks of the only host who sends, the mixer's where there are
    several, and the lead's while no mixer is there."""

    def __init__(self, sfu: Sfu, stream: Stream) -> None:
        self._sfu = sfu
        self._stream = stream
        self._controls: dict[str, HostControls] = {}
        self._detector = SpeakerDetector()
        self._packets: dict[int, int] = {}
        """Of each track, when its level was read last."""
        self._lead: str | None = None
        self._settled: Participant | None = None
        self._settling: tuple[Participant, asyncio.TimerHandle] | None = None
        self._lost_mixer = False
        self._directs = False
        self.layout: Mapping[str, object] = {"layout": "grid"}

    @property
    def hosts(self) -> list[Participant]:
        """In order of arrival; an encoder that only stands by as backup is none."""
        shown = self._stream.program.active_publisher
        standby = [each for each in self._stream.program.publishers if each is not shown]
        return [
            each
            for each in self._stream.participants.values()
            if each.role == "host" and not each.closed and each not in standby
        ]

    @property
    def sending(self) -> list[Participant]:
        """Hosts from whom media has come."""
        return [each for each in self.hosts if any(t.codec is not None for t in each.tracks.values())]

    @property
    def audible(self) -> bool:
        """Whether any host publishes sound."""
        return any(host.track_of("audio") is not None for host in self.hosts)

    @property
    def speaking(self) -> frozenset[str]:
        return self._detector.speaking

    @property
    def speaker(self) -> str | None:
        """The active speaker."""
        return self._detector.active

    @property
    def lead(self) -> Participant | None:
        """The host whose tracks stand in for the mixer's."""
        return next((each for each in self.sending if each.participant_id == self._lead), None)

    @property
    def mixed(self) -> bool:
        """Whether the Program is the mixer's output."""
        return self._mixer() is not None

    def host(self, participant_id: str) -> Participant:
        """Raises NotOnStage."""
        for each in self.hosts:
            if each.participant_id == participant_id:
                return each
        raise NotOnStage(participant_id)

    def check_room(self, *, owner: bool, participant_id: str) -> None:
        """Raises StageFull. The owner is never locked out: one place is kept for them."""
        others = [each for each in self.hosts if each.participant_id != participant_id]
        guests = sum(not each.owner for each in others)
        kept = max(1, len(others) - guests)
        if not owner and guests + kept >= self._sfu.config.hosts_per_stage:
            raise StageFull(self._sfu.config.hosts_per_stage)

    def controls(self, participant_id: str) -> HostControls:
        return self._controls.get(participant_id, HostControls())

    def control(
        self,
        participant_id: str,
        *,
        audio_muted: bool | None = None,
        video_muted: bool | None = None,
        gain_db: float | None = None,
    ) -> HostControls:
        """Change what is not None. A muted track reaches nobody. Raises NotOnStage."""
        self.host(participant_id)
        controls = self.controls(participant_id)
        if audio_muted is not None:
            controls = replace(controls, audio_muted=audio_muted)
        if video_muted is not None:
            controls = replace(controls, video_muted=video_muted)
        if gain_db is not None:
            controls = replace(controls, gain_db=gain_db)
        self._controls[participant_id] = controls
        self._stream.handle_stage()
        return controls

    def set_layout(self, layout: Mapping[str, object]) -> None:
        self.layout = layout
        self.changed()

    def muted(self, track: Track) -> bool:
        return self.controls(track.participant_id).muted(track.kind)

    def tracks_for(self, participant_id: str) -> list[Track]:
        """What a host receives: everybody's Tracks but their own."""
        return [
            track
            for host in self.hosts
            if host.participant_id != participant_id
            for track in host.tracks.values()
        ]

    def changed(self) -> None:
        self._sfu.emit(StageChanged(self._stream.stream_id))

    def poll_levels(self, now_us: int) -> None:
        """Read how loud every host is; a few times a second."""
        levels: dict[str, float | None] = {}
        known = {track.track_id for track in self._stream.tracks()}
        self._packets = {track: packets for track, packets in self._packets.items() if track in known}
        for host in self.sending:
            track = host.track_from("microphone") or host.track_of("audio")
            levels[host.participant_id] = (
                None if track is None or self.muted(track) else self._level_db(track.track_id)
            )
        speaker = self.speaker
        if self._detector.handle_levels(levels, now_us):
            if self.speaker != speaker:
                self._stream.handle_stage()
            else:
                self.changed()

    def update(self) -> None:
        """Point the Program at whom it should show now."""
        program = self._stream.program
        program.update()
        if program.pinned and not self._directs:
            return  # somebody else decides
        sending = self.sending
        self._watch_mixer(needed=len(sending) > 1)
        mixer = self._mixer()
        self._choose_lead(sending, follow=mixer is not None or self._lost_mixer)
        lead = self.lead
        if mixer is not None:
            self._direct(mixer.track_of("audio"), mixer.track_of("video"))
        elif lead is None or (
            lead is program.active_publisher and self.controls(lead.participant_id) == HostControls()
        ):
            self._directs = False
            program.follow()
        else:
            self._direct(self._heard(lead.track_of("audio")), self._heard(lead.track_of("video")))

    def handle_mixer_left(self) -> None:
        """Its process ended."""
        if len(self.sending) > 1:
            self._lost_mixer = True

    def close(self) -> None:
        self._stop_settling()

    def _direct(self, audio: Track | None, video: Track | None) -> None:
        self._directs = True
        self._stream.program.point_to(audio, video)

    def _heard(self, track: Track | None) -> Track | None:
        return None if track is None or self.muted(track) else track

    def _choose_lead(self, sending: list[Participant], *, follow: bool) -> None:
        ids = [each.participant_id for each in sending]
        if (follow or self._lead not in ids) and self.speaker in ids:
            self._lead = self.speaker
        elif self._lead not in ids:
            shown = self._stream.program.active_publisher
            owners = [each.participant_id for each in sending if each is shown or each.owner]
            self._lead = next(iter([*owners, *ids]), None)

    def _mixer(self) -> Participant | None:
        """The mixer, if the Program is to show it."""
        settled = self._settled
        if settled is None or settled.closed or len(self.sending) < 2:
            return None
        return settled if _flows(settled) else None

    def _watch_mixer(self, *, needed: bool) -> None:
        flowing = next(
            (p for p in self._stream.participants.values() if p.role == "mixer" and _flows(p)), None
        )
        if self._settled is not None and (self._settled is not flowing or not needed):
            self._lost_mixer = needed
            self._settled = None
        if not needed or flowing is None:
            self._lost_mixer = self._lost_mixer and needed
            self._stop_settling()
        elif self._settled is None and (self._settling is None or self._settling[0] is not flowing):
            self._stop_settling()
            timer = asyncio.get_running_loop().call_later(MIXER_SETTLE_S, self._mixer_settled, flowing)
            self._settling = (flowing, timer)

    def _mixer_settled(self, mixer: Participant) -> None:
        self._settling = None
        self._settled = mixer
        self._lost_mixer = False
        self._stream.handle_stage()

    def _stop_settling(self) -> None:
        if self._settling is not None:
            self._settling[1].cancel()
            self._settling = None

    def _level_db(self, track_id: int) -> float | None:
        """dBov, None where nothing came since the last call."""
        stats = self._sfu.engine.track_stats(track_id)
        if stats is None:
            return None
        before, self._packets[track_id] = self._packets.get(track_id), stats["packets"]
        return stats["audio_level"] / 100 - 127 if stats["packets"] != before else None


def _flows(mixer: Participant) -> bool:
    tracks = [mixer.track_of("audio"), mixer.track_of("video")]
    return all(track is not None and track.flowing for track in tracks)
