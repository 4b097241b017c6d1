"""SCTP (RFC 9260) through aiortc, within bounds: what a peer sends must neither end its transport by an
exception nor fill our memory. Touches private parts of aiortc 1.16; tests/unit/sfu/test_sctp.py fails when
they move.
"""

from __future__ import annotations

import logging
import struct
from struct import unpack_from

from aiortc.rtcsctptransport import (
    SCTP_TSN_MODULO,
    DataChunk,
    RTCSctpTransport,
    SackChunk,
    tsn_plus_one,
)

from sfu.dtls import DtlsTransport

__all__ = ["SctpTransport"]

log = logging.getLogger(__name__)

MOST_STREAMS = 256
"""Told to the peer in INIT ACK. A channel takes one, and pages open one or two."""
MOST_HELD = 1024
"""DATA chunks that wait for those before them, or twice as many for the rest of their message: the receive
window of 1 MiB in chunks of 1 KiB. aiortc counts bytes only, and a chunk of one byte takes 300."""
HEADER = 12
PARAMETERS = {1: 16, 2: 16, 4: 0, 5: 0, 6: 0, 9: 0, 130: 0}
"""Types of chunks with parameters, and how many bytes of the chunk's value stand before them: INIT, INIT ACK,
HEARTBEAT, HEARTBEAT ACK, ABORT, ERROR (RFC 9260 section 3.3) and RE-CONFIG (RFC 6525 section 3.1)."""
MALFORMED = (AssertionError, LookupError, TypeError, ValueError, struct.error)
"""What aiortc's parser and state machine meet bad packets with."""


class SctpTransport(RTCSctpTransport):
    """One association. What is malformed or over the bounds is dropped, as if the network had lost it."""

    def __init__(self, dtls: DtlsTransport, port: int) -> None:
        super().__init__(dtls, port=port)
        self._inbound_streams_max = MOST_STREAMS
        self._held = 0

    @property
    def held(self) -> int:
        """DATA chunks that wait."""
        return self._held

    async def _handle_data(self, data: bytes) -> None:
        try:
            _check_parameters(data)
            await super()._handle_data(data)
        except MALFORMED as error:
            log.debug("a malformed SCTP packet is dropped (%s)", type(error).__name__)

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        """Gaps ascend and end with what was sent (RFC 9260 section 3.3.4); aiortc walks through each of them,
        22 million numbers for the worst packet."""
        sent = (self._local_tsn - 1 - chunk.cumulative_tsn) % SCTP_TSN_MODULO
        ends = [0, *(end for _, end in chunk.gaps)]
        for before, (start, end) in zip(ends, chunk.gaps, strict=False):
            if not before < start <= end <= sent:
                raise ValueError("a SACK of what was not sent")
        await super()._receive_sack_chunk(chunk)

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        window = self._advertised_rwnd
        # the chunk that all others wait for must find room
        in_order = chunk.tsn == tsn_plus_one(self._last_received_tsn or 0)
        room = 2 * MOST_HELD if in_order else MOST_HELD
        if chunk.stream_id >= MOST_STREAMS or window < len(chunk.user_data) or self._held >= room:
            # RFC 9260 section 6.2: not acknowledged, so that an honest peer sends it again
            self._sack_needed = True
            return
        try:
            await super()._receive_data_chunk(chunk)
        finally:
            if self._advertised_rwnd == window - len(chunk.user_data):
                self._held += 1
            else:
                self._held = sum(len(stream.reassembly) for stream in self._inbound_streams.values())


def _check_parameters(data: bytes) -> None:
    """Raises ValueError for a parameter shorter than its own header (RFC 9260 section 3.2.1): aiortc would
    read one of no length for ever."""
    at = HEADER
    while at + 4 <= len(data):
        kind, _, length = unpack_from("!BBH", data, at)
        if kind in PARAMETERS:
            parameter = at + 4 + PARAMETERS[kind]
            while parameter + 4 <= min(at + length, len(data)):
                (size,) = unpack_from("!H", data, parameter + 2)
                if size < 4:
                    raise ValueError("a parameter without a header")
                parameter += size + -size % 4
        if length < 4:
            raise ValueError("a chunk without a header")
        at += length + -length % 4
