"""What a peer with a data channel may send: the association and its memory stay whole."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from struct import pack, unpack_from

import pytest
from aiortc import RTCDataChannel
from aiortc.rtcdatachannel import RTCDataChannelParameters
from aiortc.rtcsctptransport import (
    DataChunk,
    RTCSctpCapabilities,
    RTCSctpTransport,
    SackChunk,
    serialize_packet,
    tsn_plus_one,
)
from google_crc32c import value as crc32c

from sfu.sctp import MOST_HELD, MOST_STREAMS, SctpTransport
from tests.unit.sfu.test_dtls import Side, connect

INPUTS = int(os.environ.get("SPILLWAY_FUZZ", "3000"))
"""For the long run: SPILLWAY_FUZZ=1000000."""


class Association:
    """Ours, an honest peer's, and what that peer sent so far."""

    def __init__(self, server: Side, client: Side) -> None:
        self.ours = SctpTransport(server.dtls, 5000)
        self.peer = RTCSctpTransport(client.dtls, port=5000)
        self.heard: list[bytes] = []
        self.messages: asyncio.Queue[bytes | str] = asyncio.Queue()
        handle = self.ours._handle_data

        async def hear(data: bytes) -> None:
            self.heard.append(data)
            await handle(data)

        self.ours._handle_data = hear  # type: ignore[method-assign]
        self.ours.on("datachannel", lambda channel: channel.on("message", self.messages.put_nowait))

    async def say(self, channel: RTCDataChannel, message: str) -> None:
        channel.send(message)
        async with asyncio.timeout(10):
            assert await self.messages.get() == message

    async def give(self, chunk: DataChunk) -> None:
        await self.ours._handle_data(serialize_packet(5000, 5000, self.ours._local_verification_tag, chunk))


@asynccontextmanager
async def associated() -> AsyncIterator[tuple[Association, RTCDataChannel]]:
    client, server = Side("client"), Side("server")
    client.pipe.other, server.pipe.other = server.pipe, client.pipe
    await connect(client, server)
    association = Association(server, client)
    capabilities = RTCSctpCapabilities(65536)
    await asyncio.gather(
        association.ours.start(capabilities, 5000), association.peer.start(capabilities, 5000)
    )
    channel = RTCDataChannel(association.peer, RTCDataChannelParameters(label="chat"))
    opened = asyncio.Event()
    channel.on("open", opened.set)
    async with asyncio.timeout(10):
        await opened.wait()
    try:
        yield association, channel
    finally:
        await association.peer.stop()
        await association.ours.stop()
        await client.dtls.close()
        await server.dtls.close()


def fragment(tsn: int, stream: int = 1, flags: int = 2) -> DataChunk:
    """One byte; flags 2 is the first fragment of a message that goes on (RFC 9260 section 3.3.1)."""
    chunk = DataChunk(flags=flags)
    chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = tsn, stream, 0, 51
    chunk.user_data = b"x"
    return chunk


def sealed(packet: bytes) -> bytes:
    """With the right checksum (RFC 9260 section 6.8)."""
    return packet[:8] + pack("<L", crc32c(packet[:8] + bytes(4) + packet[12:])) + packet[12:]


def damaged(draw: random.Random, packet: bytes) -> bytes:
    """Changed behind the common header, its checksum right again."""
    data = bytearray(packet)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(12, max(len(data), 13))
        change = draw.randrange(5)
        if change == 0:
            data[at : at + 1] = bytes([draw.choice([0, 1, 3, 4, 6, 14, 127, 128, 130, 192, 255])])
        elif change == 1:
            data[at:at] = draw.randbytes(draw.randint(1, 8))
        elif change == 2:
            del data[at:]
        elif change == 3:
            data[at : at + 4] = draw.randbytes(4)
        else:
            data += data[12:]
    return sealed(bytes(data))


async def test_damage_neither_raises_nor_fills_memory() -> None:
    draw = random.Random(1)
    # anew now and then: a damaged packet may well end an association
    for _ in range(0, INPUTS, 500):
        async with associated() as (association, channel):
            for text in ("hello", "x" * 4000):
                await association.say(channel, text)
            corpus = [*association.heard, *(packet for packet in association.heard if len(packet) > 40)]
            for _ in range(500):
                await association.ours._handle_data(damaged(draw, draw.choice(corpus)))
                association.heard.clear()
            assert association.ours.held <= 2 * MOST_HELD
            assert len(association.ours._inbound_streams) <= MOST_STREAMS


@pytest.mark.parametrize("kind", [1, 4, 6, 9, 130])
async def test_a_parameter_of_no_length_ends(kind: int) -> None:
    """aiortc reads such a one for ever: the node would stand still."""
    async with associated() as (association, channel):
        chunk = pack("!BBH", kind, 0, 4 + 16 + 8) + bytes(16 + 8)
        await association.ours._handle_data(sealed(pack("!HHLL", 5000, 5000, 0, 0) + chunk))
        await association.say(channel, "hello")


async def test_gaps_of_what_was_never_sent_are_refused() -> None:
    """346 gaps of 65,535 packets each keep aiortc busy for seconds."""
    async with associated() as (association, channel):
        ours = association.ours
        sack = SackChunk()
        sack.cumulative_tsn = ours._local_tsn - 1 & 0xFFFFFFFF
        sack.advertised_rwnd = 1
        sack.gaps = [(1, 65535)] * 346
        with pytest.raises(ValueError, match="not sent"):
            await ours._receive_sack_chunk(sack)
        await ours._handle_data(serialize_packet(5000, 5000, ours._local_verification_tag, sack))
        await association.say(channel, "hello")


async def test_fragments_without_end_are_held_up_to_a_bound() -> None:
    async with associated() as (association, channel):
        await association.say(channel, "hello")
        begin = association.ours._last_received_tsn
        assert begin is not None
        for number in range(2, MOST_HELD + 200):
            await association.give(fragment(begin + number & 0xFFFFFFFF))
        assert association.ours.held == MOST_HELD, "out of order: the first is missing"
        await association.give(fragment(tsn_plus_one(begin), flags=2))
        assert association.ours.held == MOST_HELD + 1
        for _ in range(MOST_HELD + 100):
            last = association.ours._last_received_tsn
            await association.give(fragment(tsn_plus_one(last), flags=0))
        assert association.ours.held == 2 * MOST_HELD
        assert len(association.ours._sack_misordered) <= MOST_HELD


async def test_streams_past_the_bound_are_not_made() -> None:
    async with associated() as (association, channel):
        await association.say(channel, "hello")
        for stream in range(0, 65536, 16):
            last = association.ours._last_received_tsn
            await association.give(fragment(tsn_plus_one(last), stream, flags=3))
        assert len(association.ours._inbound_streams) <= MOST_STREAMS
        # What went before is over: the honest peer's numbers are used up, its association is its own affair.
        assert association.ours.held == 0


async def test_a_peer_is_told_how_many_streams_there_are() -> None:
    async with associated() as (association, _):
        assert association.peer._outbound_streams_count == MOST_STREAMS
        init = association.heard[0]
        assert unpack_from("!L", init, 4) == (0,), "an INIT has no tag"
