"""Time is an argument: only drivers read a clock."""

from __future__ import annotations

import ast
import re

import pytest

from tests.unit.rules.names import calls
from tests.unit.rules.tree import PACKAGES, ROOT, modules, sources

# Driver -> why it owns a clock. A folder ends in a slash.
DRIVERS = {
    "hls_bridge/bench_edge.py": "a benchmark: its certificate is valid from now on",
    "hls_bridge/bench_origin.py": "a benchmark: it measures elapsed time",
    "hls_bridge/bench_origin_load.py": "a benchmark: it measures elapsed time",
    "hls_bridge/bench_origin_server.py": "a benchmark: it publishes in real time",
    "hls_bridge/bridge.py": "drives the pure pipeline of a bridge worker",
    "hls_bridge/connection.py": "drives HTTP connections; the access log says how long a request took",
    "hls_bridge/origin.py": "drives the playlists: HTTP waits and deadlines are real time",
    "hls_bridge/recorder.py": "measures how long the store takes to read",
    "mixer/bench_gpu.py": "a benchmark: it measures elapsed time",
    "mixer/worker.py": "drives the pure mixer; sender reports carry wall clock time",
    "signaling/demo/session.py": "paces the demo's pictures; the latency pattern is wall clock time",
    "signaling/clock.py": "the control plane's one door to the clocks",
    "signaling/demo/publisher.py": "waits between sessions; certificates have dates",
    "sfu/bench/": "benchmarks measure time",
    "sfu/identity.py": "certificates have dates",
}

CLOCKS = {
    *(
        f"time.{name}"
        for name in ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
    ),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    *(f"datetime.{name}" for name in ("now", "utcnow")),
    "datetime.date.today",
}

RUST_CLOCK = re.compile(r"\b(Instant|SystemTime)\s*::\s*now\b|\bclock_gettime\b")


def clock_calls(path: str, tree: ast.Module) -> list[str]:
    found = []
    for node, name in calls(tree):
        # loop.time(), self._loop.time(), asyncio.get_running_loop().time()
        method = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        of_loop = method == "time" and "loop" in ast.unparse(node.func).lower()
        if name in CLOCKS or of_loop:
            found.append(f"{path}:{node.lineno}: {ast.unparse(node.func)}()")
    return found


def is_driver(path: str) -> bool:
    return any(path == driver or (driver.endswith("/") and path.startswith(driver)) for driver in DRIVERS)


def test_only_drivers_read_a_clock() -> None:
    found = [
        call
        for path, _, tree in modules(*PACKAGES)
        if not is_driver(path)
        for call in clock_calls(path, tree)
    ]
    assert found == []


def test_the_list_of_drivers_is_not_longer_than_it_must_be() -> None:
    used = {path for path, _, tree in modules(*PACKAGES) if clock_calls(path, tree)}
    idle = [driver for driver in DRIVERS if not any(path.startswith(driver) for path in used)]
    assert idle == []
    assert all(DRIVERS.values())


def rust_clocks(path: str, text: str) -> list[str]:
    # Tests at the end of a module are held to it as well: their time is simulated.
    lines = [line.split("//")[0] for line in text.splitlines()]
    return [f"{path}:{number}" for number, line in enumerate(lines, 1) if RUST_CLOCK.search(line)]


def test_the_protocol_crate_reads_no_clock() -> None:
    found = [
        hit
        # not examples/: a benchmark measures elapsed time
        for path in sources(("sfu/engine/crates/proto/src", "sfu/engine/crates/proto/tests"), (".rs",))
        for hit in rust_clocks(path.relative_to(ROOT).as_posix(), path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    "snippet",
    [
        "import time\ntime.time()",
        "import time as t\nt.monotonic_ns()",
        "from time import perf_counter as now\nnow()",
        "import asyncio\nasyncio.get_running_loop().time()",
        "def f(self):\n    self._loop.time()",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "import datetime\ndatetime.datetime.utcnow()",
    ],
)
def test_the_rule_can_fail(snippet: str) -> None:
    assert len(clock_calls("sfu/a.py", ast.parse(snippet))) == 1


def test_the_rule_can_fail_in_rust() -> None:
    assert rust_clocks("a.rs", "// Instant::now()\nlet t = std::time::Instant::now();\n") == ["a.rs:2"]
    assert rust_clocks("a.rs", "let t = SystemTime :: now();") == ["a.rs:1"]


def test_the_rule_lets_time_as_an_argument_pass() -> None:
    assert clock_calls("sfu/a.py", ast.parse("import time\ntime.sleep(1)\nframe.time()\nf(now_ms)")) == []
