"""WHEP over HTTP, the engine left out."""

from __future__ import annotations

import pytest

from sfu.config import SfuConfig
from sfu.events import StreamEnded, ViewersChanged
from sfu.pending import Pending, TooManyPending
from tests.unit.sfu.conftest import Node
from tests.unit.sfu.offers import offer
from tests.unit.sfu.waiting import eventually


async def test_created_with_subscriptions_to_the_program(node: Node) -> None:
    await node.go_live()
    response = await node.whep()
    assert response.status == 201
    audio, video = node.engine.named("add_subscription")
    program = node.sfu.router.open("show").program
    assert (audio["source"], video["source"]) == (program.audio.track_id, program.video.track_id)
    answer = await response.text()
    assert f"a=ssrc-group:FID {video['ssrc']} {video['rtx_ssrc']}\r\n" in answer
    assert "a=msid:program program-video\r\n" in answer
    assert {codec["name"] for codec in video["codecs"]} == {"H264", "VP8", "VP9", "AV1"}
    assert all(codec["rtx_payload_type"] for codec in video["codecs"])


async def test_unknown_stream_and_not_live(node: Node) -> None:
    headers = {"Content-Type": "application/sdp"}
    response = await node.client.post("/whep/other", data=offer("chromium-watch"), headers=headers)
    assert (response.status, (await response.json())["type"]) == (404, "/problems/stream-not-found")
    response = await node.whep()
    assert (response.status, (await response.json())["type"]) == (409, "/problems/stream-not-live")
    await node.whip()
    assert (await node.whep()).status == 409
    response = await node.client.post("/whep/show", data="v=0", headers=headers)
    assert response.status == 400


async def test_codec_that_the_program_does_not_give(node: Node) -> None:
    await node.go_live()
    response = await node.whep("firefox-watch")
    document = await response.json()
    assert (response.status, document["type"]) == (406, "/problems/no-common-codec")
    assert document["manifest_url"] == "https://cdn.example/show.m3u8"
    assert document["accepted"] == ["H264"]
    assert "VP8" in document["offered"]
    assert node.sfu.seats.total == 0


@pytest.mark.parametrize(
    "config", [SfuConfig(advertise_ip=("192.0.2.7",), seats_per_stream=2, seat_hold_s=60)]
)
async def test_seats_are_held_from_the_post_and_given_back(node: Node) -> None:
    await node.go_live()
    assert [(await node.whep()).status for _ in range(2)] == [201, 201]
    await node.push("connected", node.transports()[-1])
    full = await node.whep()
    document = await full.json()
    assert (full.status, document["type"]) == (503, "/problems/no-seat")
    assert document["manifest_url"] == "https://cdn.example/show.m3u8"
    assert node.sfu.seats.taken("show") == 2
    await node.pass_time(60)
    await eventually(lambda: node.sfu.seats.taken("show") == 1)
    assert (await node.whep()).status == 201


async def test_seats_of_the_node(config: SfuConfig, node: Node) -> None:
    node.sfu.seats.per_node = 1
    await node.go_live()
    assert [(await node.whep()).status for _ in range(2)] == [201, 503]


@pytest.mark.parametrize(
    "config", [SfuConfig(advertise_ip=("192.0.2.7",), pending_per_address=2, seat_hold_s=60)]
)
async def test_sessions_before_media_are_bounded_per_address(node: Node) -> None:
    await node.go_live()
    assert [(await node.whep()).status for _ in range(2)] == [201, 201]
    refused = await node.whep()
    document = await refused.json()
    assert (refused.status, document["type"]) == (429, "/problems/too-many-connections")
    assert document["limit"] == 2
    assert document["manifest_url"] == "https://cdn.example/show.m3u8"
    assert int(refused.headers["Retry-After"]) > 0
    assert node.sfu.seats.taken("show") == 2
    await node.push("connected", node.transports()[-1])
    await node.push("connected", node.transports()[-1])
    assert [(await node.whep()).status for _ in range(2)] == [201, 429]
    await node.pass_time(60)
    await eventually(lambda: node.sfu.seats.taken("show") == 1)  # but for who connected, all were let go
    assert [(await node.whep()).status for _ in range(3)] == [201, 201, 429]


def test_as_many_as_a_stream_has_seats_may_come_from_one_address() -> None:
    config = SfuConfig()
    pending = Pending(config.pending_per_address)
    waiting = [pending.enter("192.0.2.1") for _ in range(config.seats_per_stream)]
    for place in (*waiting, *waiting):
        place.release()
    for _ in range(config.seats_per_stream):
        pending.enter("192.0.2.1")
    with pytest.raises(TooManyPending):
        pending.enter("192.0.2.1")
    pending.enter("192.0.2.2")


async def test_viewers_are_counted_when_their_media_path_stands(node: Node) -> None:
    await node.go_live()
    response = await node.whep()
    assert node.sfu.router.open("show").viewers == 0
    viewer = node.transports()[-1]
    await node.push("connected", viewer)
    await node.push("connected", viewer)
    await node.push("closed", viewer, "consent")
    counts = [event.webrtc for event in node.events if isinstance(event, ViewersChanged)]
    assert counts == [1, 0]
    assert node.sfu.seats.total == 0
    gone = await node.client.delete(response.headers["Location"])
    assert (gone.status, (await gone.json())["reason"]) == (410, "consent")


async def test_encoding(node: Node) -> None:
    await node.go_live("chromium-simulcast")
    url = (await node.whep()).headers["Location"] + "/encoding"
    for rid in ("m", "auto"):
        assert (await node.client.put(url, json={"rid": rid})).status == 204
    video = node.engine.named("add_subscription")[1]["id"]
    assert [(o["subscription"], o["encoding"]) for o in node.engine.named("set_encoding")] == [
        (video, "m"),
        (video, "auto"),
    ]
    unknown = await node.client.put(url, json={"rid": "x"})
    assert (unknown.status, (await unknown.json())["encodings"]) == (400, ["h", "m", "l", "auto"])
    for body in ("{}", "[]", "nonsense", '{"rid": 1}', "[" * 1024):
        bad = await node.client.put(url, data=body, headers={"Content-Type": "application/json"})
        assert (bad.status, (await bad.json())["type"]) == (400, "/problems/bad-request")


async def test_end_closes_every_viewer(node: Node) -> None:
    publisher = await node.go_live()
    viewer = await node.whep()
    await node.client.delete(publisher.headers["Location"])
    assert node.events[-1] == StreamEnded("show", "stopped")
    assert (await node.client.delete(viewer.headers["Location"])).status == 410
    assert node.sfu.seats.total == 0
    assert len(node.sfu.router) == 0
    assert {order["alias"] for order in node.engine.named("remove_alias")} == {
        order["id"] for order in node.engine.named("open_alias")
    }
