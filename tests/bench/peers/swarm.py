"""A publisher and its viewers in one thread: sockets, clock and a loop for ``tests.conformance.peer``."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
from pylibsrtp import Session

from tests.conformance import sdp
from tests.conformance.peer import Peer

__all__ = ["Source", "Swarm"]

FPS = 30
SIZE = (320, 180)
MTU = 1184
"""Bytes of a frame in a packet, which with RTP header and VP8 descriptor has 1,200. An SFU that packs frames
anew, as MediaMTX does, then makes as many packets of one as came."""
TICK_S = 0.02
RECEIVE_BUFFER = 1 << 20
MOST_AT_ONCE = 65_536
"""Bytes that UDP_GRO joins at most (udp(7))."""
UDP_GRO = 104
"""In linux/udp.h; ``socket`` has no name for it."""
CONTROL_BYTES = socket.CMSG_SPACE(4)


def segment(control: list[tuple[int, int, bytes]]) -> int:
    """Bytes of each datagram but the last of those that were joined; 0 if none were."""
    for level, kind, value in control:
        if (level, kind) == (socket.SOL_UDP, UDP_GRO):
            return int.from_bytes(value[:4], sys.byteorder)
    return 0


class Source:
    """VP8 frames of one size, a second of them repeated. Each is a real one of a small grey picture with
    random bytes behind it up to that size: an SFU reads the first bytes and carries the rest."""

    def __init__(self, mbps: float) -> None:
        encoder = av.CodecContext.create("libvpx", "w")
        encoder.width, encoder.height = SIZE
        encoder.pix_fmt = "yuv420p"
        encoder.time_base = Fraction(1, FPS)
        encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "g": str(FPS)}
        grey = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
        size = int(mbps * 1e6 / 8 / FPS)
        random = np.random.default_rng(1)
        self.frames: list[bytes] = []
        for number in range(FPS):
            frame = av.VideoFrame.from_ndarray(grey, format="yuv420p")
            frame.pts = number
            encoded = b"".join(bytes(packet) for packet in encoder.encode(frame))
            self.frames.append(encoded + random.bytes(max(0, size - len(encoded))))

    def packets(self, srtp: Session, number: int, sequence: int) -> list[bytes]:
        """Frame ``number`` of the stream as SRTP, from ``sequence`` on."""
        frame = self.frames[number % len(self.frames)]
        pieces = [frame[i : i + MTU] for i in range(0, len(frame), MTU)]
        packets = []
        for index, piece in enumerate(pieces):
            marker = (index == len(pieces) - 1) << 7
            header = struct.pack(
                "!BBHII",
                0x80,
                marker | int(sdp.VP8),
                (sequence + index) & 0xFFFF,
                number * 90_000 // FPS & 0xFFFF_FFFF,
                sdp.ssrc_of(0),
            )
            # RFC 7741 section 4.2: start of partition, 15-bit picture id
            start = 0x90 if index == 0 else 0x80
            descriptor = bytes([start, 0x80, 0x80 | number >> 8 & 0x7F, number & 0xFF])
            packets.append(srtp.protect(header + descriptor + piece))
        return packets


class Swarm:
    """Peers, each with a socket. ``publish()`` makes one of them the source of the stream."""

    def __init__(self, gro: bool = False) -> None:
        """With ``gro`` the kernel may hand over several datagrams of one sender together."""
        self.viewers: list[Peer] = []
        self._gro = gro
        self.published = 0
        """Packets sent to the server."""
        self.frames = 0
        """And the frames that they made."""
        self._sockets: dict[Peer, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._publisher: tuple[Peer, Source, Session] | None = None
        self._begin = 0.0

    @property
    def received(self) -> int:
        """RTP packets that came to all viewers."""
        return sum(sum(viewer.rtp.values()) for viewer in self.viewers)

    @property
    def received_frames(self) -> int:
        """Last packets of a frame that came to all viewers."""
        return sum(viewer.frames for viewer in self.viewers)

    def add(self, peer: Peer) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if self._gro:
            sock.setsockopt(socket.SOL_UDP, UDP_GRO, 1)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        self._sockets[peer] = sock
        self._selector.register(sock, selectors.EVENT_READ, peer)

    def publish(self, peer: Peer, source: Source) -> None:
        assert peer.keys is not None
        self._publisher = (peer, source, peer.keys.sender())
        self._begin = time.monotonic()

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Drives everybody for ``seconds``, or until the condition holds; whether it came to."""
        end = time.monotonic() + seconds
        next_tick = 0.0
        while (now := time.monotonic()) < end:
            if now >= next_tick:
                next_tick = now + TICK_S
                for peer in self._sockets:
                    peer.handle_timeout(now)
                    self._flush(peer)
                if until():
                    return True
            self._send_frames(now)
            for key, _ in self._selector.select(0.005):
                self._receive(key.data, self._sockets[key.data])
        return until()

    def close(self) -> None:
        self._selector.close()
        for sock in self._sockets.values():
            sock.close()

    def _send_frames(self, now: float) -> None:
        if self._publisher is None:
            return
        peer, source, srtp = self._publisher
        while self.frames <= (now - self._begin) * FPS:
            for packet in source.packets(srtp, self.frames, self.published):
                peer.send(packet)
                self.published += 1
            self.frames += 1
        self._flush(peer)

    def _receive(self, peer: Peer, sock: socket.socket) -> None:
        try:
            while True:
                data, control, _, source = sock.recvmsg(MOST_AT_ONCE, CONTROL_BYTES)
                size = segment(control) or max(len(data), 1)
                for start in range(0, len(data), size):
                    peer.handle_datagram(data[start : start + size], source)
        except (BlockingIOError, ConnectionRefusedError):
            pass
        self._flush(peer)

    def _flush(self, peer: Peer) -> None:
        for data, address in peer.take():
            # a full buffer or a server that has gone: the counters will tell
            with contextlib.suppress(OSError):
                self._sockets[peer].sendto(data, address)
