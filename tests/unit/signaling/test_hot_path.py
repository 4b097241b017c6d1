"""Players' requests pass the application by; to them, in the metrics and in the log nobody can tell."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import signaling.engine
import signaling.serving
from hls_bridge.origin import Origin
from hls_bridge.part import EpochStart, Part, PartGroup, TrackSpec
from sfu.config import SfuConfig
from sfu.node import Sfu
from signaling.http.connections import with_hot_path
from signaling.node import open_node
from tests.unit.signaling.conftest import Api, ManualClock, node_settings
from tests.unit.signaling.test_turning_private import FakeMedia

VIDEO = TrackSpec("720p30", "video", "avc1.64001F", 2_750_000, b"init", 1280, 720, 30)
COUNTED = re.compile(r'spillway_http_requests_total{method="GET",route="/hls/{rest}",status="200"} (\S+)')


async def test_a_node_answers_players(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    origins: list[Origin] = []

    def with_seen_origin(runner: Any, origin: Origin, *args: Any, **kwargs: Any) -> Any:
        origins.append(origin)
        return with_hot_path(runner, origin, *args, **kwargs)

    monkeypatch.setattr(signaling.serving, "with_hot_path", with_seen_origin)
    engine = FakeMedia()
    monkeypatch.setattr(
        signaling.engine, "Sfu", lambda _, **kwargs: Sfu(SfuConfig(host=("127.0.0.1",)), engine=engine)
    )
    roles = ["api", "gateway", "engine", "origin", "bridge"]
    settings = node_settings(tmp_path, roles=roles, rtc_port=0, access_log=True)
    caplog.set_level(logging.INFO, "spillway.access")
    async with open_node(settings, clock) as node, aiohttp.ClientSession() as session:
        [origin] = origins
        api = Api(node, session)
        owner = await api.sign_up()
        stream_id = (await api.make_stream(owner, visibility="private"))["stream_id"]
        origin.begin(stream_id, "b1", record=False)
        origin.handle_event(stream_id, EpochStart((VIDEO,), 0))
        part = Part("720p30", 0, 0, 0, 333_333, True, False, b"part")
        origin.handle_event(stream_id, PartGroup((part,)))
        token = node.playback_tokens.issue(stream_id, clock.now() + timedelta(minutes=1))
        for path in (
            f"/hls/t/{token}/{stream_id}/b1/720p30.m3u8",
            f"/hls/t/{token}/{stream_id}/b1/720p30/0.0.m4s",
        ):
            found = []
            for more in ({"Authorization": "Bearer none"}, {}):
                async with session.get(node.url + path, headers=more) as answer:
                    headers = {name: value for name, value in answer.headers.items() if name != "Date"}
                    found.append((answer.status, await answer.read(), headers))
            assert found[0] == found[1]
            assert found[0][0] == 200
        assert (await api.call("GET", path.replace(token, token + "x"))).status == 403
        count = 0.0
        async with asyncio.timeout(20):
            while count < 4:
                counted = COUNTED.search((await api.call("GET", "/metrics")).content.decode())
                count = float(counted[1]) if counted else 0.0
                await asyncio.sleep(0.05)
        assert count == 4
    logged = [record.getMessage() for record in caplog.records if record.name == "spillway.access"]
    hls = [re.sub(r"\d+ ms", "N ms", line) for line in logged if "/hls/" in line and "403" not in line]
    assert len(hls) == 4
    assert hls[0::2] == hls[1::2], "the log can't tell either"
    assert re.sub(r"\d+ B", "N B", hls[3]) == f"GET /hls/t/***/{stream_id}/b1/720p30/0.0.m4s 200 N B N ms"
    assert token not in caplog.text
