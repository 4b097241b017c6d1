"""Where the Program points, and when a stream is live."""

from __future__ import annotations

import asyncio

import pytest

from sfu.config import SfuConfig
from sfu.events import ProgramCodec, StreamEnded, StreamLive, StreamNotice
from sfu.media import Codec, ParticipantClosed, Source
from sfu.stream import Stream
from tests.unit.sfu.conftest import H264, Node
from tests.unit.sfu.waiting import eventually


def pointed(node: Node) -> dict[int, int | None]:
    """Where every alias points by the orders given so far."""
    return {order["alias"]: order["target"] for order in node.engine.named("point_alias")}


def tracks_of(node: Node, transport: int) -> dict[str, int]:
    return {t["kind"]: t["id"] for t in node.engine.named("add_track") if t["transport"] == transport}


def stream(node: Node) -> Stream:
    found = node.sfu.router.get("show")
    assert found is not None
    return found


def shows(node: Node, transport: int) -> bool:
    program = stream(node).program
    tracks = tracks_of(node, transport)
    return pointed(node) == {program.audio.track_id: tracks["audio"], program.video.track_id: tracks["video"]}


async def test_it_is_the_hosts_own_tracks(node: Node) -> None:
    await node.go_live()
    assert shows(node, node.transports()[0])
    codecs = [event.codec for event in node.events if isinstance(event, ProgramCodec)]
    assert [codec.name for codec in codecs] == ["opus", "H264"]
    assert codecs[1].fmtp == {"packetization-mode": "1"}


async def test_the_sound_is_pointed_behind_its_picture(node: Node) -> None:
    await node.go_live()
    program = stream(node).program
    orders = [(order["alias"], order["picture"]) for order in node.engine.named("point_alias")]
    assert orders[-2:] == [
        (program.video.track_id, None),
        (program.audio.track_id, program.video.track_id),
    ]


async def test_live_with_the_first_media_only(node: Node) -> None:
    await node.whip()
    assert not stream(node).live
    await node.push("flowing", tracks_of(node, node.transports()[0])["video"], "", H264, 1)
    assert stream(node).live
    assert node.events.count(StreamLive("show")) == 1


async def test_same_key_takes_over_and_viewers_stay(node: Node) -> None:
    first = await node.go_live()
    viewer = await node.whep()
    await node.push("connected", node.transports()[-1])
    await node.go_live()
    old = await node.client.delete(first.headers["Location"])
    assert (old.status, (await old.json())["reason"]) == (410, "replaced")
    assert shows(node, node.transports()[-1])
    assert stream(node).viewers == 1
    assert [n.type for n in node.events if isinstance(n, StreamNotice)] == ["replaced"]
    assert not [event for event in node.events if isinstance(event, StreamEnded)]
    await node.pass_time(node.sfu.config.grace_s)
    assert stream(node).live
    assert (await node.client.delete(viewer.headers["Location"])).status == 200


async def test_two_requests_at_once_leave_one_session(node: Node) -> None:
    responses = await asyncio.gather(*(node.whip() for _ in range(4)))
    assert [response.status for response in responses] == [201] * 4
    assert len(node.sfu.sessions) == 1
    assert len(stream(node).participants) == 1


async def test_backup_takes_over_and_gives_back(node: Node) -> None:
    await node.go_live()
    primary = node.transports()[-1]
    await node.go_live(query="?slot=backup")
    backup = node.transports()[-1]
    assert shows(node, primary)
    video = tracks_of(node, primary)["video"]
    await node.push("idle", video, "")
    assert shows(node, backup)
    assert stream(node).program.active_slot == "backup"
    await node.push("flowing", video, "", H264, 1)
    assert shows(node, primary)
    await node.push("closed", primary, "consent")
    assert shows(node, backup)
    assert stream(node).live


async def test_silence_of_both_changes_nothing(node: Node) -> None:
    await node.go_live()
    primary = node.transports()[-1]
    await node.push("idle", tracks_of(node, primary)["audio"], "")
    await node.push("idle", tracks_of(node, primary)["video"], "")
    assert shows(node, primary)
    assert stream(node).live


@pytest.mark.parametrize("config", [SfuConfig(advertise_ip=("192.0.2.7",), grace_s=60)])
async def test_a_publisher_may_come_back_within_the_grace_period(node: Node) -> None:
    await node.go_live()
    await node.whep()
    await node.push("connected", node.transports()[-1])
    await node.push("closed", node.transports()[0], "bye")
    assert stream(node).live
    await node.go_live()
    assert shows(node, node.transports()[-1])
    assert node.events.count(StreamLive("show")) == 1
    assert stream(node).viewers == 1
    await node.push("closed", node.transports()[-1], "consent")
    assert stream(node).live
    await node.pass_time(60)
    await eventually(lambda: node.sfu.router.get("show") is None)
    assert StreamEnded("show", "gone") in node.events
    assert node.sfu.seats.total == 0


async def test_pointed_elsewhere_and_back(node: Node) -> None:
    await node.go_live()
    mixer = stream(node).join("mixer")
    injector = await mixer.publish("video", Codec("H264", 90000, fmtp={"packetization-mode": "1"}))
    track = mixer.tracks[injector.track_id]
    program = stream(node).program
    stream(node).point_program(None, track)
    assert pointed(node) == {program.audio.track_id: None, program.video.track_id: injector.track_id}
    await node.push("idle", tracks_of(node, node.transports()[0])["video"], "")
    assert pointed(node)[program.video.track_id] == injector.track_id
    stream(node).follow_publisher()
    assert shows(node, node.transports()[0])
    await mixer.close()


async def test_revoking_the_key_closes_publishers_and_keeps_viewers(node: Node) -> None:
    publisher = await node.go_live()
    await node.whep()
    await node.push("connected", node.transports()[-1])
    await stream(node).close_publishers("revoked")
    gone = await node.client.delete(publisher.headers["Location"])
    assert (await gone.json())["reason"] == "revoked"
    assert stream(node).viewers == 1


async def test_tap_and_inject(node: Node) -> None:
    await node.go_live()
    participant = stream(node).join("bridge")
    with pytest.raises(LookupError):
        await participant.tap(Source(999, "video"))
    tap = await participant.tap(stream(node).program.video)
    packet = (7, 9000, True, b"\x65", 123, None)
    node.engine.tap_items[tap.tap_id] = [
        ("report", "", 1, 42, 9000, 100),
        ("packets", "", 1, H264, [packet, packet]),
        ("packets", "", 2, H264, [packet]),
        ("ended",),
    ]
    await node.push("tap-readable", tap.tap_id)
    batches = [batch async for batch in tap]
    assert [(b.generation, len(b.packets)) for b in batches] == [(1, 2), (2, 1)]
    assert batches[0].report is not None
    assert (batches[0].report.ntp, batches[0].codec.name) == (42, "H264")
    assert batches[1].report is None
    assert node.engine.named("close_tap") == [{"tap": tap.tap_id}]

    injector = await participant.publish("audio", Codec("opus", 48000, 2))
    waiting = asyncio.create_task(injector.keyframe_requests())
    await node.push("keyframe-needed", injector.track_id, "")
    assert await waiting == ""
    waiting = asyncio.create_task(injector.keyframe_requests())
    await participant.close()
    with pytest.raises(ParticipantClosed):
        await waiting
    with pytest.raises(ParticipantClosed):
        await participant.tap(stream(node).program.video)
    assert {"track": injector.track_id} in node.engine.named("remove_track")
