"""A user of the HTTP interface, who knows the contract and nothing of the node's insides."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
from multidict import CIMultiDictProxy

from tests.interop.aiortc_peer import Publisher

__all__ = ["WITHIN_S", "Answer", "User", "at", "call", "live", "sign_up"]

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
WITHIN_S = 60.0
"""Patience with a busy machine; no measure of anything."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    def refused(self, status: int, name: str | None = None) -> dict[str, Any]:
        """The problem document, after a look at all that RFC 9457 says of it."""
        assert self.status == status, (self.status, self.body[:500])
        assert self.headers["Content-Type"].split(";")[0] == "application/problem+json"
        problem: dict[str, Any] = self.json
        assert problem["status"] == status
        assert problem["title"]
        assert re.fullmatch(r"/problems/[a-z0-9-]+", problem["type"])
        if name is not None:
            assert problem["type"] == f"/problems/{name}"
        return problem


async def call(
    http: aiohttp.ClientSession, method: str, url: str, token: str | None = None, **options: Any
) -> Answer:
    headers = dict(options.pop("headers", {}))
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with http.request(method, url, headers=headers, allow_redirects=False, **options) as response:
        return Answer(response.status, response.headers, await response.read())


def at(text: str) -> datetime:
    """A time of the interface: RFC 3339, UTC."""
    assert RFC_3339.fullmatch(text), text
    moment = datetime.fromisoformat(text)
    assert moment.utcoffset() == timedelta(0)
    return moment


class User:
    """An account; ``http`` and ``url`` are what ``aiortc_peer`` needs as well."""

    def __init__(self, http: aiohttp.ClientSession, url: str, name: str, account: dict[str, Any]) -> None:
        self.http = http
        self.url = url
        self.name = name
        self.account_id: str = account["account_id"]
        self.token: str = account["token"]

    async def api(self, method: str, path: str, body: object = None, **options: Any) -> Answer:
        """With the account's token, and ``body`` as JSON."""
        if body is not None:
            options["json"] = body
        options.setdefault("token", self.token)
        return await call(self.http, method, f"{self.url}/api/v1{path}", **options)

    async def stream(self, **members: object) -> dict[str, Any]:
        """A new stream, as its creation answers."""
        body = {"title": "Show", "category": "test", "record": False, **members}
        made = await self.api("POST", "/streams", body)
        assert made.status == 201, made.text
        stream: dict[str, Any] = made.json
        return stream

    async def see(self, stream_id: str) -> dict[str, Any]:
        seen = await self.api("GET", f"/streams/{stream_id}")
        assert seen.status == 200, seen.text
        stream: dict[str, Any] = seen.json
        return stream

    async def until(self, stream_id: str, status: str) -> dict[str, Any]:
        """The stream, once its status is that."""
        async with asyncio.timeout(WITHIN_S):
            while (stream := await self.see(stream_id))["status"] != status:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return stream

    async def post(self, path: str, sdp: str, key: str | None = None) -> tuple[str, str]:
        """Returns the answer and the session's URL."""
        headers = {"Content-Type": "application/sdp"}
        answer = await call(self.http, "POST", self.url + path, token=key, data=sdp, headers=headers)
        assert answer.status == 201, answer.text
        return answer.text, self.url + answer.headers["Location"]


async def sign_up(http: aiohttp.ClientSession, url: str) -> User:
    name = f"user-{uuid4().hex[:12]}"
    body = {"name": name, "password": "correct horse"}
    made = await call(http, "POST", f"{url}/api/v1/accounts", json=body)
    assert made.status == 201, made.text
    return User(http, url, name, made.json)


@asynccontextmanager
async def live(user: User, stream: dict[str, Any]) -> AsyncIterator[Publisher]:
    """The stream, live by WHIP."""
    publisher = Publisher()
    try:
        await publisher.start(user, stream["stream_key"])
        await user.until(stream["stream_id"], "live")
        yield publisher
    finally:
        await publisher.close()
