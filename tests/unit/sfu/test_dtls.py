"""DTLS over our own link, against itself: fails when the private parts of aiortc move."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import tempfile

import pytest
from aiortc import RTCDataChannel
from aiortc.rtcdatachannel import RTCDataChannelParameters
from aiortc.rtcdtlstransport import SRTPProtectionProfile
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto

from sfu.data_channel import DataChannels
from sfu.dtls import PROFILES, DtlsError, DtlsIdentity, DtlsRole, DtlsTransport
from sfu.dtls_flight import REPEAT_AFTER_S
from sfu.sdp.offer import Fingerprint

VERSION_3, VERSION_2 = bytes.fromhex("a003020102"), bytes.fromhex("a003020101")
"""TBSCertificate.version (RFC 5280 section 4.1.2.1), which counts from 0."""


class Pipe:
    """One end of an in-memory datagram pipe."""

    role = "controlled"

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.other: Pipe
        self.sent: list[bytes] = []
        self.loses = 0
        """So many of the next datagrams."""

    async def _send(self, data: bytes) -> None:
        self.sent.append(data)
        if self.loses:
            self.loses -= 1
        else:
            self.other.inbox.put_nowait(data)

    async def _recv(self) -> bytes:
        data = await self.inbox.get()
        if data is None:
            raise ConnectionError
        return data


class Side:
    def __init__(self, role: DtlsRole, identity: DtlsIdentity | None = None) -> None:
        self.pipe = Pipe()
        self.identity = identity or DtlsIdentity.generate()
        self.keys: list[tuple[str, bytes, bytes]] = []
        self.dtls = DtlsTransport(self.pipe, self.identity, role, lambda *keys: self.keys.append(keys))


@pytest.fixture
async def sides() -> contextlib.AsyncIterator[tuple[Side, Side]]:
    client, server = Side("client"), Side("server")
    client.pipe.other, server.pipe.other = server.pipe, client.pipe
    yield client, server
    await client.dtls.close()
    await server.dtls.close()


async def connect(client: Side, server: Side) -> None:
    await asyncio.gather(
        client.dtls.handshake([server.identity.fingerprint]),
        server.dtls.handshake([client.identity.fingerprint]),
    )


async def test_keys_of_both_sides_match(sides: tuple[Side, Side]) -> None:
    client, server = sides
    await connect(client, server)
    ((client_profile, client_receive, client_send),) = client.keys
    ((server_profile, server_receive, server_send),) = server.keys
    assert client_profile == server_profile == "SRTP_AEAD_AES_128_GCM"
    assert client_receive == server_send
    assert client_send == server_receive
    assert client_send != client_receive
    assert len(client_send) == 16 + 12


async def test_datagrams_fit_an_ethernet_frame(sides: tuple[Side, Side]) -> None:
    client, server = sides
    await connect(client, server)
    assert max(len(data) for data in client.pipe.sent + server.pipe.sent) <= 1500 - 48


@pytest.mark.parametrize("loser", ["client", "server"])
async def test_a_lost_flight_is_sent_again_as_it_was(sides: tuple[Side, Side], loser: DtlsRole) -> None:
    """OpenSSL's own repetition would have another record sequence number."""
    client, server = sides
    pipe = (client if loser == "client" else server).pipe
    pipe.loses = 1
    await connect(client, server)
    assert pipe.sent[0] in pipe.sent[1:]
    assert client.keys
    assert server.keys


async def test_nothing_is_sent_again_after_the_handshake(sides: tuple[Side, Side]) -> None:
    """Not even the server's last flight, which has no answer."""
    client, server = sides
    await connect(client, server)
    sent = [*client.pipe.sent, *server.pipe.sent]
    await asyncio.sleep(2 * REPEAT_AFTER_S[0])
    assert [*client.pipe.sent, *server.pipe.sent] == sent


async def test_wrong_fingerprint_fails(sides: tuple[Side, Side]) -> None:
    client, server = sides
    wrong = Fingerprint("sha-256", ":".join(["00"] * 32))
    results = await asyncio.gather(
        client.dtls.handshake([server.identity.fingerprint]),
        server.dtls.handshake([wrong]),
        return_exceptions=True,
    )
    assert isinstance(results[1], DtlsError)
    assert not server.keys


class SecondVersion(DtlsIdentity):
    """Its certificate says X.509 version 2, as libdatachannel's does where OpenSSL makes it."""

    def _encoded(self) -> bytes:
        encoded = self._cert.public_bytes(Encoding.DER)
        assert encoded.count(VERSION_3) == 1
        return encoded.replace(VERSION_3, VERSION_2)

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint("sha-256", hashlib.sha256(self._encoded()).digest().hex(":"))

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        with tempfile.NamedTemporaryFile() as file:
            file.write(self._encoded())
            file.flush()
            context.use_certificate_file(file.name, crypto.FILETYPE_ASN1)
        return context


@pytest.mark.parametrize("right", [True, False])
async def test_a_certificate_is_compared_without_being_parsed(right: bool) -> None:
    client, server = Side("client", SecondVersion.generate()), Side("server")
    client.pipe.other, server.pipe.other = server.pipe, client.pipe
    fingerprint = client.identity.fingerprint if right else DtlsIdentity.generate().fingerprint
    results = await asyncio.gather(
        client.dtls.handshake([server.identity.fingerprint]),
        server.dtls.handshake([fingerprint]),
        return_exceptions=True,
    )
    assert isinstance(results[1], DtlsError) is not right
    assert bool(server.keys) is right
    await client.dtls.close()
    await server.dtls.close()


async def test_transports_of_an_identity_share_their_ssl_context(sides: tuple[Side, Side]) -> None:
    _, server = sides
    first = server.identity._create_ssl_context(PROFILES)
    assert server.identity._create_ssl_context(PROFILES) is first


async def test_release_drops_the_ssl_object_and_ends_quietly(sides: tuple[Side, Side]) -> None:
    client, server = sides
    await connect(client, server)
    assert not server.dtls.released
    await server.dtls.release()
    assert server.dtls.released
    assert server.dtls._ssl is None
    sent = len(server.pipe.sent)
    await server.dtls.close()
    assert len(server.pipe.sent) == sent


async def test_what_is_left_after_release_tells_a_goodbye(sides: tuple[Side, Side]) -> None:
    client, server = sides
    await connect(client, server)
    await server.dtls.release()
    before = len(client.pipe.sent)
    await client.dtls.close()
    (goodbye,) = client.pipe.sent[before:]
    assert server.dtls.closes(goodbye)
    assert server.dtls.closes(b"\x17\xfe\xfd\0\1\0\0\0\0\0\7\0\1x" + goodbye)
    for at in range(len(goodbye)):
        forged = goodbye[:at] + bytes([goodbye[at] ^ 1]) + goodbye[at + 1 :]
        assert not server.dtls.closes(forged), at
        assert not server.dtls.closes(goodbye[:at]), at


@pytest.mark.parametrize(
    ("suite", "read"),
    [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
        ("ECDHE-ECDSA-AES256-GCM-SHA384", True),
        ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
        ("ECDHE-ECDSA-AES128-SHA", False),
    ],
)
@pytest.mark.parametrize("released", ["server", "client"])
async def test_goodbyes_of_every_cipher_suite(
    sides: tuple[Side, Side], suite: str, read: bool, released: str
) -> None:
    client, server = sides
    for side in sides:
        side.identity._create_ssl_context(PROFILES).set_cipher_list(suite.encode())
    await connect(client, server)
    ours, peer = (server, client) if released == "server" else (client, server)
    await ours.dtls.release()
    before = len(peer.pipe.sent)
    await peer.dtls.close()
    assert ours.dtls.closes(peer.pipe.sent[before]) is read


async def test_close_notify_ends_the_other_side(sides: tuple[Side, Side]) -> None:
    client, server = sides
    await connect(client, server)
    ended = asyncio.Event()
    server.dtls.on("statechange", ended.set)
    await client.dtls.close()
    await asyncio.wait_for(ended.wait(), 5)
    assert server.dtls.state == "closed"


async def test_data_channel_carries_messages_both_ways(sides: tuple[Side, Side]) -> None:
    client, server = sides
    await connect(client, server)
    received: asyncio.Queue[tuple[str, bytes | str]] = asyncio.Queue()
    channels = DataChannels(
        server.dtls, 5000, 1000, lambda label, message: received.put_nowait((label, message))
    )
    peer = RTCSctpTransport(client.dtls, port=5000)
    await asyncio.gather(channels.start(), peer.start(RTCSctpCapabilities(65536), 5000))
    channel = RTCDataChannel(peer, RTCDataChannelParameters(label="chat"))
    back: asyncio.Queue[str] = asyncio.Queue()
    channel.on("message", back.put_nowait)
    opened = asyncio.Event()
    channel.on("open", opened.set)
    await asyncio.wait_for(opened.wait(), 10)
    channel.send("hello")
    channel.send(b"\x00\x01")
    assert await asyncio.wait_for(received.get(), 5) == ("chat", "hello")
    assert await asyncio.wait_for(received.get(), 5) == ("chat", b"\x00\x01")
    assert channels.labels == ("chat",)
    channels.send("chat", "back")
    assert await asyncio.wait_for(back.get(), 5) == "back"
    with pytest.raises(LookupError):
        channels.send("nowhere", "x")
    with pytest.raises(ValueError, match="1001 bytes"):
        channels.send("chat", "x" * 1001)
    await channels.close()
    await peer.stop()
