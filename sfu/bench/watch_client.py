"""A publisher and viewers who watch, in a process of their own: what ``join --storm`` must not disturb.

    python -m sfu.bench.watch_client WHIP_URL WHEP_URL COUNT

The publisher sends 2.5 Mb/s of VP8, each packet with the time at which it left. Viewers ask for no
retransmission: what is missing was lost. A line "ready" when all watch; then for each line of standard input
one line of JSON about the time since the last: latencies in milliseconds from the publisher's send to the
kernel's receive time at the viewer (SO_TIMESTAMPNS), so that this process's own pace does not count.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time

from aiohttp import ClientSession

from sfu.bench.join_client import BenchPeer
from sfu.dtls import DtlsIdentity

__all__ = ["main"]

FPS = 30
PACKETS = 9
PAYLOAD = 1_160
KEYFRAME_EVERY = 60
KEYFRAME = bytes.fromhex("100000009d012a80026801")
"""VP8 descriptor (RFC 7741 section 4.2) and the header of a 640x360 keyframe (RFC 6386 section 9.1)."""
INTERFRAME = bytes.fromhex("1001000000000000000000")
CONTINUED = bytes(11)
SSRC = 0x5B5B5B5B
SAMPLE_EVERY = 7
"""Of so many packets one is decrypted: the first or any other of a frame."""
SO_TIMESTAMPNS = 35
"""Linux, include/uapi/asm-generic/socket.h; the socket module does not have it."""
TIMESPEC = struct.Struct("qq")
READY_S = 10.0


class Publisher(BenchPeer):
    """Sends frames until cancelled."""

    def offer(self, ufrag: str, pwd: str, fingerprint: str) -> str:
        lines = [
            "v=0",
            "o=- 1 2 IN IP4 127.0.0.1",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "m=video 9 UDP/TLS/RTP/SAVPF 96",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            "a=sendonly",
            "a=rtcp-mux",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{pwd}",
            f"a=fingerprint:sha-256 {fingerprint}",
            "a=setup:actpass",
            "a=rtpmap:96 VP8/90000",
            "a=rtcp-fb:96 nack",
            "a=rtcp-fb:96 nack pli",
            f"a=ssrc:{SSRC} cname:bench",
        ]
        return "\r\n".join([*lines, ""])

    async def publish(self) -> None:
        assert self.protect is not None
        loop = asyncio.get_running_loop()
        begin, sequence = loop.time(), 0
        filling = bytes(PAYLOAD - len(KEYFRAME) - 8)
        for frame in range(1 << 31):
            opening = INTERFRAME if frame % KEYFRAME_EVERY else KEYFRAME
            for packet in range(PACKETS):
                marker = 0x80 if packet == PACKETS - 1 else 0
                header = struct.pack(
                    "!BBHII", 0x80, marker | 96, sequence & 0xFFFF, frame * 90_000 // FPS & 0xFFFFFFFF, SSRC
                )
                stamp = time.clock_gettime_ns(time.CLOCK_REALTIME).to_bytes(8, "big")
                body = (CONTINUED if packet else opening) + filling + stamp
                self.send(self.protect.protect(header + body))
                sequence += 1
            await asyncio.sleep(max(0.0, begin + (frame + 1) / FPS - loop.time()))


class Watcher(BenchPeer):
    """A viewer whose socket tells when the kernel got each packet."""

    def __init__(self, identity: DtlsIdentity) -> None:
        super().__init__(identity)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.receiving = asyncio.Event()
        self._highest: int | None = None
        self._first = 0
        self._received = 0
        self._arrival_ns = 0
        self.latencies_ms: list[float] = []

    def read(self, received: socket.socket) -> None:
        while True:
            try:
                data, control, _, _ = received.recvmsg(2048, 64)
            except BlockingIOError:
                return
            for level, kind, value in control:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    seconds, nanoseconds = TIMESPEC.unpack(value[:16])
                    self._arrival_ns = seconds * 1_000_000_000 + nanoseconds
            self.handle_datagram(data)

    def handle_rtp(self, data: bytes) -> None:
        if data[1] & 0x7F != 96:
            return
        sequence = data[2] << 8 | data[3]
        if self._highest is None:
            self._first = self._highest = sequence
            self.receiving.set()
        # RFC 3550 appendix A.1: less than half the space ahead is newer
        ahead = (sequence - self._highest) & 0xFFFF
        if ahead < 0x8000:
            self._highest += ahead
        self._received += 1
        if self._received % SAMPLE_EVERY == 0 and self.unprotect is not None:
            sent_ns = int.from_bytes(self.unprotect.unprotect(data)[-8:], "big")
            self.latencies_ms.append((self._arrival_ns - sent_ns) / 1e6)

    def take_lost(self) -> int:
        """Packets lost since the last call."""
        if self._highest is None:
            return 0
        lost = self._highest - self._first + 1 - self._received
        self._first, self._received = self._highest + 1, 0
        return lost


def _report(watchers: list[Watcher]) -> dict[str, object]:
    latencies = sorted(ms for each in watchers for ms in each.latencies_ms)
    lost = sum(each.take_lost() for each in watchers)
    for each in watchers:
        each.latencies_ms.clear()

    def percentile(share: float) -> float:
        return round(latencies[min(int(len(latencies) * share), len(latencies) - 1)], 2)

    return {
        "p50": percentile(0.5),
        "p99": percentile(0.99),
        "max": round(latencies[-1], 2),
        "lost": lost,
        "samples": len(latencies),
    }


async def _run(whip: str, whep: str, count: int) -> None:
    identity = DtlsIdentity.generate()
    publisher = Publisher(identity)
    watchers = [Watcher(identity) for _ in range(count)]
    loop = asyncio.get_running_loop()
    async with ClientSession() as http, asyncio.TaskGroup() as tasks:
        await publisher.connect(http, whip)
        publishing = tasks.create_task(publisher.publish())
        await asyncio.sleep(1.0)
        for watcher in watchers:
            association = await watcher.connect(http, whep)
            await association.release()
        async with asyncio.timeout(READY_S):
            await asyncio.gather(*(each.receiving.wait() for each in watchers))
        _report(watchers)
        print("ready", flush=True)
        while await loop.run_in_executor(None, sys.stdin.readline):
            print(json.dumps(_report(watchers)), flush=True)
        publishing.cancel()
    for peer in (publisher, *watchers):
        peer.leave()


def main() -> None:
    whip, whep, count = sys.argv[1:4]
    asyncio.run(_run(whip, whep, int(count)))


if __name__ == "__main__":
    main()
