"""Hosts on stage, in aiortc, against the real engine."""

from __future__ import annotations

import pytest

from sfu.events import StreamLive
from sfu.host import StageHost
from tests.interop.aiortc_peer import Viewer
from tests.interop.node_app import NodeApp, eventually, running_node
from tests.interop.stage_host import Host


def enter(node: NodeApp, name: str, *, owner: bool = False) -> StageHost:
    stream = node.sfu.router.open("show")
    return StageHost(node.sfu, stream.join("host", participant_id=name, name=name, owner=owner))


def hears(host: Host, tones: dict[str, float]) -> bool:
    heard = host.tones()
    return heard.keys() == tones.keys() and all(
        heard[who] == pytest.approx(tone, abs=8) for who, tone in tones.items()
    )


async def test_hosts_hear_each_other_and_not_themselves() -> None:
    async with running_node() as node:
        ada, bob, cy = (
            Host(enter(node, "ada", owner=True), 400),
            Host(enter(node, "bob"), 700),
            Host(enter(node, "cy"), 1100),
        )
        try:
            for host in (ada, bob):
                await host.publish()
            for host in (ada, bob):
                await host.subscribe(1, 1)
            await eventually(lambda: hears(ada, {"bob": 700}) and hears(bob, {"ada": 400}))
            assert {track.source for track in ada.received.values()} == {"camera", "microphone"}
            await eventually(lambda: len(ada.seen) == 1)
            # a third host comes: added m-lines on the same transports
            await cy.publish()
            transports = {each.transport.transport_id for each in node.sfu.sessions}
            for host in (ada, bob):
                await host.subscribe(2, 2)
            await cy.subscribe(2, 2)
            await eventually(lambda: hears(ada, {"bob": 700, "cy": 1100}))
            await eventually(lambda: hears(bob, {"ada": 400, "cy": 1100}))
            await eventually(lambda: hears(cy, {"ada": 400, "bob": 700}))
            assert transports <= {each.transport.transport_id for each in node.sfu.sessions}
            # and leaves: its m-lines become inactive, the rest goes on
            await cy.host.leave()
            await ada.subscribe(2, 2)
            assert {track.participant_id for track in ada.received.values()} == {"bob"}
            assert [t.currentDirection for t in ada.back.getTransceivers()].count("inactive") == 2
            ada.heard.clear()
            await eventually(lambda: hears(ada, {"bob": 700}))
        finally:
            for host in (ada, bob, cy):
                await host.host.leave()
                await host.close()


async def test_the_owner_mutes_a_host_in_the_router() -> None:
    async with running_node() as node:
        ada, bob = Host(enter(node, "ada", owner=True), 400), Host(enter(node, "bob"), 700)
        stage = node.sfu.router.open("show").stage
        try:
            for host in (ada, bob):
                await host.publish()
            for host in (ada, bob):
                await host.subscribe(1, 1)
            await eventually(lambda: hears(ada, {"bob": 700}))
            await eventually(lambda: stage.speaking == {"ada", "bob"})
            stage.control("bob", audio_muted=True)
            [audio] = [t for t in bob.host.participant.tracks.values() if t.kind == "audio"]
            [mid] = [mid for mid, track in ada.received.items() if track.kind == "audio"]
            await eventually(lambda: stage.speaking == {"ada"})
            ada.heard.clear()
            stage.control("bob", audio_muted=False)
            await eventually(lambda: hears(ada, {"bob": 700}))
            assert audio.flowing
            assert ada.received[mid].participant_id == "bob"
        finally:
            for host in (ada, bob):
                await host.host.leave()
                await host.close()


async def test_one_host_is_the_program_and_the_next_takes_over_when_it_leaves() -> None:
    async with running_node() as node:
        ada, bob, viewer = Host(enter(node, "ada", owner=True), 400), Host(enter(node, "bob"), 700), Viewer()
        stream = node.sfu.router.open("show")
        try:
            await ada.publish()
            await eventually(lambda: StreamLive("show") in node.events)
            assert stream.program.track("video") is ada.host.participant.track_of("video")
            await viewer.start(node, "show")
            await viewer.frames("video", 10)
            await bob.publish()
            await eventually(lambda: len(stream.stage.sending) == 2)
            # no mixer here: the program stays where it is
            assert stream.program.track("video") is ada.host.participant.track_of("video")
            await ada.host.leave()
            assert stream.program.track("video") is bob.host.participant.track_of("video")
            await viewer.frames("video", 40)
            assert stream.viewers == 1
            await bob.host.unpublish()
            assert not stream.live
            assert [each.participant_id for each in stream.stage.hosts] == ["bob"]
        finally:
            for host in (ada, bob):
                await host.host.leave()
                await host.close()
            await viewer.close()
        assert len(node.sfu.router) == 0
