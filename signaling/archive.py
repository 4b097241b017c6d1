"""The node's recordings: where they lie, and the sweep that lets go of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from hls_bridge.recorder import Recorder
from hls_bridge.redis_index import RedisIndex
from hls_bridge.segment_index import IndexUnreachable, LogIndex, SegmentIndex
from hls_bridge.segment_store import DirectoryStore, S3Store, SegmentStore, StoreError
from signaling.clock import Clock
from signaling.errors import StartError
from signaling.settings import Settings

__all__ = ["open_archive", "open_index", "open_store", "retention", "sweep_forever", "wall_us"]

log = logging.getLogger("spillway.archive")

SWEEP_S = 3600.0
STEP_S = 600.0
"""NTP steps a clock that is off by more than 128 ms, by minutes at most after a pause of the machine."""
PROBE = "spillway/probe"


def wall_us(clock: Clock) -> int:
    """Microseconds of the Unix epoch."""
    return int(clock.now().timestamp() * 1_000_000)


def retention(settings: Settings) -> timedelta | None:
    """How long recordings are kept; None: for good."""
    return timedelta(days=settings.retention_days) if settings.retention_days else None


@contextlib.asynccontextmanager
async def open_archive(settings: Settings, clock: Clock, node_id: str) -> AsyncIterator[Recorder]:
    """The recordings of ``data_dir``, what a crash left behind taken up. Raises StartError."""
    store = await asyncio.to_thread(open_store, settings)
    root = settings.data_dir / "recordings"
    try:
        index = await asyncio.to_thread(open_index, settings)
        recorder = Recorder(store, index, root / "spool", node_id=node_id)
        await asyncio.to_thread(recorder.start, wall_us(clock))
    except OSError as error:
        raise StartError(f"data_dir: {error}") from None
    try:
        yield recorder
    finally:
        await asyncio.to_thread(recorder.close)


async def sweep_forever(recorder: Recorder, clock: Clock, kept: timedelta) -> None:
    """Delete what was kept long enough, now and every hour, until cancelled.

    A clock that was stepped ahead makes every recording old: then the sweep waits for an hour, in which
    somebody may set it right."""
    before: tuple[int, float] | None = None
    while True:
        now = wall_us(clock), clock.monotonic_s()
        stepped_s = 0.0 if before is None else (now[0] - before[0]) / 1e6 - (now[1] - before[1])
        before = now
        if stepped_s > STEP_S:
            log.warning("the clock was set ahead by %.0f s: the sweep of old recordings waits", stepped_s)
            await asyncio.sleep(SWEEP_S)
            continue
        try:
            gone = await asyncio.to_thread(recorder.sweep, wall_us(clock), kept // timedelta(microseconds=1))
        except StoreError as error:
            log.warning("the sweep of old recordings goes on later: %s", error)
        else:
            if gone:
                log.info("%d recordings were older than %d days and are deleted", len(gone), kept.days)
        await asyncio.sleep(SWEEP_S)


def open_index(settings: Settings) -> SegmentIndex:
    """What has been recorded; blocks until it has answered. Raises StartError, OSError."""
    if settings.redis_url is None:
        return LogIndex(Path(settings.data_dir) / "recordings" / "index")
    try:
        return RedisIndex.connect(settings.redis_url.get_secret_value())
    except (IndexUnreachable, ValueError) as error:
        raise StartError(f"redis_url: {error}") from None


def open_store(settings: Settings) -> SegmentStore:
    """Where segments go; blocks until it has answered. Raises StartError."""
    if settings.s3_url is None:
        return DirectoryStore(Path(settings.data_dir) / "recordings" / "segments")
    if settings.s3_bucket is None:
        raise StartError("s3_bucket: which bucket at s3_url?")
    try:
        store = S3Store.connect(settings.s3_url.get_secret_value(), settings.s3_bucket)
        store.get(PROBE)
    except (StoreError, ValueError) as error:
        raise StartError(f"s3_url: {error}") from None
    return store
