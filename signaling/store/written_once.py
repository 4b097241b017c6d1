"""Small files of the data directory that are made at the first start and never change."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["written_once"]


def written_once(path: Path, make: Callable[[], str]) -> str:
    """What ``path`` holds; if there is nothing, what ``make`` makes is written, for its owner's eyes only.

    Raises OSError, and leaves nothing half written: on a full disk the file would be there and empty."""
    if not path.exists() or not path.stat().st_size:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writer:
            writer.write(make())
            writer.flush()
            os.fsync(writer.fileno())
        draft.replace(path)
    return path.read_text().strip()
