"""Waiting for what other tasks bring about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["eventually"]


async def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    """Until ``condition`` holds; TimeoutError after ``within_s``."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # the condition is anything, there is no event of it
            await asyncio.sleep(0.01)
