"""A full database: media goes on, refusals say why, and what happened is right once there is room."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest
from sqlalchemy import event, text

from signaling.clock import SystemClock
from signaling.errors import StartError
from signaling.node import Node, open_node
from signaling.settings import Settings
from signaling.store.interfaces import StoreFull
from signaling.store.records import StreamRecord
from tests.interop.aiortc_peer import Publisher, Viewer
from tests.interop.node_app import eventually
from tests.small_disk import disk_emptied, fill_up, small_disk

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MANY = 24
"""More rows than a page of the database holds."""


class Space(Protocol):
    async def fill(self, node: Node) -> None: ...

    async def free(self, node: Node) -> None: ...


class Pages:
    """SQLite's own limit of a file's pages (https://sqlite.org/pragma.html#pragma_max_page_count)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._most = 2**30

    async def fill(self, node: Node) -> None:
        """Until no title of a stream can be longer by a letter."""
        self._most = 1  # SQLite takes what there are for it
        event.listen(node.database.sync_engine, "begin", self._limit)
        async with node.database.connect() as connection:
            ids = list(await connection.scalars(text("SELECT stream_id FROM streams")))
        for stream_id in ids:
            for size in (256, 64, 16, 4, 1):
                while await self._grows(node, stream_id, size):
                    pass

    async def free(self, node: Node) -> None:
        self._most = 2**30

    def _limit(self, connection: Any) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={self._most}")

    async def _grows(self, node: Node, stream_id: str, size: int) -> bool:
        longer = text("UPDATE streams SET title = title || :more WHERE stream_id = :id")
        try:
            async with node.database.begin() as connection:
                await connection.execute(longer, {"more": "x" * size, "id": stream_id})
        except StoreFull:
            return False
        return True


class Disk:
    """A disk without a free byte. Only root can mount one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def fill(self, node: Node) -> None:
        fill_up(self.folder)

    async def free(self, node: Node) -> None:
        disk_emptied(self.folder)


@pytest.fixture(params=["pages", "disk"])
def space(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "pages":
        yield Pages(tmp_path)
        return
    with small_disk(tmp_path, 4) as disk:
        yield Disk(disk)


class Front:
    """The node's interface, as its owner uses it."""

    def __init__(self, node: Node, http: aiohttp.ClientSession) -> None:
        self.node = node
        self._http = http
        self._token = ""

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with self._http.request(method, self.node.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def sign_up(self) -> None:
        status, made = await self.call("POST", "/api/v1/accounts", {"name": "Ada", "password": "long enough"})
        assert status == 201
        self._token = made["token"]

    async def make_stream(self) -> tuple[int, Any]:
        return await self.call("POST", "/api/v1/streams", {"title": "A show", "category": "music"})

    async def post(self, path: str, sdp: str, key: str | None = None) -> tuple[str, str]:
        headers = {"Content-Type": "application/sdp"} | ({"Authorization": f"Bearer {key}"} if key else {})
        async with self._http.post(self.node.url + path, data=sdp, headers=headers) as answer:
            assert answer.status == 201, await answer.text()
            return await answer.text(), self.node.url + answer.headers["Location"]

    async def end(self, session: str) -> None:
        async with self._http.delete(session) as answer:
            assert answer.status == 200

    async def stream(self, stream_id: str) -> Any:
        return (await self.call("GET", f"/api/v1/streams/{stream_id}"))[1]

    async def stored(self, stream_id: str) -> StreamRecord:
        stream = await self.node.streams.get(stream_id)
        assert stream is not None
        return stream

    async def becomes(self, read: Callable[[str], Any], stream_id: str, status: str) -> None:
        async with asyncio.timeout(20):
            while True:
                stream = await read(stream_id)
                if (stream["status"] if isinstance(stream, dict) else stream.status) == status:
                    return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(data_dir: Path) -> AsyncIterator[Front]:
    settings = Settings(
        host="127.0.0.1",
        http_port=0,
        rtc_port=0,
        advertise_ip=["127.0.0.1"],
        data_dir=data_dir,
        roles=["api", "gateway", "engine"],
        rate_limits=False,
    )
    async with open_node(settings, SystemClock()) as node, aiohttp.ClientSession() as http:
        yield Front(node, http)


async def test_what_happens_meanwhile_is_right_afterwards(
    space: Any, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, viewer = Publisher(), Publisher(), Viewer()
    async with running(space.folder) as front:
        await front.sign_up()
        streams = [(await front.make_stream())[1] for _ in range(MANY)]
        ends, begins = streams[0], streams[1]
        session = await first.start(front, ends["stream_key"])
        await front.becomes(front.stored, ends["stream_id"], "live")
        await space.fill(front.node)
        try:
            status, refusal = await front.make_stream()
            assert (status, refusal["type"]) == (507, "/problems/insufficient-storage")
            path = f"/api/v1/streams/{ends['stream_id']}"
            assert (await front.call("PATCH", path, {"title": "y" * 200}))[0] == 507
            assert (await front.stream(ends["stream_id"]))["title"] != "y" * 200
            status, ready = await front.call("GET", "/readyz")
            assert (status, ready["status"]) == (200, "ready")
            assert [each for each in ready["degraded"] if each.startswith("database: full")]

            await front.end(session)
            await second.start(front, begins["stream_key"])
            await front.becomes(front.stream, ends["stream_id"], "ended")
            await front.becomes(front.stream, begins["stream_id"], "live")
            assert (await front.stored(ends["stream_id"])).status == "live"
            assert (await front.stored(begins["stream_id"])).status == "created"
            playback = (await front.call("GET", f"/api/v1/streams/{begins['stream_id']}/playback"))[1]
            assert playback["mode"] == "webrtc"
            await viewer.start(front, begins["stream_id"])
            await eventually(lambda: "video" in viewer.tracks)
            await viewer.frames("video", 5)
            told = [await front.stream(each["stream_id"]) for each in (ends, begins)]

            await space.free(front.node)
            await front.becomes(front.stored, ends["stream_id"], "ended")
            await front.becomes(front.stored, begins["stream_id"], "live")
            after = [await front.stream(each["stream_id"]) for each in (ends, begins)]
            times = ("status", "started_at", "ended_at")
            assert [[each[name] for name in times] for each in after] == [
                [each[name] for name in times] for each in told
            ]
            assert (await front.make_stream())[0] == 201
            assert not [
                each for each in (await front.call("GET", "/readyz"))[1]["degraded"] if "database" in each
            ]
        finally:
            for peer in (viewer, first, second):
                await peer.close()
    said = [each for each in caplog.records if each.name.startswith("spillway.st")]
    assert [each.levelno for each in said] == [logging.ERROR, logging.WARNING]
    assert not [each for each in caplog.records if each.exc_info]


async def test_a_node_on_a_full_disk_stops_and_says_why_it_does_not_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with small_disk(tmp_path, 4) as disk:
        async with running(disk) as front:
            await front.sign_up()
            stream_id = (await front.make_stream())[1]["stream_id"]
            await front.node.streams.went_live(stream_id, front.node.installation.node_id, NOON)
            fill_up(disk)
        said = [each.getMessage() for each in caplog.records if each.name.startswith("spillway.st")]
        assert len(said) == 2, "full, and what is left to the next start"
        refused = "data_dir: the database can't be written: database or disk is full"
        with pytest.raises(StartError, match=f"^{refused}$"):
            async with running(disk):
                pass
        disk_emptied(disk)
        async with running(disk) as front:
            assert (await front.stored(stream_id)).status == "ended"


async def test_a_first_start_on_a_full_disk_leaves_no_empty_secret(tmp_path: Path) -> None:
    with small_disk(tmp_path, 4) as disk:
        fill_up(disk)
        with pytest.raises(StartError, match=r"^data_dir: .*No space left on device"):
            async with running(disk):
                pass
        disk_emptied(disk)
        async with running(disk) as front:
            assert len(front.node.installation.secret) == 32
            assert len(front.node.installation.node_id) == 16
