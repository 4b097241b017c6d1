"""A bridge worker process for tests: ``python -m tests.bridge_worker SOCKET STREAM SECRET [SECONDS]``."""

from __future__ import annotations

import asyncio
import logging
import sys

from hls_bridge.bridge import BridgeConfig, main
from hls_bridge.link import SocketSink
from hls_bridge.program import ProgramSettings
from tests.generated import H264, OPUS, Feed, GeneratedParticipant


async def work(path: str, stream_id: str, secret: str, seconds: float) -> None:
    feeds = [Feed(H264, ends_s=seconds, gop=240), Feed(OPUS, ends_s=seconds)]
    for feed in feeds:
        list(feed.batches(0))  # encode the clips before the clock starts
    sink = await SocketSink.connect(path, stream_id, secret)
    participant = GeneratedParticipant(feeds)
    config = BridgeConfig(ProgramSettings(codec_name="libx264"))
    await main(participant, [participant.VIDEO, participant.AUDIO], config, sink)
    await sink.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(work(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]) if len(sys.argv) > 4 else 60))
