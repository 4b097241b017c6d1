"""What has been recorded: a log of JSON lines per broadcast, that survives kill -9 and power loss."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

__all__ = ["IndexUnreachable", "LogIndex", "MemoryIndex", "Record", "SegmentIndex"]

Record = Mapping[str, Any]


class IndexUnreachable(OSError):
    """The index does not answer. Try again later."""


class SegmentIndex(Protocol):
    """Blocking; one writer per session. A record is a small mapping with a ``type``. All calls may raise
    OSError; one that is tried again does no harm."""

    @property
    def shared(self) -> bool:
        """Whether other nodes write to it too."""
        ...

    def append(self, session: str, record: Record, *, durable: bool = True) -> None:
        """Add a record; ``durable``: it is on disk when this returns. Raises OSError."""
        ...

    def load(self, session: str, start: int = 0) -> list[Record]:
        """All records in order, or those from number ``start`` on; a torn last one is left out."""
        ...

    def sessions(self) -> Iterable[str]: ...

    def delete(self, session: str) -> None: ...


class LogIndex:
    """``{root}/{session}.jsonl``."""

    shared = False

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, FileIO] = {}
        self._whole: set[str] = set()
        """Sessions whose file is known to end with a whole line."""

    def append(self, session: str, record: Record, *, durable: bool = True) -> None:
        file = self._files.get(session)
        if file is None:
            file = self._files[session] = open(self._path(session), "ab", buffering=0)  # noqa: SIM115
        line = json.dumps(dict(record), separators=(",", ":")).encode() + b"\n"
        size = os.fstat(file.fileno()).st_size
        if size and session not in self._whole:
            line = b"\n" + line  # ends a line that a crash has torn
        try:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if durable:
                os.fsync(file.fileno())
        except OSError:
            file.truncate(size)  # so that it can be tried again
            raise
        self._whole.add(session)
        if record.get("type") == "end":
            self._files.pop(session).close()

    def load(self, session: str, start: int = 0) -> list[Record]:
        records: list[Record] = []
        try:
            lines = self._path(session).read_bytes().split(b"\n")
        except FileNotFoundError:
            return records
        for line in lines:
            try:
                record = json.loads(line) if line else None
            except ValueError:
                continue
            if isinstance(record, dict):
                records.append(record)
        return records[start:]

    def sessions(self) -> Iterable[str]:
        return sorted(path.stem for path in self._root.glob("*.jsonl"))

    def delete(self, session: str) -> None:
        self._whole.discard(session)
        file = self._files.pop(session, None)
        if file is not None:
            file.close()
        self._path(session).unlink(missing_ok=True)

    def _path(self, session: str) -> Path:
        if not session.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"bad session {session!r}")
        return self._root / f"{session}.jsonl"


class MemoryIndex:
    """For nodes that record nothing over a restart, and for tests."""

    shared = False

    def __init__(self) -> None:
        self._records: dict[str, list[Record]] = {}

    def append(self, session: str, record: Record, *, durable: bool = True) -> None:
        self._records.setdefault(session, []).append(dict(record))

    def load(self, session: str, start: int = 0) -> list[Record]:
        return list(self._records.get(session, ()))[start:]

    def sessions(self) -> Iterable[str]:
        return sorted(self._records)

    def delete(self, session: str) -> None:
        self._records.pop(session, None)
