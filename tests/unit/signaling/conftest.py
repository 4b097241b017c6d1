from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from signaling.node import Node, open_node
from signaling.settings import Settings
from signaling.store.database import open_database
from tests.postgres import Unavailable, postgres_server


class ManualClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.at = datetime(2030, 1, 1, 12, tzinfo=UTC)
        self.monotonic = 1000.0

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.monotonic

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.monotonic += seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    try:
        with postgres_server() as url:
            yield url
    except Unavailable as reason:
        pytest.skip(f"PostgreSQL: {reason}")


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An empty, migrated database of each kind."""
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres")
    engine = await open_database(url, tmp_path)
    yield engine
    if url is not None:
        async with engine.begin() as connection:
            await connection.execute(text("DROP SCHEMA public CASCADE"))
            await connection.execute(text("CREATE SCHEMA public"))
    await engine.dispose()


class Api:
    """A client of a node's HTTP interface that checks what every answer must have."""

    def __init__(self, node: Node, session: aiohttp.ClientSession) -> None:
        self.node = node
        self.session = session

    async def call(
        self, method: str, path: str, body: object = None, token: str | None = None, **options: Any
    ) -> Answer:
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        if body is not None:
            options["json"] = body
        async with self.session.request(
            method, self.node.url + path, headers=headers, allow_redirects=False, **options
        ) as response:
            content = await response.read()
            answer = Answer(response.status, response.headers, content)
            if response.status >= 400:
                assert response.content_type == "application/problem+json", content
                problem = answer.json
                assert problem["type"].startswith("/problems/")
                assert problem["status"] == response.status
                assert isinstance(problem["title"], str)
            return answer

    async def sign_up(self, name: str = "Ada") -> str:
        answer = await self.call("POST", "/api/v1/accounts", {"name": name, "password": "correct horse"})
        assert answer.status == 201
        token: str = answer.json["token"]
        return token

    async def make_stream(self, token: str, **values: object) -> dict[str, Any]:
        body = {"title": "A title", "category": "music"} | values
        answer = await self.call("POST", "/api/v1/streams", body, token)
        assert answer.status == 201, answer.json
        stream: dict[str, Any] = answer.json
        return stream


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def problem(self) -> str:
        name: str = self.json["type"].removeprefix("/problems/")
        return name


def node_settings(data_dir: Path, **values: object) -> Settings:
    """A node without media."""
    return Settings(
        **(
            {"host": "127.0.0.1", "http_port": 0, "data_dir": data_dir, "roles": ["api", "gateway"]} | values  # type: ignore[arg-type]
        )
    )


@pytest.fixture
async def node(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Node]:
    async with open_node(node_settings(tmp_path), clock) as running:
        yield running


@pytest.fixture
async def api(node: Node) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession() as session:
        yield Api(node, session)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another task or the other end of a socket does."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - nobody there sets an event
            await asyncio.sleep(0.01)
