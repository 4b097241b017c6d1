"""Reads a request's body, at most so much of it and for at most so long."""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from signaling.problems import problem

__all__ = ["read_body", "read_json"]

BODY_S = 10.0
"""64 kB in ten seconds is what a phone on a bad line still does."""


async def read_body(request: web.Request, limit: int, within_s: float = BODY_S) -> bytes:
    """Raises Problem ``body-too-large`` or ``request-timeout``."""
    if (request.content_length or 0) > limit:
        raise problem("body-too-large", f"At most {limit} bytes.", limit=limit)
    body = bytearray()
    try:
        async with asyncio.timeout(within_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise problem("body-too-large", f"At most {limit} bytes.", limit=limit)
    except TimeoutError:
        raise problem("request-timeout", f"The body did not come within {within_s:.0f} s.") from None
    return bytes(body)


async def read_json(request: web.Request, limit: int) -> object:
    """The body as JSON; an empty one is an empty object. Raises Problem."""
    body = await read_body(request, limit)
    if not body.strip():
        return {}
    try:
        return json.loads(body.decode(), parse_constant=_refuse)
    except UnicodeDecodeError:
        raise problem("bad-json", "The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise problem("bad-json", f"{error.msg}, line {error.lineno} column {error.colno}.") from None
    except (ValueError, RecursionError):
        # Numbers of thousands of digits, NaN, a thousand brackets.
        raise problem("bad-json", "A value that is no JSON, or nested too deep.") from None


def _refuse(constant: str) -> None:
    raise ValueError(constant)
