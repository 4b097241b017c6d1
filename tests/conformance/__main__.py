"""``python -m tests.conformance``: exit code 0 if nothing that a specification demands failed."""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.conformance.check import report
from tests.conformance.suite import Target, run_suite

parser = argparse.ArgumentParser(
    prog="python -m tests.conformance",
    description="Checks WHIP endpoints against RFC 9725 and WHEP endpoints against draft-ietf-wish-whep-02.",
)
parser.add_argument("--whip", metavar="URL", help="endpoint to publish to; nobody else should be publishing")
parser.add_argument("--whip-token", metavar="TOKEN", help="sent as Authorization: Bearer")
parser.add_argument("--whep", metavar="URL", help="endpoint to watch the same stream; alone: a live stream")
parser.add_argument("--whep-token", metavar="TOKEN", help="sent as Authorization: Bearer")
parser.add_argument("--slow", action="store_true", help="also wait out the 30 s of consent, per protocol")
parser.add_argument("--only", metavar="PATTERN", default="*", help="checks to run, as in 'whep/media-*'")
arguments = parser.parse_args()
if not arguments.whip and not arguments.whep:
    parser.error("give --whip, --whep or both")
results = asyncio.run(
    run_suite(
        Target(arguments.whip, arguments.whip_token, arguments.whep, arguments.whep_token),
        slow=arguments.slow,
        only=arguments.only,
    )
)
print(report(results))
sys.exit(any(each.outcome == "FAIL" for each in results))
