"""The forwarding benchmark runs and gives the keys of its contract."""

from __future__ import annotations

import pytest

from sfu.bench import forward


@pytest.mark.parametrize("gso", ["on", "off"])
def test_keys_and_counts(gso: str) -> None:
    options = f"--viewers 3 --seconds 1 --gso {gso} --workers 2 --warm-up 0.5 --spread-ms 4"
    result = forward.run(options.split())
    contract = {
        "viewers",
        "packets_per_s",
        "cpu_us_per_packet",
        "floor_us_per_packet",
        "ratio_to_floor",
        "gso",
        "lost",
        "added_latency_ms",
    }
    assert contract | {
        "workers",
        "profile",
        "mbps",
        "seconds",
        "samples",
        "kernel",
        "shed",
        "listening",
        "arrival_ms",
    } == set(result)
    assert (result["viewers"], result["workers"], result["lost"]) == (3, 2, 0)
    if gso == "off":
        assert result["gso"] is False
    for key in ("added_latency_ms", "arrival_ms"):
        latency = result[key]
        assert isinstance(latency, dict)
        assert set(latency) == {"p50", "p99"}


@pytest.mark.parametrize(
    "bad", [["--viewers", "0"], ["--mbps", "1000"], ["--gso", "maybe"], ["--spread-ms", "50"]]
)
def test_bad_options_end_with_usage(bad: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        forward.run(bad)
    assert refused.value.code == 2
    assert "usage: spillway bench forward" in capsys.readouterr().err
