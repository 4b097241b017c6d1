"""The data directory: one node at a time uses it, and it knows its node by an id."""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from pathlib import Path
from types import TracebackType

from signaling.auth.playback_tokens import load_secret
from signaling.auth.secrets import new_id
from signaling.errors import StartError
from signaling.store.written_once import written_once

__all__ = ["Installation"]

log = logging.getLogger("spillway")


class Installation:
    """Holds the lock of ``data_dir`` until closed."""

    def __init__(self, data_dir: Path, *, issues_tokens: bool = True) -> None:
        """``issues_tokens``: playback tokens are made here, not only read, so the secret may be made here
        too. Raises StartError."""
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileExistsError:
            raise StartError(f"data_dir: {data_dir} is a file") from None
        except OSError as error:
            raise StartError(f"data_dir: can't write to {data_dir}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.secret = load_secret(data_dir) if issues_tokens else _others_secret(data_dir)
            self.node_id = written_once(data_dir / "node_id", new_id)
        except BlockingIOError:
            os.close(self._lock)
            raise StartError(
                f"data_dir: another node uses {data_dir}; end it, or choose another with --data-dir"
            ) from None
        except OSError as error:
            os.close(self._lock)
            raise StartError(f"data_dir: {error.strerror or error}") from None

    def __enter__(self) -> Installation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)


def _others_secret(data_dir: Path) -> bytes:
    """That of the node which makes playback tokens. Without it, one that no token fits. Raises OSError."""
    if (data_dir / "secret").exists():
        return load_secret(data_dir)
    log.warning(
        "%s is missing, so nobody can watch private streams here: copy that file from the data_dir of the "
        "node that runs the role api, and start this one again",
        data_dir / "secret",
    )
    return secrets.token_bytes(32)
