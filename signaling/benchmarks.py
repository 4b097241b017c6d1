"""``spillway bench NAME``: progress on standard error, one JSON object as the last line of output."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["BENCHMARKS", "run"]

BENCHMARKS = {
    "forward": "sfu.bench.forward",
    "join": "sfu.bench.join",
    "ladder": "hls_bridge.bench_ladder",
    "origin": "hls_bridge.bench_origin",
    "mixer": "mixer.bench",
}
"""Each module's ``run(argv) -> dict`` takes the flags after the name; one with ``add_arguments(parser)`` has
``run(namespace)`` instead. CONTRACT lists flags and keys."""


def run(name: str, argv: Sequence[str]) -> int:
    """Returns the exit code."""
    if name in ("-h", "--help"):
        print("usage: spillway bench NAME [flags]")
        print(f"NAME is one of {_names()}; `spillway bench NAME --help` lists its flags.")
        return 0
    module_name = BENCHMARKS.get(name)
    if module_name is None:
        print(f"spillway: bench: no benchmark {name!r}; there are {_names()}", file=sys.stderr)
        return 2
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        print(f"spillway: bench: this installation has no benchmark {name!r}", file=sys.stderr)
        return 2
    measure: Callable[[Any], dict[str, object]] = module.run
    arguments: Any = argv
    if hasattr(module, "add_arguments"):
        parser = argparse.ArgumentParser(f"spillway bench {name}", description=module.__doc__)
        module.add_arguments(parser)
        arguments = parser.parse_args(argv)
    print(json.dumps(measure(arguments)), flush=True)
    return 0


def _names() -> str:
    return ", ".join(BENCHMARKS)
