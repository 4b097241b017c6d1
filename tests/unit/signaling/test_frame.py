"""What holds for every route: problems, limits, CORS, headers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from signaling.http.access_log import masked
from signaling.http.origin import base_url_of, client_of
from signaling.node import Node, open_node
from tests.unit.signaling.conftest import Api, ManualClock, node_settings


@pytest.mark.parametrize(
    "path", ["/nothing", "/api/v1/nothing", "/api/v1/streams/x/y/z", "/assets/none.js", "/..%2fetc"]
)
async def test_unknown_paths(api: Api, path: str) -> None:
    answer = await api.call("GET", path)
    assert (answer.status, answer.problem) == (404, "not-found")


async def test_wrong_methods(api: Api) -> None:
    answer = await api.call("DELETE", "/api/v1/accounts")
    assert (answer.status, answer.problem) == (405, "method-not-allowed")
    assert answer.headers["Allow"] == "POST"
    answer = await api.call("PUT", "/api/v1/streams/x")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}
    assert (await api.call("PROPFIND", "/healthz")).status == 405


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff\xfe", b'{"a":NaN}', b"[" * 5000, b'{"name": "x"', b"1" * 5000, b"nul", b'{"a":1}x', b"'a'"],
)
async def test_bad_json(api: Api, body: bytes) -> None:
    answer = await api.call("POST", "/api/v1/accounts", data=body)
    assert (answer.status, answer.problem) == (400, "bad-json")


async def test_an_empty_body_is_an_empty_object(api: Api) -> None:
    answer = await api.call("POST", "/api/v1/accounts", data=b"")
    assert answer.problem == "invalid-request"
    assert [each["pointer"] for each in answer.json["errors"]] == ["/name", "/password"]


async def test_large_bodies(api: Api) -> None:
    answer = await api.call("POST", "/api/v1/accounts", data=b" " * 70_000)
    assert (answer.status, answer.problem, answer.json["limit"]) == (413, "body-too-large", 65536)

    async def chunks() -> Any:
        for _ in range(70):
            yield b" " * 1000

    answer = await api.call("POST", "/api/v1/accounts", data=chunks())
    assert (answer.status, answer.problem) == (413, "body-too-large")


async def raw(node: Node, request: bytes) -> bytes:
    host, port = node.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    await writer.drain()
    answer = await reader.read(65536)
    writer.close()
    return answer


async def test_a_body_that_does_not_come_times_out(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.http.body.BODY_S", 0.05)
    answer = await raw(node, b"POST /api/v1/accounts HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
    assert b"408 Request Timeout" in answer
    assert b"/problems/request-timeout" in answer


async def test_a_fault_tells_the_client_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the safe's combination")

    monkeypatch.setattr(api.node.streams, "get", broken)
    answer = await api.call("GET", "/api/v1/streams/x")
    assert (answer.status, answer.problem) == (500, "internal-error")
    assert b"combination" not in answer.content
    assert "combination" in caplog.text, "the operator is told"


async def test_health_readiness_and_metrics(api: Api, clock: ManualClock) -> None:
    assert (await api.call("GET", "/healthz")).json == {"status": "ok"}
    ready = await api.call("GET", "/readyz")
    assert ready.status == 200
    assert ready.json["status"] == "ready"
    assert ready.json["roles"] == ["api", "gateway"]
    await api.call("GET", "/api/v1/streams/secret-id")
    metrics = await api.call("GET", "/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = metrics.content.decode()
    assert (
        'spillway_http_requests_total{method="GET",route="/api/v1/streams/{stream_id}",status="404"} 1.0'
        in text
    )
    assert "secret-id" not in text
    for name in (
        "spillway_joins_total",
        "spillway_seats",
        "spillway_subscriptions",
        "spillway_tasks",
        "spillway_packets_sent_total",
        "spillway_bytes_sent_total",
        "spillway_packets_lost_total",
        "spillway_nack_received_total",
        "spillway_pli_sent_total",
        "spillway_forward_latency_seconds_sum",
        "spillway_event_loop_lag_seconds_count",
    ):
        assert f"\n{name} " in text


async def test_a_lost_database_makes_it_unready(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def connect(self) -> None:
            raise ConnectionError

    monkeypatch.setattr(api.node, "database", Gone())
    async with api.session.get(api.node.url + "/readyz") as answer:
        assert answer.status == 503
        assert "database: unreachable" in (await answer.json())["degraded"]


async def test_draining_is_unready(tmp_path: Path, clock: ManualClock) -> None:
    async with open_node(node_settings(tmp_path), clock) as node:
        node.state = "draining"
        assert (await node.probe())[0] == "draining"


async def test_cors_is_open_on_public_reads_only(api: Api) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    for path in (
        "/api/v1/streams/discover",
        "/api/v1/streams/x",
        "/api/v1/streams/x/playback",
        "/api/v1/openapi.json",
    ):
        answer = await api.call("GET", path, headers=origin)
        assert answer.headers["Access-Control-Allow-Origin"] == "*", path
        assert {"Location", "ETag", "Link"} <= set(
            answer.headers["Access-Control-Expose-Headers"].split(", ")
        )
        preflight = await api.call("OPTIONS", path, headers=origin | {"Access-Control-Request-Method": "GET"})
        assert preflight.status == 204
        assert preflight.headers["Access-Control-Allow-Methods"] == "GET, OPTIONS"
        assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    for method, path in (
        ("POST", "/api/v1/accounts"),
        ("POST", "/api/v1/tokens"),
        ("PATCH", "/api/v1/streams/x"),
    ):
        answer = await api.call(method, path, {}, headers=origin)
        assert "Access-Control-Allow-Origin" not in answer.headers
    answer = await api.call("OPTIONS", "/api/v1/accounts", headers=origin)
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_headers_of_every_answer(api: Api) -> None:
    for path in ("/healthz", "/api/v1/streams/discover", "/nothing"):
        headers = (await api.call("GET", path)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Server"] == "spillway"
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_tls_is_served_and_remembered(tmp_path: Path, clock: ManualClock) -> None:
    certificate, key = make_certificate(tmp_path)
    settings = node_settings(tmp_path / "data", tls_cert=certificate, tls_key=key)
    async with open_node(settings, clock) as node, aiohttp.ClientSession() as session:
        assert node.url.startswith("https://127.0.0.1:")
        async with session.get(node.url + "/healthz", ssl=False) as answer:
            assert answer.status == 200
            assert "max-age" in answer.headers["Strict-Transport-Security"]


def make_certificate(folder: Path) -> tuple[Path, Path]:
    import subprocess

    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def test_where_a_request_came_from() -> None:
    def base(forwarded: dict[str, str], host: str, secure: bool = False) -> str:
        return base_url_of(forwarded, host, ("127.0.0.1", 8080), secure=secure)

    assert base({}, "live.example.org:8080") == "http://live.example.org:8080"
    assert base({}, "[::1]:8080", True) == "https://[::1]:8080"
    assert base({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "live.example.org"}, "10.0.0.1") == (
        "https://live.example.org"
    )
    for nonsense in ("", "a b", "a/b", "a\r\nb", "x@y", "a" * 300, "javascript:alert(1)"):
        assert base({}, nonsense) == "http://127.0.0.1:8080"
    assert client_of("192.0.2.1") == "192.0.2.1"
    assert client_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert client_of("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
    assert client_of(None) == client_of("x") == "unknown"


async def test_forwarded_headers_count_from_trusted_proxies_only(tmp_path: Path, clock: ManualClock) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "live.example.org"}
    for trusted, base in ((["127.0.0.0/8"], "https://live.example.org"), (["10.0.0.0/8"], None)):
        settings = node_settings(tmp_path, trusted_proxies=trusted)
        async with open_node(settings, clock) as node, aiohttp.ClientSession() as session:
            api = Api(node, session)
            token = await api.sign_up(f"Ada{len(trusted[0])}")
            answer = await api.call(
                "POST", "/api/v1/streams", {"title": "a", "category": "b"}, token, headers=forwarded
            )
            assert answer.json["watch_url"].startswith(base or node.url)


def test_keys_are_masked_in_the_access_log() -> None:
    assert masked("/whip/sk_secret?slot=backup") == "/whip/***"
    assert masked("/whip/sessions/abc") == "/whip/sessions/***"
    assert masked("/whep/sessions/abc/encoding") == "/whep/sessions/***/encoding"
    assert masked("/whep/abc") == "/whep/abc"
    assert (
        masked("/api/v1/streams/abc/t/pt_secret/manifest.m3u8?x=1")
        == "/api/v1/streams/abc/t/***/manifest.m3u8"
    )
    assert masked("/hls/t/pt_secret/abc/b1/720p30.m3u8") == "/hls/t/***/abc/b1/720p30.m3u8"
    assert masked("/hls/auth/pt_secret/abc") == "/hls/auth/***/abc"
    assert masked("/api/v1/streams/abc") == "/api/v1/streams/abc"
