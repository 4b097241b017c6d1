"""The stage's rules, on a fake engine."""

from __future__ import annotations

from typing import Any

import pytest

from sfu.events import StageChanged, StreamNotice
from sfu.host import StageHost
from sfu.participant import Participant, Role
from sfu.sdp.offer import SdpError
from sfu.stage import NotOnStage, StageFull
from sfu.stream import Stream
from tests.unit.sfu.conftest import H264, OPUS, Node
from tests.unit.sfu.offers import offer


def join(stream: Stream, name: str, role: Role = "host", *, owner: bool = False) -> Participant:
    return stream.join(role, participant_id=name, name=name, owner=owner)


async def send(node: Node, host: Participant, first_id: int) -> None:
    """Two tracks of a host, with media."""
    host.add_track(first_id, "audio", (), "microphone")
    host.add_track(first_id + 1, "video", (), "camera")
    await node.push("flowing", first_id, "", OPUS, 1)
    await node.push("flowing", first_id + 1, "", H264, 2)


def shown(stream: Stream) -> list[str | None]:
    tracks = [stream.program.track("audio"), stream.program.track("video")]
    return [track.participant_id if track is not None else None for track in tracks]


async def test_the_only_host_who_sends_is_the_program(node: Node) -> None:
    stream = node.sfu.router.open("show")
    ada, bob = join(stream, "ada", owner=True), join(stream, "bob")
    assert shown(stream) == [None, None]
    await send(node, bob, 1000)
    assert shown(stream) == ["bob", "bob"]
    assert stream.live
    await send(node, ada, 2000)
    # no mixer yet: who is seen stays
    assert shown(stream) == ["bob", "bob"]
    await bob.close()
    assert shown(stream) == ["ada", "ada"]
    await ada.close()


async def test_the_mixer_is_shown_while_two_send_and_the_lead_when_it_dies(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sfu.stage.MIXER_SETTLE_S", 0)
    stream = node.sfu.router.open("show")
    ada, bob = join(stream, "ada", owner=True), join(stream, "bob")
    await send(node, ada, 1000)
    await send(node, bob, 2000)
    mixer = join(stream, "mixer", "mixer")
    mixer.add_track(3000, "audio", (), "mixer")
    mixer.add_track(3001, "video", ("h", "l"), "mixer")
    await node.push("flowing", 3000, "", OPUS, 1)
    assert shown(stream) == ["ada", "ada"]
    await node.push("flowing", 3001, "h", H264, 2)
    assert shown(stream) == ["mixer", "mixer"]
    assert stream.stage.mixed
    await mixer.close()
    assert shown(stream) == ["ada", "ada"]
    # and follows who speaks until there is a mixer again
    for number in range(20):
        node.engine.track_statistics[2000] = {"packets": number, "audio_level": 10_000}
        node.engine.track_statistics[1000] = {"packets": number, "audio_level": 0}
        stream.stage.poll_levels(number * 150_000)
    assert stream.stage.speaker == "bob"
    assert shown(stream) == ["bob", "bob"]
    for host in (ada, bob):
        await host.close()


async def test_a_muted_host_is_not_in_the_program_and_the_broadcast_goes_on(node: Node) -> None:
    stream = node.sfu.router.open("show")
    ada = join(stream, "ada", owner=True)
    await send(node, ada, 1000)
    stream.stage.control("ada", audio_muted=True, video_muted=True)
    assert shown(stream) == [None, None]
    assert stream.has_source
    stream.stage.control("ada", audio_muted=False, video_muted=False, gain_db=-3.0)
    assert shown(stream) == ["ada", "ada"]
    assert stream.stage.controls("ada").gain_db == -3.0
    with pytest.raises(NotOnStage):
        stream.stage.control("bob", audio_muted=True)
    assert StageChanged("show") in node.events
    await ada.close()


async def test_one_place_is_kept_for_the_owner(node: Node) -> None:
    stream = node.sfu.router.open("show")
    stage, limit = stream.stage, node.sfu.config.hosts_per_stage
    guests = [join(stream, f"guest {number}") for number in range(limit - 1)]
    with pytest.raises(StageFull) as full:
        stage.check_room(owner=False, participant_id="one more")
    assert full.value.limit == limit
    stage.check_room(owner=True, participant_id="owner")
    stage.check_room(owner=False, participant_id="guest 3")
    for guest in guests:
        await guest.close()


async def test_hosts_stay_on_stage_when_the_broadcast_ends(node: Node) -> None:
    stream = node.sfu.router.open("show")
    ada = join(stream, "ada", owner=True)
    await send(node, ada, 1000)
    for track_id in list(ada.tracks):
        ada.remove_track(track_id)
    await stream.end("gone")
    assert not ada.closed
    await send(node, ada, 2000)
    assert stream.live
    await stream.end("deleted")
    assert ada.closed
    assert len(node.sfu.router) == 0


@pytest.mark.parametrize("sdp", ["", "v=0\r\n", "garbage", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"])
async def test_garbage_is_refused_and_the_host_stays(node: Node, sdp: str) -> None:
    stream = node.sfu.router.open("show")
    host = StageHost(node.sfu, join(stream, "ada"))
    for attempt in (host.publish, host.subscribe):
        offer: Any = attempt
        with pytest.raises(SdpError):
            await offer(sdp)
    assert not host.participant.closed
    await host.leave()


async def test_8k_pictures_of_a_host_are_refused_and_the_show_goes_on(node: Node) -> None:
    stream = node.sfu.router.open("show")
    ada, bob = join(stream, "ada", owner=True), StageHost(node.sfu, join(stream, "bob"))
    await send(node, ada, 1000)
    await bob.publish(offer("chromium-publish"))
    camera = bob.participant.track_from("camera")
    assert camera is not None
    await node.push("flowing", camera.track_id, "", H264, 3)
    await node.push("resolution", camera.track_id, "", 3840, 2160)
    assert [event for event in node.events if isinstance(event, StreamNotice)] == []
    await node.push("resolution", camera.track_id, "", 7680, 4320)
    (notice,) = [event for event in node.events if isinstance(event, StreamNotice)]
    assert notice.type == "resolution-refused"
    assert notice.text.startswith("bob: the picture is refused")
    assert "7680x4320" in notice.text
    # his tracks are gone, he is not, and a smaller picture is welcome
    assert not bob.participant.tracks
    assert not bob.participant.closed
    assert shown(stream) == ["ada", "ada"]
    assert (await bob.publish(offer("chromium-publish"))).startswith("v=0")
    assert bob.participant.track_from("camera") is not None
    await bob.leave()
    await ada.close()
