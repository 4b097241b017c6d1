"""``python -m tests.bench.first_frame [--joins 20]``

How soon a joiner sees the demo, whose encoder makes no keyframe on request (one every 2 s), and whether the
joiner is at the live edge: one second after its first frame its latency is compared, over the same half
second, with that of a viewer who has watched for long. Goals: first frame p50 <= 150 ms after the WHEP POST;
within 30 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import tempfile
from pathlib import Path

from tests.bench.pattern_pages import demo_whep_url, latencies, pattern_page, percentiles, progress
from tests.interop.serve_process import spillway

SETTLE_S = 5.0
LATER_S, WINDOW_S = 1.0, 0.5
GOP_S = 2.0


async def measure(joins: int) -> dict[str, object]:
    firsts: list[float] = []
    signalling: list[float] = []
    behind: list[float] = []
    choose = random.Random(1)
    with tempfile.TemporaryDirectory() as data_dir:
        async with (
            spillway(Path(data_dir), command="demo") as node,
            pattern_page(node.url) as old,
            pattern_page(node.url) as new,
        ):
            watch = [await demo_whep_url(node.url), "decoded"]
            await old.evaluate("([url, reader]) => watchPattern(url, reader)", watch)
            await asyncio.sleep(SETTLE_S)
            for number in range(joins):
                # Anywhere in the group of pictures.
                await asyncio.sleep(choose.uniform(0, GOP_S))
                join = await new.evaluate("([url, reader]) => watchPattern(url, reader)", watch)
                await asyncio.sleep(LATER_S)
                since_ms = await new.evaluate("Date.now()")
                await asyncio.sleep(WINDOW_S)
                theirs, _ = await latencies(new, since_ms, viewer=-1)
                ours, _ = await latencies(old, since_ms)
                await new.evaluate("leave()")
                firsts.append(join["first_frame_ms"])
                signalling.append(join["signalling_ms"])
                behind.append(statistics.median(theirs) - statistics.median(ours))
                progress(
                    f"join {number + 1}: first frame {firsts[-1]:.0f} ms, answer {signalling[-1]:.0f} ms, "
                    f"{behind[-1]:+.0f} ms behind the old viewer ({statistics.median(ours):.0f} ms)"
                )
    return {
        "joins": joins,
        "first_frame_ms": percentiles(firsts, 50, 95),
        "answer_ms": percentiles(signalling, 50, 95),
        "behind_old_viewer_ms": percentiles(behind, 50, 95),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time to the first frame, and to the live edge.")
    parser.add_argument("--joins", type=int, default=20)
    print(json.dumps(asyncio.run(measure(**vars(parser.parse_args())))))


if __name__ == "__main__":
    main()
