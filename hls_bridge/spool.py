"""The spool: where recorded parts lie until the segment store has their segments."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from hls_bridge.patient_queue import RETRY_S, PatientQueue

__all__ = ["Spool", "free_bytes"]

HELD_SEGMENTS = 22
"""Of each track, while the disk takes nothing: as many as the live window keeps in memory anyway (44 s)."""
RESERVE_BYTES = 64 << 20
RESERVE_SHARE = 20
"""Recording leaves 64 MiB free, or a twentieth of a small disk: accounts and streams are written there
too."""

Then = Callable[[], None]


def free_bytes(path: Path) -> int:
    """What recording may still take of the disk; negative when it has come into the reserve."""
    usage = os.statvfs(path)
    reserve = min(RESERVE_BYTES, usage.f_blocks * usage.f_frsize // RESERVE_SHARE)
    return usage.f_bavail * usage.f_frsize - reserve


class Spool:
    """Files ``{session}/{track}/{msn}.m4s`` below ``root``, written in order by one thread.

    While the disk is full, whole segments wait in memory; the oldest are given up when there are too many,
    and then ``on_lost(session, track, msn)`` is called.
    """

    def __init__(
        self,
        root: Path,
        on_lost: Callable[[str, str, int], None],
        *,
        held_segments: int = HELD_SEGMENTS,
        retry_s: float = RETRY_S,
    ) -> None:
        self.root = root
        self._on_lost = on_lost
        self._held_segments = held_segments
        self._held: dict[str, bytes] = {}
        self.queue = PatientQueue(
            "record",
            failing="recording pauses, live goes on",
            working="recording goes on",
            retry_s=retry_s,
        )

    @property
    def paused(self) -> str | None:
        """Why nothing can be written at present."""
        return self.queue.trouble

    def files(self) -> Iterable[tuple[str, Path]]:
        """(key, path) of what a crash or a stop has left."""
        return [(str(path.relative_to(self.root)), path) for path in sorted(self.root.rglob("*.m*"))]

    def append(self, key: str, data: bytes, then: Then) -> None:
        """A part. While the disk is full it is left out: its segment is written as a whole later."""
        if self.paused is None:
            self.queue.put(lambda: self._append(key, data, then))

    def put(self, key: str, data: bytes, then: Then) -> None:
        """A file as a whole."""
        self._hold(key, data, then, tag=None)

    def close_segment(self, session: str, track: str, msn: int, data: bytes, then: Then) -> None:
        """A segment is finished: written anew unless all its parts are there."""
        self._hold(f"{session}/{track}/{msn}.m4s", data, then, tag=(session, track, msn))
        if self.paused is not None:
            self._give_up(session, track)

    def then(self, then: Then) -> None:
        """Call ``then`` when all that was told so far is written."""
        self.queue.put(then)

    def read(self, key: str) -> bytes | None:
        """From memory or disk; None if it is neither (any more)."""
        data = self._held.get(key)
        if data is None:
            try:
                data = (self.root / key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return data

    def delete(self, session: str) -> None:
        shutil.rmtree(self.root / session, ignore_errors=True)

    def _hold(self, key: str, data: bytes, then: Then, tag: tuple[str, str, int] | None) -> None:
        self._held[key] = data

        def write() -> None:
            path = self.root / key
            if not path.is_file() or path.stat().st_size != len(data):
                self._check_space()
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            self._held.pop(key, None)
            then()

        self.queue.put(write, tag)

    def _append(self, key: str, data: bytes, then: Then) -> None:
        self._check_space()
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab", buffering=0) as file:
            size = file.tell()
            try:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(size)  # no half of a part
                raise
        then()

    def _check_space(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        if (missing := -free_bytes(self.root)) > 0:
            raise OSError(errno.ENOSPC, f"the disk is full, {missing >> 10} KiB are missing")

    def _give_up(self, session: str, track: str) -> None:
        waiting = [tag for tag in self.queue.tags() if isinstance(tag, tuple) and tag[:2] == (session, track)]
        for tag in waiting[: -self._held_segments]:
            if self.queue.drop(tag):
                msn = tag[2]
                key = f"{session}/{track}/{msn}.m4s"
                self._held.pop(key, None)
                (self.root / key).unlink(missing_ok=True)
                self._on_lost(session, track, msn)
