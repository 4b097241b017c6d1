"""The part of HTTP/1.1 (RFC 9112) that a connection needs to know where a request ends and what a player's
request says; pure. Whatever is not plain is left to a whole implementation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus

__all__ = ["HEAD_LIMIT", "Fields", "body_length", "fields_of", "may_be_request", "response_head"]

HEAD_LIMIT = 32 * 1024
"""Bytes of request line and headers; nginx takes as many by default."""

_METHOD = re.compile(rb"[A-Z]{1,20}(?: (?:/|\*|$)|$)")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(rb"\r\ncontent-length: ?([0-9]{1,12})\r\n")
_UNSEEN = re.compile(rb"[\x00-\x08\n-\x1f\x7f]")
"""Control characters: in a line that was cut out between CRLFs there may be none but HTAB."""

_OTHERS = frozenset(
    b"authorization content-length expect http2-settings range te trailer transfer-encoding upgrade".split()
)
"""Fields that make a request more than a player's plain GET."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What the headers of a plain GET say that makes a difference."""

    gzip: bool
    close: bool
    proxied: bool
    """It has a ``Via``: the client is behind a cache."""
    agent: str
    edge_key: str


def may_be_request(data: bytes) -> bool:
    """Whether ``data``, the start of a request, looks like one of HTTP/1."""
    return _METHOD.match(data[:24]) is not None


@lru_cache(1024)
def fields_of(block: bytes) -> Fields | None:
    """The header lines of a GET, without the empty one at the end; None for what isn't plain."""
    values: dict[bytes, bytes] = {}
    for line in block.split(b"\r\n") if block else ():
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or name in _OTHERS or not _NAME.fullmatch(name) or _UNSEEN.search(value):
            return None
        if name == b"host" and name in values:
            return None
        values.setdefault(name, value.strip(b" \t"))
    connection = values.get(b"connection", b"").lower()
    if b"host" not in values or connection not in (b"", b"keep-alive", b"close"):
        return None
    return Fields(
        gzip=b"gzip" in values.get(b"accept-encoding", b""),
        close=connection == b"close",
        proxied=b"via" in values,
        agent=values.get(b"user-agent", b"").decode("utf-8", "surrogateescape"),
        edge_key=values.get(b"x-edge-key", b"").decode("utf-8", "surrogateescape"),
    )


def body_length(head: bytes) -> int | None:
    """Bytes of body behind a head (which ends in its empty line).

    None: only a whole implementation can tell, and all that follows on the connection is its. Strict, for two
    that disagree on where a request ends would answer the wrong one (RFC 9112 section 11.2).
    """
    lower = head.lower()
    if b" http/1.1\r\n" not in lower or b"\r\n " in head or b"\r\n\t" in head:
        return None
    if head.count(b"\n") != head.count(b"\r\n") or head.count(b"\r") != head.count(b"\r\n"):
        return None
    if b"transfer-encoding" in lower or b"\r\nupgrade" in lower or b"\r\nexpect" in lower:
        return None
    if b"content-length" not in lower:
        return 0
    length = _LENGTH.search(lower)
    return int(length[1]) if length is not None and lower.count(b"content-length") == 1 else None


def response_head(status: int, headers: Mapping[str, str]) -> bytes:
    """Status line and headers, without the empty line."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}".encode("latin-1")
