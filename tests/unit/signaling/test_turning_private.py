"""Rights that are taken away while they are used, in front of an engine that is fake."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import signaling.engine
from sfu.config import SfuConfig
from sfu.node import Sfu
from signaling.node import Node, open_node
from signaling.store.records import StreamRecord
from tests.unit.sfu.conftest import H264
from tests.unit.sfu.fake_engine import FakeEngine
from tests.unit.sfu.offers import offer
from tests.unit.signaling.conftest import Api, ManualClock, node_settings

SDP = {"Content-Type": "application/sdp"}


class FakeMedia(FakeEngine):
    """With the counters that the node's metrics read."""

    def worker_stats(self) -> list[dict[str, int]]:
        return []

    def track_totals(self) -> dict[str, int]:
        return Counter()

    def subscription_totals(self) -> dict[str, int]:
        return Counter()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeMedia:
    """Of the next node."""
    engine = FakeMedia()
    monkeypatch.setattr(
        signaling.engine, "Sfu", lambda _, now: Sfu(SfuConfig(host=("127.0.0.1",)), engine=engine)
    )
    return engine


async def test_viewers_leave_and_only_those_who_may_come_again(
    tmp_path: Path, clock: ManualClock, engine: FakeMedia
) -> None:
    settings = node_settings(tmp_path, roles=["api", "gateway", "engine"], rtc_port=0)
    async with open_node(settings, clock) as node, aiohttp.ClientSession() as session:
        api = Api(node, session)
        token = await api.sign_up()
        made = await api.make_stream(token)
        path = f"/api/v1/streams/{made['stream_id']}"
        await go_live(node, session, engine, made)
        watching = await watch(node, session, made["stream_id"])
        assert watching.status == 201
        answer = await api.call("PATCH", path, {"visibility": "private"}, token)
        assert answer.status == 200
        gone = await api.call("DELETE", watching.headers["Location"])
        assert (gone.status, gone.json["reason"]) == (410, "private")
        assert (await watch(node, session, made["stream_id"])).status == 401
        again = await watch(node, session, made["stream_id"], token)
        assert again.status == 201
        await api.call("PATCH", path, {"visibility": "private", "title": "Other"}, token)
        assert (await api.call("DELETE", again.headers["Location"])).status == 200


async def test_a_key_that_ends_while_the_store_answers_publishes_no_more(
    tmp_path: Path, clock: ManualClock, engine: FakeMedia, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = node_settings(tmp_path, roles=["api", "gateway", "engine"], rtc_port=0)
    async with open_node(settings, clock) as node, aiohttp.ClientSession() as session:
        api = Api(node, session)
        token = await api.sign_up()
        made = await api.make_stream(token)
        path, get = f"/api/v1/streams/{made['stream_id']}", node.streams.get

        async def get_late(stream_id: str) -> StreamRecord | None:
            found = await get(stream_id)
            monkeypatch.setattr(node.streams, "get", get)
            assert (await api.call("POST", f"{path}/key", token=token)).status == 200
            return found

        monkeypatch.setattr(node.streams, "get", get_late)
        headers = SDP | {"Authorization": f"Bearer {made['stream_key']}"}
        refused = await api.call("POST", "/whip", data=offer("chromium-publish"), headers=headers)
        assert refused.problem == "wrong-key"


async def go_live(
    node: Node, session: aiohttp.ClientSession, engine: FakeEngine, made: dict[str, Any]
) -> None:
    headers = SDP | {"Authorization": f"Bearer {made['stream_key']}"}
    async with session.post(f"{node.url}/whip", data=offer("chromium-publish"), headers=headers) as answer:
        assert answer.status == 201
    track = next(each for each in engine.named("add_track") if each["kind"] == "video")
    engine.push("flowing", track["id"], "", H264, 1)
    await asyncio.sleep(0.05)


async def watch(
    node: Node, session: aiohttp.ClientSession, stream_id: str, token: str | None = None
) -> aiohttp.ClientResponse:
    headers = SDP | ({"Authorization": f"Bearer {token}"} if token else {})
    url = f"{node.url}/whep/{stream_id}"
    async with session.post(url, data=offer("chromium-watch"), headers=headers) as answer:
        return answer
