"""The node's own tasks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

__all__ = ["owned"]


@contextlib.asynccontextmanager
async def owned(work: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Tasks that live as long as the node; one that fails ends the node."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
    except BaseExceptionGroup as errors:
        # What a TaskGroup raises is a group, also of what was raised beside the tasks: a StartError, or the
        # failure of a test, which is no Exception. Alone it goes on as itself; nothing is kept back.
        if len(errors.exceptions) == 1:
            raise errors.exceptions[0] from None
        raise
