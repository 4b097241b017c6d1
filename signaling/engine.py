"""Opens the node's engine."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from sfu.node import Sfu
from signaling.clock import Clock
from signaling.errors import StartError
from signaling.listening import port_refused
from signaling.settings import Settings
from signaling.webrtc import sfu_config

__all__ = ["open_engine"]


@contextlib.asynccontextmanager
async def open_engine(settings: Settings, clock: Clock) -> AsyncIterator[Sfu]:
    """Raises StartError."""
    sfu = Sfu(sfu_config(settings), now=clock.now)
    try:
        await sfu.__aenter__()
    except ImportError as error:
        raise StartError(f"roles: the engine can't be loaded ({error}); `make setup` builds it") from None
    except OSError as error:
        raise port_refused("rtc_port", settings.host, settings.rtc_port, error) from None
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_exit(sfu.__aexit__)
        yield sfu
