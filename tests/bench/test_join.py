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


@pytest.mark.parametrize("bad", [["--viewers", "0"], ["--rate", "-1"], ["--processes", "none"]])
def test_bad_options_end_with_usage(bad: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        join.run(bad)
    assert refused.value.code == 2
    assert "usage: spillway bench join" in capsys.readouterr().err
