"""One node that is set up otherwise than the others: HTTPS, ICE servers, some roles only."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.interop.aiortc_peer import Viewer
from tests.interop.contract.test_socket import page
from tests.interop.contract.test_whip import SDP, check_created, offer
from tests.interop.contract.user import User, call, live, sign_up
from tests.interop.serve_process import spillway

ROLES = ["api", "gateway", "engine"]
ICE_SERVERS = (
    '[{"urls": ["stun:stun.example"]},'
    ' {"urls": ["turn:turn.example"], "username": "user", "credential": "secret"}]'
)


def self_signed(folder: Path) -> tuple[Path, Path]:
    """PEM files of a certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "spillway.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def secure(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, Path]]:
    """The node's URL and the certificate to trust."""
    certificate, key = self_signed(tmp_path_factory.mktemp("tls"))
    flags = ("--tls-cert", str(certificate), "--tls-key", str(key), "--ice-servers", ICE_SERVERS)
    folder = tmp_path_factory.mktemp("secure")
    async with spillway(folder, *flags, "--roles", ",".join(ROLES), "--rate-limits", "off") as node:
        yield node.url, certificate


@pytest.fixture
async def cleo(secure: tuple[str, Path]) -> AsyncIterator[User]:
    url, certificate = secure
    trust = ssl.create_default_context(cafile=str(certificate))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as http:
        yield await sign_up(http, url)


async def test_https_from_the_ready_line_to_media(cleo: User) -> None:
    assert cleo.url.startswith("https://127.0.0.1:")
    stream, viewer = await cleo.stream(), Viewer()
    assert stream["whip_url"] == f"{cleo.url}/whip"
    assert stream["whep_url"] == f"{cleo.url}/whep/{stream['stream_id']}"
    async with live(cleo, stream):
        try:
            await viewer.start(cleo, stream["stream_id"])
            assert await viewer.frames("video", 3)
        finally:
            await viewer.close()
    with pytest.raises(aiohttp.ClientError):
        async with (
            aiohttp.ClientSession() as plain,
            plain.get(cleo.url.replace("https", "http") + "/healthz"),
        ):
            pass


async def test_ice_servers_reach_publishers_and_hosts(cleo: User) -> None:
    stream = await cleo.stream()
    key = stream["stream_key"]
    created = await call(cleo.http, "POST", stream["whip_url"], token=key, data=await offer(), headers=SDP)
    location = check_created(created)
    assert created.headers.getall("Link") == [
        '<stun:stun.example>; rel="ice-server"',
        '<turn:turn.example>; rel="ice-server"; username="user"; credential="secret"; '
        'credential-type="password"',
    ]
    assert (await call(cleo.http, "DELETE", cleo.url + location)).status == 200
    async with page(cleo.url, {"token": cleo.token}, cleo.http) as owner:
        await owner.call("join", {"stream_id": stream["stream_id"]})
        entered = await owner.call("stage:enter", {})
        assert entered["ice_servers"] == [
            {"urls": "stun:stun.example"},
            {"urls": "turn:turn.example", "username": "user", "credential": "secret"},
        ]


async def test_viewers_are_told_of_ice_servers(cleo: User) -> None:
    stream = await cleo.stream()
    async with live(cleo, stream):
        watching = await call(
            cleo.http, "POST", stream["whep_url"], data=await offer("recvonly"), headers=SDP
        )
        assert len(watching.headers.getall("Link")) == 2
        assert (await call(cleo.http, "DELETE", cleo.url + check_created(watching))).status == 200


async def test_what_runs_elsewhere_is_not_offered(cleo: User) -> None:
    ready = await call(cleo.http, "GET", f"{cleo.url}/readyz")
    assert ready.json["roles"] == ROLES
    stream = await cleo.stream()
    assert stream["manifest_url"] is None
    path = f"/streams/{stream['stream_id']}"
    for each in ("manifest.m3u8", "dvr.m3u8", "recordings"):
        (await cleo.api("GET", f"{path}/{each}")).refused(404)
    async with live(cleo, stream):
        playback: dict[str, Any] = (await cleo.api("GET", f"{path}/playback")).json
        assert (playback["mode"], playback["manifest_url"]) == ("webrtc", None)


async def test_an_engine_alone(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with spillway(tmp_path, "--roles", "engine") as node:
        assert (await call(http, "GET", f"{node.url}/readyz")).json["roles"] == ["engine"]
        assert (await call(http, "OPTIONS", f"{node.url}/whip")).status == 200
        for path in ("/", "/api/v1/streams/discover", "/socket.io/?EIO=4&transport=websocket"):
            (await call(http, "GET", node.url + path)).refused(404, "not-found")
