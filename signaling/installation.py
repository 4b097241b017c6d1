"""The data directory: one node at a time uses it, and it knows its node by an id."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from signaling.auth.playback_tokens import load_secret
from signaling.auth.secrets import new_id
from signaling.errors import StartError
from signaling.store.written_once import written_once

__all__ = ["Installation"]


class Installation:
    """Holds the lock of ``data_dir`` until closed."""

    def __init__(self, data_dir: Path) -> None:
        """Raises StartError."""
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileExistsError:
            raise StartError(f"data_dir: {data_dir} is a file") from None
        except OSError as error:
            raise StartError(f"data_dir: can't write to {data_dir}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.secret = load_secret(data_dir)
            self.node_id = written_once(data_dir / "node_id", new_id)
        except BlockingIOError:
            os.close(self._lock)
            raise StartError(f"data_dir: another node uses {data_dir}") from None
        except OSError as error:
            os.close(self._lock)
            raise StartError(f"data_dir: {error.strerror or error}") from None

    def __enter__(self) -> Installation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)
