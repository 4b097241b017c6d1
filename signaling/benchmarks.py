"""``spillway bench NAME``: progress on standard error, one JSON object as the last line of output."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Sequence

__all__ = ["BENCHMARKS", "run"]

BENCHMARKS = {
    "forward": "sfu.bench.forward",
    "join": "sfu.bench.join",
    "ladder": "hls_bridge.bench_ladder",
    "origin": "hls_bridge.bench_origin",
    "mixer": "mixer.bench",
}
"""Each module's ``run(argv) -> dict`` takes the flags after the name; CONTRACT lists flags and keys."""


def run(name: str, argv: Sequence[str]) -> int:
    """Returns the exit code."""
    module_name = BENCHMARKS.get(name)
    if module_name is None:
        names = ", ".join(BENCHMARKS)
        print(f"spillway: bench: no benchmark {name!r}; there are {names}", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        print(f"spillway: bench: this installation has no benchmark {name!r}", file=sys.stderr)
        return 2
    measure: Callable[[Sequence[str]], dict[str, object]] = module.run
    print(json.dumps(measure(argv)), flush=True)
    return 0
