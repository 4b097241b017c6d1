"""Runs the comparison: a line per server on stderr, one JSON object as the last line of stdout."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.peers import servers
from tests.bench.peers.cpu import ReceivingShare, process_s, threads_ns
from tests.bench.peers.swarm import Source, Swarm
from tests.conformance import sdp
from tests.conformance.peer import Peer, identity

CONNECT_S = 60.0
PUBLISH_S = 10.0
PUBLISH_TRIES = 3
WARM_UP_S = 3.0


@dataclass(frozen=True, slots=True)
class Measured:
    server: str
    version: str
    viewers: int
    packets_per_s: float
    """Of the stream, to all viewers together."""
    cpu_us_per_packet: float
    """User and system time of the server's process and its children over these packets."""
    threads_us_per_packet: dict[str, float]
    """The same by thread name, where it is 0.01 or more."""
    receiving_share: float | None
    """Of this time, what the kernel spent taking the packets in for the receivers; None if not asked for."""
    cores: float
    arrived_ratio: float
    """Frames whose last packet arrived over frames published times viewers. Not packets: a server may add its
    own (padding, replayed ones), which are not counted as forwarded, or pack frames anew."""


def join(swarm: Swarm, peer: Peer, answer: str) -> None:
    peer.follow(sdp.parse_answer(answer))
    swarm.add(peer)


def offer(peer: Peer, direction: str) -> str:
    return sdp.offer(peer.ufrag, peer.pwd, identity().fingerprint, direction=direction, kinds=("video",))


def connect(swarm: Swarm, server: servers.Server) -> Peer:
    """A publisher that is through. Our offers have no candidates, and LiveKit 1.11, whose ICE agent is a full
    one, formed no pair from our checks in 2 of 19 sessions."""
    for _ in range(PUBLISH_TRIES):
        publisher = Peer()
        join(swarm, publisher, server.publish(offer(publisher, "sendonly")))
        if swarm.run(PUBLISH_S, lambda: publisher.keys is not None):  # noqa: B023 (called in the loop only)
            return publisher
        print(f"{server.name}: the publisher is not through, and tries again", file=sys.stderr)
    raise RuntimeError(f"{server.name}: the publisher did not connect")


def measure(
    server: servers.Server, source: Source, viewers: int, seconds: float, gro: bool, perf: bool
) -> Measured:
    swarm = Swarm(gro)
    try:
        swarm.publish(connect(swarm, server), source)
        swarm.run(2)
        for number in range(viewers):
            viewer = Peer()
            join(swarm, viewer, server.watch(offer(viewer, "recvonly"), number))
            swarm.viewers.append(viewer)
            swarm.run(0.05)
        if not swarm.run(CONNECT_S, lambda: all(viewer.rtp for viewer in swarm.viewers)):
            missing = sum(not viewer.rtp for viewer in swarm.viewers)
            raise RuntimeError(f"{server.name}: {missing} of {viewers} viewers get no media")
        swarm.run(WARM_UP_S)
        cpu, threads = process_s(server.pid), threads_ns(server.pid)
        packets, published = swarm.received, swarm.published
        arrived, frames = swarm.received_frames, swarm.frames
        begin = time.monotonic()
        swarm.run(seconds)
        took = time.monotonic() - begin
        cpu, threads = process_s(server.pid) - cpu, threads_ns(server.pid) - threads
        packets = swarm.received - packets
        sent = (swarm.published - published) * viewers
        forwarded = min(packets, sent)
        arrived, frames = swarm.received_frames - arrived, (swarm.frames - frames) * viewers
        share = None
        if perf:
            sampling = ReceivingShare(server.pid)
            swarm.run(seconds)
            share = sampling.stop()
    finally:
        swarm.close()
    us = 1e6 / max(forwarded, 1)
    by_thread = {name: round(spent / 1e9 * us, 2) for name, spent in threads.most_common()}
    return Measured(
        server.name,
        server.version,
        viewers,
        round(forwarded / took, 1),
        round(cpu * us, 2),
        {name: spent for name, spent in by_thread.items() if spent >= 0.01},
        share,
        round(cpu / took, 3),
        round(arrived / max(frames, 1), 4),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.peers", description=__doc__)
    parser.add_argument("--livekit", type=Path, metavar="PATH", help="binary of livekit-server")
    parser.add_argument("--mediamtx", type=Path, metavar="PATH", help="binary of mediamtx")
    parser.add_argument("--viewers", type=int, default=50)
    parser.add_argument("--mbps", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--gro", action="store_true", help="receivers take what the kernel joins (UDP_GRO)")
    parser.add_argument("--perf", action="store_true", help="sample the kernel's receiving half with perf(1)")
    arguments = parser.parse_args()
    chosen: list[AbstractContextManager[servers.Server]] = [servers.spillway()]
    if arguments.livekit:
        chosen.append(servers.livekit(arguments.livekit))
    if arguments.mediamtx:
        chosen.append(servers.mediamtx(arguments.mediamtx))
    source = Source(arguments.mbps)
    results = []
    for each in chosen:
        with each as server:
            result = measure(
                server, source, arguments.viewers, arguments.seconds, arguments.gro, arguments.perf
            )
        print(result, file=sys.stderr)
        results.append(asdict(result))
    load = [round(each, 2) for each in os.getloadavg()]
    machine = {"cores": os.cpu_count(), "load_average": load}
    print(json.dumps(machine | {"gro": arguments.gro, "servers": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
