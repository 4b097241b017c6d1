"""What a forwarded packet costs: a generated publisher to many viewers over loopback.

The floor (the same decryption, encryption and sends on bare buffers) is measured in the same run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sfu._engine import bench_forward

__all__ = ["run"]

PROFILES = ("SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM", "SRTP_AES128_CM_SHA1_80")


def run(argv: Sequence[str]) -> dict[str, object]:
    """Parse ``argv`` (without program name), run, and return the figures (CONTRACT "Benchmarks").

    Raises OSError where sockets can't be had or viewers don't connect; argparse exits on bad options.
    """
    parser = argparse.ArgumentParser(prog="spillway bench forward", description=__doc__)
    parser.add_argument("--viewers", type=int, default=500)
    parser.add_argument("--mbps", type=float, default=2.5, help="of the published track (default 2.5)")
    parser.add_argument("--seconds", type=float, default=10.0, help="to measure, without warming up")
    parser.add_argument(
        "--warm-up", type=float, default=1.0, help="seconds before it is measured (default 1)"
    )
    parser.add_argument(
        "--spread-ms",
        type=float,
        default=0.0,
        help="over which the publisher spreads the packets of a frame (default 0: all at once)",
    )
    parser.add_argument("--gso", choices=("on", "off"), default="on")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--profile", choices=PROFILES, default=PROFILES[0])
    parser.add_argument(
        "--scaling",
        action="store_true",
        help="run with one worker first, and say how many times its load all workers carry",
    )
    parser.add_argument(
        "--shed",
        choices=("on", "off"),
        default="on",
        help="load that is too much (default on)",
    )
    parser.add_argument("--listening", type=int, help="viewers that read what they get (default all)")
    options = parser.parse_args(argv)

    def measure(workers: int) -> dict[str, object]:
        return bench_forward(
            viewers=options.viewers,
            mbps=options.mbps,
            seconds=options.seconds,
            warm_up=options.warm_up,
            spread_ms=options.spread_ms,
            gso=options.gso == "on",
            workers=workers,
            profile=options.profile,
            shed=options.shed == "on",
            listening=options.listening,
        )

    try:
        alone = measure(1) if options.scaling else None
        report = measure(options.workers)
    except ValueError as error:
        parser.error(str(error))
    if alone is not None:
        # By CPU time, since cores that also run the viewers are never idle: n workers that spend as much on a
        # packet as one does carry n times its load.
        report["one_worker_us_per_packet"] = alone["cpu_us_per_packet"]
        report["times_one_worker"] = options.workers * _cpu_us(alone) / _cpu_us(report)
    return report


def _cpu_us(report: dict[str, object]) -> float:
    value = report["cpu_us_per_packet"]
    assert isinstance(value, float)
    return value
