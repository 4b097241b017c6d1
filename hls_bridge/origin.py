"""The HLS origin: broadcasts in memory, blocked requests, and what viewers ask for."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from hls_bridge.live import Live
from hls_bridge.part import EpochStart, Event, Part, Thumbnail
from hls_bridge.recorder import Recorder
from hls_bridge.recording import Recording
from hls_bridge.segment_store import StoreError
from hls_bridge.track import ClosedSegment, Rendered, Track
from hls_bridge.viewers import HlsViewers
from hls_bridge.waiting import Overdue, WaitingRoom

__all__ = [
    "Broadcast",
    "Gone",
    "NotFound",
    "NotLive",
    "Origin",
    "TooFarAhead",
    "clocks",
]

log = logging.getLogger(__name__)

POLL_S = 0.25
BLOCK_S = 6.0
"""Three target durations: a player gives up its request after that as well (RFC 8216bis 6.2.5.2)."""


class NotFound(LookupError):
    """Nothing of that name, and nothing will come."""


class NotLive(NotFound):
    """Nobody publishes the stream, and it has not been recorded."""


class Gone(LookupError):
    """The broadcast is over and was not recorded."""


class TooFarAhead(ValueError):
    """A reload for a segment more than two beyond the newest (RFC 8216bis 6.2.5.2)."""


def clocks() -> tuple[int, int]:
    """(monotonic, wall) in microseconds."""
    return time.monotonic_ns() // 1000, time.time_ns() // 1000


@dataclass(slots=True)
class Broadcast:
    """A stream while it is live, and for as long as its window is kept after the end."""

    stream_id: str
    session: str
    live: Live
    record: bool
    playlists: WaitingRoom[tuple[str, int, int | None]] = field(default_factory=WaitingRoom)
    parts: WaitingRoom[tuple[str, int, int]] = field(default_factory=WaitingRoom)
    ready: WaitingRoom[str] = field(default_factory=WaitingRoom)
    viewers: HlsViewers = field(default_factory=HlsViewers)
    asked_us: dict[str, int] = field(default_factory=dict)
    thumbnail: bytes | None = None


class Origin:
    """Composed by the control process: give it events of workers, mount `hls_bridge.routes.routes`.

    ``authorize(stream_id, token)`` says whether this viewer may watch (token None: anybody);
    ``admitted(stream_id, token)`` whether that is already known to be so (False: ask ``authorize``);
    ``over(stream_id)`` whether a stream of which nothing is held here was live once.
    """

    def __init__(
        self,
        *,
        archive: Recorder | None = None,
        authorize: Callable[[str, str | None], Awaitable[bool]] | None = None,
        admitted: Callable[[str, str | None], bool] | None = None,
        over: Callable[[str], Awaitable[bool]] | None = None,
        edge_key: str | None = None,
        block_s: float = BLOCK_S,
    ) -> None:
        """``edge_key``: the secret with which the edge asks for private streams it has checked itself."""
        self.archive = archive
        self.edge_key = edge_key
        self._authorize = authorize
        self._admitted = admitted
        self._over = over
        self._block_s = block_s
        self._broadcasts: dict[str, Broadcast] = {}
        self._salt = secrets.token_bytes(32)
        self.reloads = 0
        """Playlist requests answered, for metrics and benchmarks."""

    # The worker's side --------------------------------------------------------------------------------

    def begin(self, stream_id: str, session: str, *, record: bool = True) -> Broadcast:
        """A broadcast starts; ``session`` is new for each and becomes the recording's id.

        A worker that was restarted goes on with the broadcast it had: call this once per broadcast.
        """
        now_us, wall_us = clocks()
        live = Live(
            now_us,
            wall_us,
            on_closed=lambda segment: self._closed(broadcast, segment),
            on_part=lambda part, msn, at_us: self._part(broadcast, part, msn, at_us),
        )
        broadcast = Broadcast(stream_id, session, live, record)
        self._broadcasts[stream_id] = broadcast
        if record and self.archive is not None:
            self.archive.begin(stream_id, session, wall_us)
        return broadcast

    def handle_event(self, stream_id: str, event: Event) -> None:
        """An event of the stream's worker, in order. LookupError for a stream that is not live."""
        broadcast = self._broadcasts[stream_id]
        now_us, wall_us = clocks()
        live = broadcast.live
        if isinstance(event, Thumbnail):
            broadcast.thumbnail = event.jpeg
            if broadcast.record and self.archive is not None:
                self.archive.thumbnail(broadcast.session, live.wall_us(event.at_us), event.jpeg)
            return
        changed = live.handle_event(event, now_us, wall_us)
        if isinstance(event, EpochStart) and broadcast.record and self.archive is not None:
            self.archive.epoch(broadcast.session, live.epoch, event.tracks)
        if changed:
            self._wake(broadcast)

    def end(self, stream_id: str) -> None:
        """The broadcast is over; its window is served on until the next one, or `forget`."""
        broadcast = self._broadcasts.get(stream_id)
        if broadcast is None or broadcast.live.ended:
            return
        broadcast.live.end()
        self._wake(broadcast)
        if broadcast.record and self.archive is not None:
            self.archive.end(broadcast.session, clocks()[1])

    def forget(self, stream_id: str) -> None:
        """Drop what memory holds of a stream that has ended."""
        self._broadcasts.pop(stream_id, None)

    def broadcast(self, stream_id: str) -> Broadcast | None:
        return self._broadcasts.get(stream_id)

    def thumbnail(self, stream_id: str) -> bytes | None:
        """The newest JPEG of a live stream."""
        broadcast = self._broadcasts.get(stream_id)
        return broadcast.thumbnail if broadcast else None

    def viewers(self, now_us: int) -> tuple[int, int]:
        """(exact, estimated) of all streams."""
        counts = [broadcast.viewers.count(now_us) for broadcast in self._broadcasts.values()]
        return sum(exact for exact, _ in counts), sum(estimated for _, estimated in counts)

    def live(self, stream_id: str, session: str) -> Broadcast:
        """The broadcast that memory holds under these names. Raises NotFound."""
        broadcast = self._broadcasts.get(stream_id)
        if broadcast is None or broadcast.session != session:
            raise NotFound("no such broadcast")
        return broadcast

    # The viewer's side --------------------------------------------------------------------------------

    async def may_watch(self, stream_id: str, token: str | None) -> bool:
        return self._authorize is None or await self._authorize(stream_id, token)

    def admitted(self, stream_id: str, token: str | None) -> bool:
        """Whether this viewer is known to be allowed in; False: `may_watch` has to be asked."""
        if self._admitted is not None:
            return self._admitted(stream_id, token)
        return self._authorize is None

    def is_edge(self, given: str) -> bool:
        """Whether an ``X-Edge-Key`` is the edge's."""
        if self.edge_key is None:
            return False
        return hmac.compare_digest(self.edge_key.encode(), given.encode("utf-8", "surrogateescape"))

    def client_key(self, address: str, user_agent: str) -> str:
        """A client for counting; salted, so that no address stays in memory."""
        return hashlib.blake2b(
            f"{address}\n{user_agent}".encode("utf-8", "surrogateescape"), key=self._salt, digest_size=12
        ).hexdigest()

    async def master(self, stream_id: str, prefix: str) -> str:
        """The live master playlist, the replay's after the end. Raises NotFound, Gone, Overdue."""
        broadcast = self._broadcasts.get(stream_id)
        if broadcast is not None and not broadcast.live.ended:
            if not broadcast.live.playable:
                await asyncio.shield(broadcast.ready.pending("", self._block_s))
            if not broadcast.live.ended:
                return broadcast.live.master(f"{prefix}/{broadcast.session}/")
        session = None
        if self.archive is not None:
            await self.archive.catch_up()
            session = self.archive.last_session(stream_id)
        if session is not None and self.archive is not None:
            text = self.archive.master(session, f"{prefix}/{session}/dvr/")
            if text is not None:
                return text
        raise await self.absence(stream_id)

    async def absence(self, stream_id: str) -> Gone | NotLive:
        """Why a stream that is not live and has no recording has nothing to play."""
        if stream_id in self._broadcasts or (self._over is not None and await self._over(stream_id)):
            return Gone("the stream has ended, and there is no recording")
        return NotLive("the stream is not live")

    async def media_playlist(
        self, stream_id: str, session: str, name: str, msn: int | None, part: int | None, *, skip: bool
    ) -> Rendered:
        """A live media playlist; waits when ``msn`` (and ``part``) lie in the near future.

        Raises NotFound, TooFarAhead, Overdue.
        """
        track, pending = self.reload(self.live(stream_id, session), name, msn, part)
        if pending is not None:
            await asyncio.shield(pending)
        return self.reloaded(track, skip=skip)

    def reload(
        self, broadcast: Broadcast, name: str, msn: int | None, part: int | None
    ) -> tuple[Track, asyncio.Future[None] | None]:
        """The rendition, and what to wait for before `reloaded` can be asked (None: nothing).

        Raises NotFound, TooFarAhead; the future Overdue.
        """
        live = broadcast.live
        track = live.tracks.get(name)
        if track is None:
            raise NotFound("no such rendition")
        broadcast.asked_us[name] = clocks()[0]
        if msn is not None and not live.ended:
            if msn > track.open_msn + 1:
                raise TooFarAhead(f"_HLS_msn {msn} is beyond {track.open_msn + 1}")
            if not track.has(msn, part):
                return track, broadcast.playlists.pending((name, msn, part), self._block_s)
        elif track.full is None:
            return track, broadcast.ready.pending("", self._block_s)
        return track, None

    def reloaded(self, track: Track, *, skip: bool) -> Rendered:
        """The newest playlist of a rendition. Raises NotFound."""
        self.reloads += 1
        rendered = track.delta if skip else track.full
        if rendered is None:
            raise NotFound("the playlist is empty")
        return rendered

    async def part(self, stream_id: str, session: str, track: str, msn: int, index: int) -> bytes:
        """A part; waits for the hinted one. Raises NotFound, Overdue."""
        broadcast = self.live(stream_id, session)
        now = self.part_now(broadcast, track, msn, index)
        if isinstance(now, bytes):
            return now
        await asyncio.shield(now)
        return self.part_come(broadcast, track, msn, index)

    def part_now(
        self, broadcast: Broadcast, track: str, msn: int, index: int
    ) -> bytes | asyncio.Future[None]:
        """A part, or what to wait for (it may turn out then that there is none).

        Raises NotFound; the future Overdue.
        """
        data = broadcast.live.part(track, msn, index)
        if data is not None:
            return data
        if not broadcast.live.part_may_come(track, msn, index):
            raise NotFound("no such part")
        return broadcast.parts.pending((track, msn, index), self._block_s)

    @staticmethod
    def part_come(broadcast: Broadcast, track: str, msn: int, index: int) -> bytes:
        """A part that has been waited for. Raises NotFound."""
        data = broadcast.live.part(track, msn, index)
        if data is None:
            raise NotFound("the segment has ended before this part")
        return data

    async def segment(self, stream_id: str, session: str, track: str, msn: int) -> bytes:
        """A finished segment, from memory or the segment store. Raises NotFound, Overdue."""
        broadcast = self._broadcasts.get(stream_id)
        if broadcast is not None and broadcast.session == session:
            data = broadcast.live.segment(track, msn)
            if data is not None:
                return data
        return await self._stored(stream_id, session, f"{track}/{msn}.m4s")

    async def init(self, stream_id: str, session: str, name: str) -> bytes:
        """``{track}/init-{epoch}.mp4``. Raises NotFound, Overdue."""
        broadcast = self._broadcasts.get(stream_id)
        if broadcast is not None and broadcast.session == session:
            data = broadcast.live.init(name)
            if data is not None:
                return data
        return await self._stored(stream_id, session, name)

    def recording(self, stream_id: str, session: str) -> Recording | None:
        """The recording, if it is one of this stream: whoever may watch one stream may not watch all."""
        recording = self.archive.recording(session) if self.archive is not None else None
        return recording if recording is not None and recording.stream_id == stream_id else None

    async def recorded_playlist(
        self, stream_id: str, session: str, role: str, msn: int | None, *, skip: bool
    ) -> Rendered:
        """A DVR playlist, or the replay; waits for segment ``msn`` of what is live, here or elsewhere.

        Raises NotFound, TooFarAhead, Overdue.
        """
        archive = self.archive
        broadcast = self._broadcasts.get(stream_id)
        here = broadcast is not None and broadcast.session == session
        if archive is not None and not here:
            await archive.catch_up()
        recording = self.recording(stream_id, session)
        if recording is None or archive is None:
            raise NotFound("there is no recording of this rendition")
        if msn is not None and recording.ended_us is None:
            track = recording.current_track(role)
            if here and track is not None:
                await self.media_playlist(stream_id, session, track, msn, None, skip=False)
            elif not here:
                await self._recorded_elsewhere(archive, recording, role, msn)
        rendered = archive.playlist(session, role, ended=recording.ended_us is not None, skip=skip)
        if rendered is None:
            raise NotFound("there is no recording of this rendition")
        return rendered

    async def _recorded_elsewhere(self, archive: Recorder, recording: Recording, role: str, msn: int) -> None:
        """Until another origin has noted a segment in the index. Raises TooFarAhead, Overdue."""
        try:
            async with asyncio.timeout(self._block_s):
                while (newest := recording.newest(role)) < msn and recording.ended_us is None:
                    if msn > newest + 2:
                        raise TooFarAhead(f"_HLS_msn {msn} is beyond {newest + 2}")
                    await asyncio.sleep(POLL_S)
                    await archive.catch_up()
        except TimeoutError as error:
            raise Overdue from error

    async def _stored(self, stream_id: str, session: str, name: str) -> bytes:
        recording = self.recording(stream_id, session)
        if self.archive is None or recording is None:
            raise NotFound("no such segment")
        try:
            async with asyncio.timeout(self._block_s):
                # What another origin records is in the index a moment before it is in the store.
                while (data := await self.archive.read(session, name)) is None and recording.has(name):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
        except (StoreError, TimeoutError) as error:
            raise Overdue(str(error)) from error
        if data is None:
            raise NotFound("no such segment")
        return data

    def _closed(self, broadcast: Broadcast, segment: ClosedSegment) -> None:
        if broadcast.record and self.archive is not None:
            self.archive.closed(broadcast.session, segment)

    def _part(self, broadcast: Broadcast, part: Part, msn: int, wall_us: int) -> None:
        if broadcast.record and self.archive is not None:
            self.archive.part(broadcast.session, broadcast.live.epoch, msn, wall_us, part)

    @staticmethod
    def _wake(broadcast: Broadcast) -> None:
        live = broadcast.live
        if live.playable or live.ended:
            broadcast.ready.release(lambda _: True)
        broadcast.playlists.release(lambda key: live.ended or live.tracks[key[0]].has(key[1], key[2]))
        broadcast.parts.release(lambda key: live.part(*key) is not None or not live.part_may_come(*key))
