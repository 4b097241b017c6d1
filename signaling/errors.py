"""Why a node can't start."""

from __future__ import annotations

__all__ = ["StartError"]


class StartError(RuntimeError):
    """Ends the command with this text as its one line, and exit code 2."""
