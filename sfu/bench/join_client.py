"""Viewers that join over WHEP with a whole DTLS handshake, in a process of their own: ``join`` starts some.

    python -m sfu.bench.join_client URL COUNT RATE NICE

One line of JSON when all are done: the milliseconds from POST to first RTP packet of each, how many were
refused a seat and how many did not get through; then they stay until standard input ends. NICE is added to
the process's niceness: real viewers run on other machines.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time

from aiohttp import ClientSession
from aioice import stun
from pylibsrtp import Policy, Session

from sfu.dtls import DtlsIdentity, DtlsTransport
from sfu.sdp.offer import Fingerprint

__all__ = ["BenchPeer", "JoiningViewer", "NoSeatLeft", "main", "offer"]

RECEIVER_REPORT = bytes.fromhex("80c9000100000001")
"""RFC 3550 section 6.4.2, of SSRC 1, about nothing: authentic SRTCP tells the node that we have keys."""
CHECK_S = 0.05
CONSENT_S = 2.65
"""As Chromium checks before and after it is connected."""
JOIN_S = 30.0
PROFILES = {
    "SRTP_AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "SRTP_AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "SRTP_AES128_CM_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}


class NoSeatLeft(ConnectionError):
    """503: the node sends the viewer to HLS."""


def offer(ufrag: str, pwd: str, fingerprint: str) -> str:
    """What a browser offers to watch, its codecs reduced to Opus and VP8."""
    lines = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"]
    for mid, media in enumerate(
        (
            ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 opus/48000/2"],
            [
                "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
                "a=rtpmap:96 VP8/90000",
                "a=rtcp-fb:96 nack",
                "a=rtcp-fb:96 nack pli",
                "a=rtcp-fb:96 transport-cc",
                "a=rtpmap:97 rtx/90000",
                "a=fmtp:97 apt=96",
            ],
        )
    ):
        lines += [
            media[0],
            "c=IN IP4 0.0.0.0",
            f"a=mid:{mid}",
            "a=recvonly",
            "a=rtcp-mux",
            "a=rtcp-rsize",
            f"a=ice-ufrag:{ufrag}",
            f"a=ice-pwd:{pwd}",
            f"a=fingerprint:sha-256 {fingerprint}",
            "a=setup:actpass",
            "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
            *media[1:],
        ]
    return "\r\n".join([*lines, ""])


class BenchPeer:
    """One peer of the node: ICE as the controlling side, DTLS as the client. ``handle_rtp`` gets its SRTP."""

    def __init__(self, identity: DtlsIdentity) -> None:
        self._identity = identity
        self._ufrag, self._pwd = os.urandom(4).hex(), os.urandom(16).hex()
        self._dtls_in: asyncio.Queue[bytes] = asyncio.Queue()
        self._answered = asyncio.Event()
        self.protect: Session | None = None
        self.unprotect: Session | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._consent: asyncio.Task[None] | None = None
        self._remote_ufrag = self._remote_pwd = ""
        self._remote = ("", 0)

    def offer(self, ufrag: str, pwd: str, fingerprint: str) -> str:
        return offer(ufrag, pwd, fingerprint)

    def handle_rtp(self, data: bytes) -> None:
        """A packet of SRTP."""

    async def connect(self, http: ClientSession, url: str) -> DtlsTransport:
        """POST, ICE and DTLS; returns the association, to be released. Raises ConnectionError."""
        body = self.offer(self._ufrag, self._pwd, self._identity.fingerprint.value)
        async with http.post(url, data=body, headers={"Content-Type": "application/sdp"}) as response:
            answer = await response.text()
            if response.status == 503:
                raise NoSeatLeft(answer)
            if response.status != 201:
                raise ConnectionError(f"{response.status}: {answer}")
        lines = [line.partition(":") for line in answer.splitlines()]
        fields = {name: value for name, _, value in reversed(lines)}
        self._remote_ufrag, self._remote_pwd = fields["a=ice-ufrag"], fields["a=ice-pwd"]
        host, port = fields["a=candidate"].split()[4:6]
        self._remote = (host, int(port))
        self._socket.connect(self._remote)
        asyncio.get_running_loop().add_reader(self._socket, self.read, self._socket)
        self._consent = asyncio.create_task(self._check())
        await self._answered.wait()
        algorithm, value = fields["a=fingerprint"].split()
        dtls = DtlsTransport(_Link(self), self._identity, "client", self._take_keys)
        await dtls.handshake([Fingerprint(algorithm, value)])
        assert self.protect is not None
        self.send(self.protect.protect_rtcp(RECEIVER_REPORT))
        return dtls

    def read(self, received: socket.socket) -> None:
        """Take what has arrived."""
        while True:
            try:
                data = received.recv(2048)
            except BlockingIOError:
                return
            self.handle_datagram(data)

    def stop_reading(self) -> None:
        """What comes from now on is left to the kernel, which drops it when its buffer is full."""
        asyncio.get_running_loop().remove_reader(self._socket)

    def leave(self) -> None:
        if self._consent is not None:
            self._consent.cancel()
        self.stop_reading()
        self._socket.close()

    def handle_datagram(self, data: bytes) -> None:
        if data[0] < 4:
            self._handle_stun(data)
        elif data[0] < 64:
            self._dtls_in.put_nowait(data)
        elif not 192 <= data[1] <= 223:
            self.handle_rtp(data)

    def _handle_stun(self, data: bytes) -> None:
        message = stun.parse_message(data)
        if message.message_class is stun.Class.RESPONSE:
            self._answered.set()
            return
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=message.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = self._remote
        answer.add_message_integrity(self._pwd.encode())
        self.send(bytes(answer))

    async def _check(self) -> None:
        while True:
            request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            request.attributes["USERNAME"] = f"{self._remote_ufrag}:{self._ufrag}"
            request.attributes["PRIORITY"] = 1
            request.attributes["ICE-CONTROLLING"] = 1
            request.attributes["USE-CANDIDATE"] = None
            request.add_message_integrity(self._remote_pwd.encode())
            self.send(bytes(request))
            await asyncio.sleep(CONSENT_S if self._answered.is_set() else CHECK_S)

    def _take_keys(self, profile: str, receive: bytes, send: bytes) -> None:
        for key, kind, name in (
            (send, Policy.SSRC_ANY_OUTBOUND, "protect"),
            (receive, Policy.SSRC_ANY_INBOUND, "unprotect"),
        ):
            setattr(self, name, Session(Policy(key=key, ssrc_type=kind, srtp_profile=PROFILES[profile])))

    async def receive_dtls(self) -> bytes:
        return await self._dtls_in.get()

    def send(self, data: bytes) -> None:
        self._socket.send(data)


class JoiningViewer(BenchPeer):
    """A viewer that waits for its first packet and counts no further."""

    def __init__(self, identity: DtlsIdentity) -> None:
        super().__init__(identity)
        self._first_packet = asyncio.Event()

    def handle_rtp(self, data: bytes) -> None:
        self._first_packet.set()

    async def join(self, http: ClientSession, url: str) -> float:
        """Milliseconds from the POST to the first RTP packet."""
        begin = time.perf_counter()
        dtls = await self.connect(http, url)
        await self._first_packet.wait()
        took = time.perf_counter() - begin
        await dtls.release()
        self.stop_reading()
        return took * 1e3


class _Link:
    """A viewer as aiortc wants it."""

    role = "controlling"

    def __init__(self, viewer: BenchPeer) -> None:
        self._viewer = viewer

    async def _recv(self) -> bytes:
        return await self._viewer.receive_dtls()

    async def _send(self, data: bytes) -> None:
        self._viewer.send(data)


async def _run(url: str, count: int, rate: float) -> None:
    identity = DtlsIdentity.generate()
    viewers = [JoiningViewer(identity) for _ in range(count)]
    loop = asyncio.get_running_loop()
    begin = loop.time()

    refused = failed = 0

    async def join(number: int, viewer: JoiningViewer) -> float | None:
        nonlocal refused, failed
        await asyncio.sleep(begin + number / rate - loop.time())
        try:
            async with asyncio.timeout(JOIN_S):
                return await viewer.join(http, url)
        except NoSeatLeft:
            refused += 1
        except (OSError, TimeoutError) as error:
            failed += 1
            print(f"join: {type(error).__name__} {error}", file=sys.stderr)
        return None

    async with ClientSession() as http:
        took = await asyncio.gather(*(join(i, viewer) for i, viewer in enumerate(viewers)))
    through = [round(ms, 2) for ms in took if ms is not None]
    print(json.dumps({"ms": through, "refused": refused, "failed": failed}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    for viewer in viewers:
        viewer.leave()


def main() -> None:
    url, count, rate, nice = sys.argv[1:5]
    os.nice(int(nice))
    asyncio.run(_run(url, int(count), float(rate)))


if __name__ == "__main__":
    main()
