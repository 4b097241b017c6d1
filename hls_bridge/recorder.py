"""Writes what is broadcast into the archive, and reads it back.

Each finished part is appended to a file in the spool at once: kill -9 loses only the part that is open.
A finished segment is noted in the index (synchronously on disk), then put into the segment store; while the
store is away or full it stays in the spool and is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hls_bridge.live import ClosedSegment, Rendered
from hls_bridge.part import Part, TrackSpec
from hls_bridge.recording import Recording
from hls_bridge.segment_index import Record, SegmentIndex
from hls_bridge.segment_store import SegmentStore, StoreError

__all__ = ["DVR_WINDOW_US", "Recorder"]

log = logging.getLogger(__name__)

DVR_WINDOW_US = 4 * 3600 * 1_000_000
RETRY_S = 2.0
READERS = 8


class Recorder:
    """The archive of one node. `start` and `close` frame it; calls in between never block."""

    def __init__(
        self, store: SegmentStore, index: SegmentIndex, spool: Path, *, dvr_window_us: int = DVR_WINDOW_US
    ) -> None:
        self._store = store
        self._index = index
        self._spool = spool
        self._dvr_window_us = dvr_window_us
        self._lock = threading.Lock()
        self._recordings: dict[str, Recording] = {}
        self._rendered: dict[tuple[str, str, bool], tuple[int, Rendered, Rendered]] = {}
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._uploads: queue.SimpleQueue[tuple[str, Path] | threading.Event | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._readers = ThreadPoolExecutor(READERS, "segment-read")
        self._writer = threading.Thread(target=self._write, name="record", daemon=True)
        self._uploader = threading.Thread(target=self._upload, name="segment-store", daemon=True)
        self._trouble_logged = False
        self.read_us: list[int] = []
        """How long the last reads from the store took (at most 100)."""

    def start(self, wall_us: int) -> None:
        """Load what is recorded and take up what a crash left behind; blocks for as long as that takes."""
        for session in self._index.sessions():
            recording = Recording.load(session, self._index.load(session))
            self._recordings[session] = recording
            if recording.ended_us is None:
                self._recover(recording, wall_us)
        if self._spool.is_dir():
            for path in sorted(self._spool.rglob("*.m4s")):
                self._uploads.put((str(path.relative_to(self._spool)), path))
        self._writer.start()
        self._uploader.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is pending; what the store doesn't take in time stays in the spool."""
        self._jobs.put(None)
        self._writer.join(timeout_s)
        self._uploads.put(None)
        self._uploader.join(timeout_s)
        self._stopping.set()
        self._uploader.join(RETRY_S * 2)
        self._readers.shutdown(wait=False, cancel_futures=True)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until what has been told so far is stored; False if that takes longer."""
        done = threading.Event()
        self._jobs.put(lambda: self._uploads.put(done))
        return done.wait(timeout_s)

    # What the origin tells ------------------------------------------------------------------------------

    def begin(self, stream_id: str, session: str, wall_us: int) -> None:
        self._recordings[session] = Recording(session)
        self._note(session, {"type": "begin", "stream_id": stream_id, "wall_us": wall_us})

    def epoch(self, session: str, epoch: int, tracks: tuple[TrackSpec, ...]) -> None:
        """The tracks of a new epoch, best rung first: which of them are recorded is decided here."""
        video = [spec for spec in tracks if spec.kind == "video"]
        chosen = {"best": video[0], "small": video[-1]} if len(video) > 1 else {}
        if len(video) == 1:
            chosen = {"best": video[0]}
        if sound := next((spec for spec in tracks if spec.kind == "audio"), None):
            chosen["sound"] = sound
        for role, spec in chosen.items():
            self._put(f"{session}/{spec.name}/init-{epoch}.mp4", spec.init)
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
        path = self._spool / session / part.track / f"{msn}.m4s"
        self._jobs.put(lambda: _append(path, part.data))
        self._note(
            session,
            {
                "type": "part",
                "track": part.track,
                "msn": msn,
                "epoch": epoch,
                "wall_us": wall_us,
                "start_us": part.start_us,
                "duration_us": part.duration_us,
                "bytes": len(part.data),
            },
            durable=False,
        )

    def closed(self, session: str, segment: ClosedSegment) -> None:
        if (segment.epoch, segment.track) not in self._recordings[session].tracks:
            return
        msn = segment.listed.msn
        self._note(
            session,
            {
                "type": "segment",
                "track": segment.track,
                "msn": msn,
                "epoch": segment.epoch,
                "wall_us": segment.listed.wall_us,
                "start_us": segment.start_us,
                "duration_us": segment.listed.duration_us,
                "bytes": len(segment.data),
            },
        )
        key = f"{session}/{segment.track}/{msn}.m4s"
        path = self._spool / key

        def hand_over() -> None:
            # The spool may lack a part if the disk was full: then the whole segment is written anew.
            if not path.is_file() or path.stat().st_size != len(segment.data):
                _write_whole(path, segment.data)
            self._uploads.put((key, path))

        self._jobs.put(hand_over)

    def thumbnail(self, session: str, wall_us: int, jpeg: bytes) -> None:
        self._put(f"{session}/thumbnails/{wall_us}.jpg", jpeg)
        self._note(session, {"type": "thumbnail", "wall_us": wall_us}, durable=False)

    def end(self, session: str, wall_us: int) -> None:
        self._note(session, {"type": "end", "wall_us": wall_us})

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
            count = len(recording.segments(role))
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
        began = time.monotonic_ns()
        loop = asyncio.get_running_loop()
        try:
            data = await loop.run_in_executor(self._readers, self._read, f"{session}/{name}")
        except ValueError:
            return None
        self.read_us = [*self.read_us[-99:], (time.monotonic_ns() - began) // 1000]
        return data

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
        shutil.rmtree(self._spool / session, ignore_errors=True)
        self._index.delete(session)
        self._recordings.pop(session, None)
        self._rendered = {key: value for key, value in self._rendered.items() if key[0] != session}

    # Inside ---------------------------------------------------------------------------------------------

    def _note(self, session: str, record: Record, *, durable: bool = True) -> None:
        with self._lock:
            self._recordings[session].apply(record)
        self._jobs.put(lambda: self._index.append(session, record, durable=durable))

    def _put(self, key: str, data: bytes) -> None:
        path = self._spool / key

        def job() -> None:
            _write_whole(path, data)
            self._uploads.put((key, path))

        self._jobs.put(job)

    def _read(self, key: str) -> bytes | None:
        path = self._spool / key
        data = self._store.get(key)
        if data is None and path.is_file():
            data = path.read_bytes()
        return data

    def _write(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except OSError as error:
                self._trouble(f"the disk takes no recording: {error}")

    def _upload(self) -> None:
        while (item := self._uploads.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            key, path = item
            while not self._stopping.is_set():
                try:
                    self._store.put(key, path.read_bytes())
                except FileNotFoundError:
                    break
                except (StoreError, OSError) as error:
                    self._trouble(f"the segment store takes nothing: {error}")
                    self._stopping.wait(RETRY_S)
                    continue
                path.unlink(missing_ok=True)
                if self._trouble_logged:
                    self._trouble_logged = False
                    log.warning("the segment store takes segments again")
                break

    def _trouble(self, text: str) -> None:
        if not self._trouble_logged:
            self._trouble_logged = True
            log.warning("%s; trying again every %g s", text, RETRY_S)

    def _recover(self, recording: Recording, wall_us: int) -> None:
        """Close the segments that a crash left open with the parts that they have; end the recording."""
        session = recording.session
        for (track, msn), parts in sorted(recording.open_parts.items(), key=lambda item: item[0][1]):
            path = self._spool / session / track / f"{msn}.m4s"
            epoch, segment_wall_us, start_us = recording.open_starts[track, msn]
            if not path.is_file():
                continue
            record = {
                "type": "segment",
                "track": track,
                "msn": msn,
                "epoch": epoch,
                "wall_us": segment_wall_us,
                "start_us": start_us,
                "duration_us": sum(part.duration_us for part in parts),
                "bytes": path.stat().st_size,
            }
            self._index.append(session, record)
            recording.apply(record)
        last = max(
            (s.wall_us + s.duration_us for role in recording.roles for s in recording.segments(role)[-1:]),
            default=wall_us,
        )
        end = {"type": "end", "wall_us": last}
        self._index.append(session, end)
        recording.apply(end)


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = path.stat().st_size if path.exists() else 0
    try:
        with open(path, "ab") as file:
            file.write(data)
    except OSError:
        with open(path, "ab") as file:
            file.truncate(size)  # no half of a part
        raise


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
