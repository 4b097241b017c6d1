"""A host behind a bad line, and what the others notice of it."""

from __future__ import annotations

from tests.interop.mixed_show import near, open_show
from tests.interop.node_app import NodeApp, eventually
from tests.interop.stage_host import Host
from tests.udp_relay import udp_relay

LOST = 15
"""Datagrams; at 5 % and some 100 a second that takes three seconds."""


async def lost_of(host: Host) -> dict[str, int]:
    """Packets that never came, of each participant whom ``host`` receives."""
    lost: dict[str, int] = {}
    for transceiver in host.back.getTransceivers():
        if (track := host.received.get(transceiver.mid or "")) is None:
            continue
        for stats in (await transceiver.receiver.getStats()).values():
            if stats.type == "inbound-rtp":
                lost[track.participant_id] = lost.get(track.participant_id, 0) + stats.packetsLost
    return lost


def lost_by(node: NodeApp, host: Host) -> int:
    """Packets of ``host`` that the node did not get."""
    stats = [node.sfu.engine.track_stats(track.track_id) for track in host.host.participant.tracks.values()]
    return sum(each["lost"] for each in stats if each is not None)


async def test_five_per_cent_loss_and_80_ms_of_jitter_are_its_own() -> None:
    async with open_show() as show, udp_relay(loss=0.05, seed=7, jitter_ms=80) as relay:
        ada, bob, cy = show.enter("ada", 400, 60), show.enter("bob", 700, 200), show.enter("cy", 1100)
        await ada.publish()
        await eventually(lambda: show.stream.live)
        watching = await show.watch()
        await bob.publish(relay)
        await cy.subscribe(2, 2)
        await eventually(lambda: show.stream.stage.mixed, 40)
        await eventually(lambda: near(watching.halves(), 60, 200), 40)
        lost, before = relay.lost, await lost_of(cy)
        of_ada: list[float] = []

        def enough() -> bool:
            of_ada.append(watching.halves()[0])
            return relay.lost - lost >= LOST

        await eventually(enough, 60)
        # her tile and her sound stand still for nothing, and none of her packets went missing
        assert all(abs(each - 60) < 12 for each in of_ada)
        assert watching.hears(400)
        assert (await lost_of(cy))["ada"] == before["ada"]
        assert {"ada", "bob"} <= cy.tones().keys()
        assert abs(cy.tones()["ada"] - 400) < 8
        # and his own is repaired as far as it goes
        await eventually(lambda: near(watching.halves(), 60, 200) and watching.hears(700))
        assert watching.backwards == 0
        await eventually(lambda: lost_by(show.node, bob) > 0)
