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
    parser.add_argument("--gso", choices=("on", "off"), default="on")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--profile", choices=PROFILES, default=PROFILES[0])
    parser.add_argument(
        "--shed",
        choices=("on", "off"),
        default="on",
        help="load that is too much (default on)",
    )
    parser.add_argument("--listening", type=int, help="viewers that read what they get (default all)")
    options = parser.parse_args(argv)
    try:
        return bench_forward(
            viewers=options.viewers,
            mbps=options.mbps,
            seconds=options.seconds,
            gso=options.gso == "on",
            workers=options.workers,
            profile=options.profile,
            shed=options.shed == "on",
            listening=options.listening,
        )
    except ValueError as error:
        parser.error(str(error))
