"""The bridge's worker process: joins what the relay, the link to the origin and the bridge are."""

from __future__ import annotations

import asyncio

from hls_bridge import bridge
from hls_bridge.bridge import BridgeConfig
from hls_bridge.link import SocketSink
from sfu.media import Source
from sfu.relay.participant import RelayParticipant

__all__ = ["main"]

PARTING_S = 1.0
"""When a stream ends its sources end first; the order to stop follows within a loop turn or two."""


async def main(participant: RelayParticipant) -> None:
    """For ``sfu.relay.Worker``; ``arguments``: ``link`` and ``secret`` of the LinkServer, ``video`` and
    ``audio``, the track ids of the Program. Raises when it was lost and should be started again."""
    arguments = participant.arguments
    sources = [Source(arguments["video"], "video"), Source(arguments["audio"], "audio")]
    sink = await SocketSink.connect(arguments["link"], participant.stream_id, arguments["secret"])
    try:
        await bridge.main(participant, sources, BridgeConfig(), sink)
    finally:
        await sink.close()
    await asyncio.sleep(PARTING_S)
    raise ConnectionError("the program or the origin was lost")
