"""The mixer by itself: it can be carried to another machine without the engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import mixer
from mixer.bench import measure
from mixer.layout import LayoutSpec
from mixer.messages import SetHost
from mixer.stage import Stage

ROOT = Path(mixer.__file__).parent.parent


def test_everything_imports_without_the_engine_and_without_cupy() -> None:
    modules = sorted(
        ".".join(p.relative_to(ROOT).with_suffix("").parts) for p in (ROOT / "mixer").rglob("*.py")
    )
    lines = ["import sys", "sys.modules['sfu._engine'] = None", "sys.modules['cupy'] = None"]
    lines += [f"import {module.removesuffix('.__init__')}" for module in modules]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, cwd=ROOT)


def test_imports_point_one_way() -> None:
    for path in [*(ROOT / "mixer").rglob("*.py"), *(ROOT / "sfu" / "packetize").rglob("*.py")]:
        for name in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE):
            assert name not in ("signaling", "hls_bridge"), path
            assert not (name == "mixer" and "packetize" in path.parts), path


def test_the_benchmark_has_the_keys_of_the_contract() -> None:
    quietly = {"gpu": False, "progress": lambda _: None}
    result = measure(2, (320, 180), seconds=1, preset="ultrafast", bitrate_bps=300_000, **quietly)
    assert {"cpu_s_per_s", "decode", "composite", "encode", "sound"} <= set(result)
    parts = sum(result[part] for part in ("decode", "composite", "encode", "sound"))
    assert abs(parts - result["cpu_s_per_s"]) < 0.01
    assert result["psnr_db"] > 25
    assert result["encodings"] == {"h": 0, "m": 0, "l": 2}


def test_a_thousand_hosts_come_and_go_and_nothing_stays() -> None:
    stage = Stage(640, 360)
    for n in range(1000):
        stage.set_host(SetHost(f"p{n}", f"Host {n}", screen=None), n * 1_000_000)
        stage.scene(n * 1_000_000 + 150_000)
        if n >= 3:
            stage.remove_host(f"p{n - 3}", n * 1_000_000 + 200_000)
        stage.set_layout(LayoutSpec("spotlight" if n % 2 else "grid"), n * 1_000_000 + 250_000)
        scene = stage.scene(n * 1_000_000 + 300_000)
    assert len(scene.ops) > 0
    assert len(stage.hosts) == 3
    stage.scene(2_000_000_000)
    assert len(stage._drawn) == 3
    assert len(stage._names) == 3
