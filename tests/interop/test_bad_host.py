"""A host behind a bad line, and what the others notice of it."""

from __future__ import annotations

import asyncio

from mixer.controller import Mixers
from sfu.host import StageHost
from tests.interop.aiortc_peer import Viewer
from tests.interop.node_app import NodeApp, eventually, running_node
from tests.interop.stage_host import Host
from tests.interop.test_mixed_program import SMALL, Watching, near
from tests.udp_relay import udp_relay

LOST = 15
"""Datagrams; at 5 % and some 100 a second that takes three seconds."""


def enter(node: NodeApp, name: str, *, owner: bool = False) -> StageHost:
    stream = node.sfu.router.open("show")
    return StageHost(node.sfu, stream.join("host", participant_id=name, name=name, owner=owner))


async def counts_of(host: Host, participant_id: str) -> tuple[int, int]:
    """Packets of a participant that ``host`` received, and those that never came."""
    received = lost = 0
    for transceiver in host.back.getTransceivers():
        track = host.received.get(transceiver.mid or "")
        if track is None or track.participant_id != participant_id:
            continue
        for stats in (await transceiver.receiver.getStats()).values():
            if stats.type == "inbound-rtp":
                received += stats.packetsReceived
                lost += stats.packetsLost
    return received, lost


def lost_by(node: NodeApp, host: Host) -> int:
    """Packets of ``host`` that the node did not get."""
    stats = [node.sfu.engine.track_stats(track.track_id) for track in host.host.participant.tracks.values()]
    return sum(each["lost"] for each in stats if each is not None)


async def test_five_per_cent_loss_and_80_ms_of_jitter_are_its_own() -> None:
    async with running_node() as node, udp_relay(loss=0.05, seed=7, jitter_ms=80) as relay:
        Mixers(node.sfu, SMALL, lambda stream_id, problem: None)
        stream = node.sfu.router.open("show")
        stream.stage.set_layout({"layout": "side-by-side"})
        ada = Host(enter(node, "ada", owner=True), 400, (60, 128, 128))
        bob = Host(enter(node, "bob"), 700, (200, 128, 128))
        cy = Host(enter(node, "cy"), 1100)
        viewer = Viewer()
        watching = Watching(viewer)
        tasks = []
        try:
            await ada.publish()
            await eventually(lambda: stream.live)
            await viewer.start(node, "show")
            tasks += [asyncio.create_task(watching.run()), asyncio.create_task(watching.listen())]
            await bob.publish(relay)
            await cy.subscribe(2, 2)
            await eventually(lambda: stream.stage.mixed, 40)
            await eventually(lambda: near(watching.halves(), 60, 200), 40)
            lost, before = relay.lost, await counts_of(cy, "ada")
            of_ada: list[float] = []

            def enough() -> bool:
                of_ada.append(watching.halves()[0])
                return relay.lost - lost >= LOST

            await eventually(enough, 60)
            # Her tile and her sound stand still for nothing, and her packets arrive: a full machine may cost
            # this process one in a hundred, the bad line takes one in twenty.
            assert all(abs(each - 60) < 12 for each in of_ada)
            await eventually(lambda: watching.hears(400))
            after = await counts_of(cy, "ada")
            assert 100 * (after[1] - before[1]) <= after[0] - before[0]
            assert {"ada", "bob"} <= cy.tones().keys()
            assert abs(cy.tones()["ada"] - 400) < 8
            # and his own is repaired as far as it goes
            await eventually(lambda: near(watching.halves(), 60, 200) and watching.hears(700))
            assert watching.backwards == 0
            await eventually(lambda: lost_by(node, bob) > 0)
        finally:
            for host in (ada, bob, cy):
                await host.host.leave()
                await host.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await viewer.close()
