from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hls_bridge.http1 import Fields, body_length, fields_of, may_be_request, response_head

BLOCK = b"Host: a\r\nUser-Agent: b c\r\naccept-encoding: br, gzip\r\nVia: 1.1 v\r\nX-Edge-Key: k"


def test_the_headers_of_a_player() -> None:
    assert fields_of(BLOCK) == Fields(gzip=True, close=False, proxied=True, agent="b c", edge_key="k")
    plain = Fields(gzip=False, close=False, proxied=False, agent="", edge_key="")
    assert fields_of(b"Host:a") == fields_of(b"host:\ta \r\nConnection: Keep-Alive") == plain
    close = fields_of(b"Host: a\r\nConnection: close")
    assert close is not None
    assert close.close
    latin = fields_of(b"Host: a\r\nUser-Agent: \xe4")
    assert latin is not None
    assert latin.agent == "\udce4"


@pytest.mark.parametrize(
    "line",
    [
        b"Range: bytes=0-1",
        b"Authorization: Bearer x",
        b"Content-Length: 0",
        b"Transfer-Encoding: chunked",
        b"Upgrade: h2c",
        b"Expect: 100-continue",
        b"Connection: upgrade",
        b"Host: b",
        b" folded: x",
        b"\tfolded",
        b"no colon",
        b"spa ce: x",
        b"space : x",
        b": x",
        b"x: a\nb: c",
        b"x: a\rb",
        b"x: \0",
        b"",
    ],
)
def test_what_is_not_plain(line: bytes) -> None:
    assert fields_of(b"Host: a\r\n" + line) is None


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (b"Host: a\r\n", 0),
        (b"", 0),
        (b"Content-Length: 12\r\n", 12),
        (b"content-length:0\r\nHost: a\r\n", 0),
        (b"Content-Length: +1\r\n", None),
        (b"Content-Length : 1\r\n", None),
        (b"Content-Length: 1\r\nContent-Length: 1\r\n", None),
        (b"X-Content-Length: 1\r\nContent-Length: 1\r\n", None),
        (b"Content-Length: 1, 1\r\n", None),
        (b"Content-Length: 1234567890123\r\n", None),
        (b"Transfer-Encoding: chunked\r\n", None),
        (b"Upgrade: websocket\r\n", None),
        (b"Expect: 100-continue\r\n", None),
        (b"X: a\r\n Content-Length: 1\r\n", None),
        (b"X: a\nContent-Length: 1\r\n", None),
        (b"X: a\rContent-Length: 1\r\n", None),
    ],
)
def test_where_a_request_ends(lines: bytes, length: int | None) -> None:
    assert body_length(b"POST /a HTTP/1.1\r\n" + lines + b"\r\n") == length
    assert body_length(b"POST /a HTTP/1.0\r\n" + lines + b"\r\n") is None


@pytest.mark.parametrize("data", [b"G", b"GET", b"GET ", b"GET /", b"OPTIONS * HTTP/1.1", b"PROPFIND /x"])
def test_the_start_of_a_request(data: bytes) -> None:
    assert may_be_request(data)


@pytest.mark.parametrize("data", [b"\x16\x03\x01", b"get /", b"PRI x", b"GET\t/", b"\r\nGET /", b"A" * 30])
def test_the_start_of_something_else(data: bytes) -> None:
    assert not may_be_request(data)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    fields_of(data)
    body_length(data)
    may_be_request(data)


def test_the_head_of_a_response() -> None:
    assert response_head(503, {"A": "b", "C": "d"}) == b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\nC: d\r\n"
