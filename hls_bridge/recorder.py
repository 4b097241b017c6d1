"""Writes what is broadcast into the archive, and reads it back.

Each finished part is appended to a file in the spool at once: kill -9 loses only the part that is open.
A finished segment is noted in the index (synchronously on disk), then put into the segment store. While the
disk, the index or the store takes nothing, what can't go on waits before it, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from hls_bridge.part import Part, TrackSpec
from hls_bridge.patient_queue import RETRY_S, PatientQueue
from hls_bridge.recording import Recording
from hls_bridge.recovery import end_after_crash
from hls_bridge.segment_index import Record, SegmentIndex
from hls_bridge.segment_store import SegmentStore
from hls_bridge.spool import Spool
from hls_bridge.track import ClosedSegment, Rendered

__all__ = ["DVR_WINDOW_US", "Recorder"]

log = logging.getLogger(__name__)

DVR_WINDOW_US = 4 * 3600 * 1_000_000
READERS = 8
CATCH_UP_NS = 500_000_000
UPLOADS = 4
"""Twenty recorded streams make 30 segments a second; S3 takes some 50 ms for each."""


class Recorder:
    """The archive of one node. `start` and `close` frame it; calls in between never block."""

    def __init__(
        self,
        store: SegmentStore,
        index: SegmentIndex,
        spool: Path,
        *,
        node_id: str = "",
        dvr_window_us: int = DVR_WINDOW_US,
        retry_s: float = RETRY_S,
    ) -> None:
        """``node_id``: whose crashes are taken up at the start, where other nodes use the index too."""
        self._node_id = node_id
        self._store = store
        self._index = index
        self._dvr_window_us = dvr_window_us
        self._lock = threading.Lock()
        self._recordings: dict[str, Recording] = {}
        self._own: set[str] = set()
        self._rendered: dict[tuple[str, str, bool], tuple[int, Rendered, Rendered]] = {}
        self._spool = Spool(spool, self._lost, retry_s=retry_s)
        self._notes = PatientQueue(
            "segment-index",
            failing="the index of recordings takes nothing, segments stay in the spool",
            working="the index of recordings works again",
            retry_s=retry_s,
        )
        self._uploads = PatientQueue(
            "segment-store",
            failing="the segment store takes nothing, segments stay in the spool",
            working="the segment store takes segments again",
            threads=UPLOADS,
            retry_s=retry_s,
        )
        self._readers = ThreadPoolExecutor(READERS, "segment-read")
        self._caught_up_ns = -CATCH_UP_NS
        self.reads = 0
        """Reads from the spool or the store, and how long they took in all."""
        self.read_sum_us = 0
        self.segments_lost = 0
        """Segments that were given up because the disk was full for too long."""

    def start(self, wall_us: int) -> None:
        """Load what is recorded and take up what a crash left behind; blocks for as long as that takes."""
        for session in self._index.sessions():
            recording = Recording.load(session, self._index.load(session))
            self._recordings[session] = recording
            if recording.ended_us is None and recording.node_id == self._node_id:
                for record in end_after_crash(recording, self._spool.root / session, wall_us):
                    self._index.append(session, record)
                    recording.apply(record)
        for key, _ in self._spool.files():
            self._upload(key)
        for queue in self._queues:
            queue.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is pending; what the store doesn't take in time stays in the spool."""
        for queue in self._queues:
            queue.close(timeout_s / 3)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until what has been told so far is stored; False if that takes longer."""
        return all(queue.flush(timeout_s) for queue in self._queues)

    @property
    def paused(self) -> str | None:
        """Why nothing can be recorded at present: the disk is full, or broken."""
        return self._spool.paused

    @property
    def troubles(self) -> dict[str, str]:
        """What fails at present (``disk``, ``index``, ``store``), and why."""
        named = zip(("disk", "index", "store"), self._queues, strict=True)
        return {name: queue.trouble for name, queue in named if queue.trouble is not None}

    @property
    def waiting(self) -> dict[str, int]:
        """Writes that wait for ``disk``, ``index`` and ``store``."""
        named = zip(("disk", "index", "store"), self._queues, strict=True)
        return {name: queue.waiting for name, queue in named}

    @property
    def _queues(self) -> tuple[PatientQueue, ...]:
        return self._spool.queue, self._notes, self._uploads

    # What the origin tells ------------------------------------------------------------------------------

    def begin(self, stream_id: str, session: str, wall_us: int) -> None:
        self._recordings[session] = Recording(session)
        self._own.add(session)
        begin = {"type": "begin", "stream_id": stream_id, "wall_us": wall_us, "node_id": self._node_id}
        self._note(session, begin)

    def epoch(self, session: str, epoch: int, tracks: tuple[TrackSpec, ...]) -> None:
        """The tracks of a new epoch, best rung first: which of them are recorded is decided here."""
        video = [spec for spec in tracks if spec.kind == "video"]
        chosen = {"best": video[0], "small": video[-1]} if len(video) > 1 else {}
        if len(video) == 1:
            chosen = {"best": video[0]}
        if sound := next((spec for spec in tracks if spec.kind == "audio"), None):
            chosen["sound"] = sound
        for role, spec in chosen.items():
            key = f"{session}/{spec.name}/init-{epoch}.mp4"
            self._spool.put(key, spec.init, partial(self._upload, key))
            self._note(
                session,
                {
                    "type": "track",
                    "role": role,
                    "epoch": epoch,
                    "track": spec.name,
                    "kind": spec.kind,
                    "codec": spec.codec,
                    "bitrate_bps": spec.bitrate_bps,
                    "width": spec.width,
                    "height": spec.height,
                    "fps": spec.fps,
                    "channels": spec.channels,
                },
            )

    def part(self, session: str, epoch: int, msn: int, wall_us: int, part: Part) -> None:
        if (epoch, part.track) not in self._recordings[session].tracks:
            return
        record = {
            "type": "part",
            "track": part.track,
            "msn": msn,
            "epoch": epoch,
            "wall_us": wall_us,
            "start_us": part.start_us,
            "duration_us": part.duration_us,
            "bytes": len(part.data),
        }
        key = f"{session}/{part.track}/{msn}.m4s"
        self._spool.append(key, part.data, partial(self._write_note, session, record, durable=False))

    def closed(self, session: str, segment: ClosedSegment) -> None:
        if (segment.epoch, segment.track) not in self._recordings[session].tracks:
            return
        track, msn = segment.track, segment.listed.msn
        record = {
            "type": "segment",
            "track": track,
            "msn": msn,
            "epoch": segment.epoch,
            "wall_us": segment.listed.wall_us,
            "start_us": segment.start_us,
            "duration_us": segment.listed.duration_us,
            "bytes": len(segment.data),
        }
        self._apply(session, record)

        def written() -> None:
            self._write_note(session, record, then=lambda: self._upload(f"{session}/{track}/{msn}.m4s"))

        self._spool.close_segment(session, track, msn, segment.data, written)

    def thumbnail(self, session: str, wall_us: int, jpeg: bytes) -> None:
        if self.paused is not None:
            return
        record = {"type": "thumbnail", "wall_us": wall_us}
        self._apply(session, record)
        key = f"{session}/thumbnails/{wall_us}.jpg"

        def written() -> None:
            self._write_note(session, record, durable=False, then=lambda: self._upload(key))

        self._spool.put(key, jpeg, written)

    def end(self, session: str, wall_us: int) -> None:
        record = {"type": "end", "wall_us": wall_us}
        self._apply(session, record)
        self._spool.then(lambda: self._write_note(session, record))

    # What viewers ask -----------------------------------------------------------------------------------

    def recording(self, session: str) -> Recording | None:
        return self._recordings.get(session)

    def recordings(self, stream_id: str) -> list[Recording]:
        """Of one stream, newest first; those in progress too."""
        found = [r for r in self._recordings.values() if r.stream_id == stream_id and r.roles]
        return sorted(found, key=lambda r: -r.started_us)

    def last_session(self, stream_id: str) -> str | None:
        found = self.recordings(stream_id)
        return found[0].session if found else None

    def master(self, session: str, prefix: str) -> str | None:
        recording = self._recordings.get(session)
        if recording is None:
            return None
        with self._lock:
            return recording.master(prefix)

    def playlist(self, session: str, role: str, *, ended: bool, skip: bool) -> Rendered | None:
        """A DVR playlist, or the whole replay; rendered once per segment."""
        recording = self._recordings.get(session)
        if recording is None:
            return None
        with self._lock:
            count = recording.changes
            cached = self._rendered.get((session, role, ended))
            if cached is None or cached[0] != count:
                made = recording.playlist(role, window_us=self._dvr_window_us, ended=ended)
                if made is None:
                    return None
                cached = (count, *made)
                self._rendered[session, role, ended] = cached
        return cached[2] if skip else cached[1]

    async def read(self, session: str, name: str) -> bytes | None:
        """From the spool or the store. Raises StoreError."""
        recording = self._recordings.get(session)
        if recording is None or (name.endswith(".m4s") and not recording.has(name)):
            return None
        began = time.monotonic_ns()
        loop = asyncio.get_running_loop()
        try:
            data = await loop.run_in_executor(self._readers, self._read, f"{session}/{name}")
        except ValueError:
            return None
        self.reads += 1
        self.read_sum_us += (time.monotonic_ns() - began) // 1000
        return data

    async def catch_up(self) -> None:
        """Take in what other nodes have recorded, at most twice a second; nothing with an index of our own.

        While the index is away, what is known already is served."""
        if not self._index.shared or time.monotonic_ns() < self._caught_up_ns + CATCH_UP_NS:
            return
        self._caught_up_ns = time.monotonic_ns()
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._readers, self._catch_up)
        except OSError as error:
            log.warning("other nodes' recordings are not known at present: %s", error)

    def sweep(self, wall_us: int, retention_us: int) -> list[str]:
        """Delete recordings that ended longer ago; blocks. Returns their ids. Raises StoreError."""
        gone = []
        for session, recording in list(self._recordings.items()):
            if recording.ended_us is not None and recording.ended_us + retention_us < wall_us:
                self.delete(session)
                gone.append(session)
        return gone

    def delete(self, session: str) -> None:
        """Delete one recording, segments first, so that a crash in between can be taken up. Blocks."""
        self._store.delete_session(session)
        self._recordings.pop(session, None)
        self._spool.delete(session)
        self._index.delete(session)
        self._rendered = {key: value for key, value in self._rendered.items() if key[0] != session}

    # Inside ---------------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        there = set(self._index.sessions())
        for session in there - self._own:
            recording = self._recordings.get(session)
            if recording is None:
                recording = self._recordings[session] = Recording(session)
            if recording.ended_us is not None:
                continue
            records = self._index.load(session, recording.changes)
            with self._lock:
                for record in records:
                    recording.apply(record)
        for session in set(self._recordings) - there - self._own:
            del self._recordings[session]

    def _note(self, session: str, record: Record) -> None:
        self._apply(session, record)
        self._write_note(session, record)

    def _apply(self, session: str, record: Record) -> None:
        with self._lock:
            self._recordings[session].apply(record)

    def _write_note(
        self,
        session: str,
        record: Record,
        *,
        durable: bool = True,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        def write() -> None:
            if session in self._recordings:
                self._index.append(session, record, durable=durable)
                then()

        self._notes.put(write)

    def _upload(self, key: str) -> None:
        def take() -> None:
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                self._store.take(key, self._spool.root / key)

        self._uploads.put(take)

    def _lost(self, session: str, track: str, msn: int) -> None:
        self.segments_lost += 1
        self._apply(session, {"type": "lost", "track": track, "msn": msn})

    def _read(self, key: str) -> bytes | None:
        data = self._spool.read(key)
        return self._store.get(key) if data is None else data
