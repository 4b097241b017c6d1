"""A Stream at run time: the place where participants meet, and its Program."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from sfu.events import ProgramCodec, StreamEnded, StreamLive, StreamNotice, TracksChanged, ViewersChanged
from sfu.media import Codec, Kind
from sfu.participant import Participant, Role
from sfu.program import Program
from sfu.stage import Stage
from sfu.track import Change, Track

if TYPE_CHECKING:
    from sfu.node import Sfu

__all__ = ["Attached", "Router", "Stream"]

log = logging.getLogger(__name__)


class Attached(Protocol):
    """A session that ends with its stream: a WHIP publisher or a WHEP viewer."""

    @property
    def publishing(self) -> bool: ...

    @property
    def keyed(self) -> bool:
        """Whether it lives by the stream key."""
        ...

    @property
    def on_stage(self) -> bool:
        """Whether it outlives the broadcast: a host's, who stays on stage."""
        ...

    def handle_stage(self) -> None:
        """The stage has changed."""
        ...

    @property
    def participant_id(self) -> str | None:
        """Of the Participant that a publishing session stands for."""
        ...

    @property
    def watching(self) -> bool:
        """Whether it is a viewer whose media path stands."""
        ...

    async def close(self, reason: str) -> None: ...


class Stream:
    """Participants by id, attached sessions, and the Program. Live from the first media of the
    Program until nobody has published to it for the grace period."""

    def __init__(self, sfu: Sfu, stream_id: str, on_empty: Callable[[Stream], None]) -> None:
        self._sfu = sfu
        self._on_empty = on_empty
        self.stream_id = stream_id
        self.participants: dict[str, Participant] = {}
        self.program = Program(sfu.engine)
        self.stage = Stage(sfu, self)
        self.live = False
        self.closed = False
        self._ending = False
        self._attached: set[Attached] = set()
        self._grace: asyncio.TimerHandle | None = None
        self._codecs: dict[Kind, Codec] = {}
        self._viewers = 0

    @property
    def viewers(self) -> int:
        """Viewers over WebRTC whose media path stands."""
        return self._viewers

    def join(
        self, role: Role, *, participant_id: str | None = None, name: str = "", owner: bool = False
    ) -> Participant:
        """A new Participant of this stream; ValueError if the id is taken."""
        identity = participant_id or secrets.token_urlsafe(9)
        if identity in self.participants:
            raise ValueError(f"participant {identity!r} is here already")
        participant = Participant(self._sfu, self, identity, role, name, owner=owner)
        self.participants[identity] = participant
        if role == "host":
            self.stage.changed()
        return participant

    def attach(self, session: Attached) -> None:
        self._attached.add(session)

    def detach(self, session: Attached) -> None:
        self._attached.discard(session)
        self.handle_viewers()
        self._leave_if_empty()

    def discard(self) -> None:
        """Nobody came after all; who is here stays."""
        self._leave_if_empty()

    def publisher(self, participant_id: str) -> Attached | None:
        """The session behind a publishing participant."""
        return next((s for s in self._attached if s.publishing and s.participant_id == participant_id), None)

    def tracks(self) -> list[Track]:
        return [track for participant in self.participants.values() for track in participant.tracks.values()]

    def notice(self, participant: Participant, kind: str, text: str) -> None:
        self._sfu.emit(StreamNotice(self.stream_id, participant.participant_id, kind, text))

    def refresh(self) -> None:
        """After the Program was pointed elsewhere: go live, tell the codec, or start the grace period."""
        if self.closed:
            return
        for kind in ("audio", "video"):
            codec = self.program.codec(kind)
            if codec is not None and codec != self._codecs.get(kind):
                self._codecs[kind] = codec
                self._sfu.emit(ProgramCodec(self.stream_id, codec))
        if self.has_source:
            self._cancel_grace()
        if self.program.flowing:
            # while it ends, tracks go one after the other: what is left of them is no new broadcast
            if not self.live and not self._ending:
                self.live = True
                self._sfu.emit(StreamLive(self.stream_id))
        elif self.live and not self.has_source and self._grace is None:
            self._grace = asyncio.get_running_loop().call_later(self._sfu.config.grace_s, self._grace_over)

    @property
    def has_source(self) -> bool:
        """Whether anybody publishes to the Program, muted or not."""
        return self.program.has_source or bool(self.stage.sending)

    async def publisher_left(self, reason: str) -> None:
        """A publisher's session has closed: who stopped as the last one has ended the broadcast."""
        if reason == "stopped" and self.live and not self.has_source:
            await self.end(reason)

    def point_program(self, audio: Track | None, video: Track | None) -> None:
        """Point the Program at these tracks until follow_publisher()."""
        self.program.point_to(audio, video)
        self.refresh()

    def follow_publisher(self) -> None:
        """The Program is what the stage shows again."""
        self.program.follow()
        self.handle_stage()

    async def end(self, reason: str) -> None:
        """End the broadcast: every viewer and publisher is closed. Hosts stay on stage after ``gone`` and
        ``stopped``, to begin another. Idempotent."""
        if self.closed:
            return
        self._cancel_grace()
        was_live, self.live = self.live, False
        self._ending = True
        try:
            if was_live:
                self._sfu.emit(StreamEnded(self.stream_id, reason))
            stays = reason in ("gone", "stopped")
            await self._close_all([each for each in self._attached if not (stays and each.on_stage)], reason)
            for participant in list(self.participants.values()):
                if not (stays and participant.role == "host"):
                    await participant.close()
        finally:
            self._ending = False
        self._leave_if_empty()

    async def close_publishers(self, reason: str) -> None:
        """Close every session that publishes with the stream key, e.g. because it was changed. Viewers
        stay for the grace period, hosts on stage for good."""
        await self._close_all([session for session in self._attached if session.keyed], reason)

    async def close_viewers(self, reason: str) -> None:
        """Close every viewer's session, e.g. because the stream is private now: who still may comes again."""
        viewers = [each for each in self._attached if not each.publishing and not each.on_stage]
        await self._close_all(viewers, reason)

    def handle_viewers(self) -> None:
        """A viewer's media path came or went."""
        viewers = sum(session.watching for session in self._attached)
        if viewers != self._viewers:
            self._viewers = viewers
            self._sfu.emit(ViewersChanged(self.stream_id, viewers))

    def handle_tracks(self, participant: Participant) -> None:
        self._sfu.emit(TracksChanged(self.stream_id, participant.participant_id))
        self.handle_stage()

    def handle_stage(self) -> None:
        """Hosts, tracks or mutes are others than before."""
        if self.closed:
            return
        self.stage.update()
        for session in list(self._attached):
            session.handle_stage()
        self.refresh()
        self.stage.changed()

    def handle_track(self, participant: Participant, change: Change) -> None:
        if change == "resolution":
            return
        if change != "closed":
            self._sfu.emit(TracksChanged(self.stream_id, participant.participant_id))
        self.handle_stage()

    def handle_left(self, participant: Participant) -> None:
        self.participants.pop(participant.participant_id, None)
        self.program.leave_slot(participant)
        if participant.role == "mixer":
            self.stage.handle_mixer_left()
        self.handle_stage()
        self._leave_if_empty()

    def _grace_over(self) -> None:
        self._grace = None
        self._sfu.tasks.spawn(self.end("gone"), f"end {self.stream_id}")

    def _cancel_grace(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None

    def _leave_if_empty(self) -> None:
        if not self.closed and not self.live and not self.participants and not self._attached:
            self.closed = True
            self._cancel_grace()
            self.stage.close()
            self.program.close()
            self._on_empty(self)

    async def _close_all(self, sessions: list[Attached], reason: str) -> None:
        closing: list[Awaitable[None]] = [session.close(reason) for session in sessions]
        await asyncio.gather(*closing)


class Router:
    """The streams of this node by id."""

    def __init__(self, sfu: Sfu) -> None:
        self._sfu = sfu
        self._streams: dict[str, Stream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def streams(self) -> list[Stream]:
        return list(self._streams.values())

    def get(self, stream_id: str) -> Stream | None:
        return self._streams.get(stream_id)

    def open(self, stream_id: str) -> Stream:
        """The stream, made if it isn't here. It goes away with its last participant."""
        stream = self._streams.get(stream_id)
        if stream is None:
            stream = self._streams[stream_id] = Stream(self._sfu, stream_id, self._forget)
        return stream

    def _forget(self, stream: Stream) -> None:
        if self._streams.get(stream.stream_id) is stream:
            del self._streams[stream.stream_id]
