"""The join benchmark runs and gives the keys of its contract."""

from __future__ import annotations

import pytest

from sfu.bench import join


def test_keys_and_counts() -> None:
    result = join.run(["--viewers", "6", "--rate", "20", "--processes", "2", "--workers", "2"])
    contract = {
        "joins_per_s_per_core",
        "first_packet_ms",
        "engine_bytes_per_viewer",
        "python_bytes_per_viewer",
    }
    assert contract | {"cpu_ms_per_join", "viewers", "rate", "processes", "workers", "cores"} == set(result)
    assert (result["viewers"], result["processes"], result["workers"]) == (6, 2, 2)
    first = result["first_packet_ms"]
    assert isinstance(first, dict)
    assert 0 < first["p50"] <= first["p99"]


def test_a_storm_tells_what_the_watchers_saw() -> None:
    result = join.run(["--storm", "4", "--within", "0.5", "--watching", "2", "--processes", "1"])
    assert (result["storm"], result["watching"], result["joined"], result["failed"]) == (4, 2, 4, 0)
    seen = result["added_latency_ms"]
    assert isinstance(seen, dict)
    for part in ("before", "during", "after"):
        assert set(seen[part]) == {"p50", "p99", "max", "lost", "samples"}
        assert 0 < seen[part]["p50"] <= seen[part]["p99"] <= seen[part]["max"]
        assert seen[part]["samples"] > 0


@pytest.mark.parametrize(
    "bad", [["--viewers", "0"], ["--storm", "0"], ["--rate", "-1"], ["--processes", "none"]]
)
def test_bad_options_end_with_usage(bad: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        join.run(bad)
    assert refused.value.code == 2
    assert "usage: spillway bench join" in capsys.readouterr().err
