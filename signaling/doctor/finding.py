"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    level: Literal["ok", "warn", "fix"]
    """``warn``: it works, less well. ``fix``: it doesn't."""
    what: str
    detail: str
    remedy: str = ""
