"""Rights that end while they are used: judged again every few seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

__all__ = ["judge_forever"]

log = logging.getLogger("spillway.judgement")

JUDGED_S = 5.0
"""How long somebody may stay what they are after their playback token or account token has ended."""


async def judge_forever(judge: Callable[[], Awaitable[None]]) -> None:
    """Call ``judge`` until cancelled."""
    failing = False
    while True:
        await asyncio.sleep(JUDGED_S)
        try:
            await judge()
        except Exception:  # a store that fails for a moment: they are judged the next time
            if not failing:
                log.exception("the store can't say who may watch; trying again every %g s", JUDGED_S)
            failing = True
        else:
            failing = False
