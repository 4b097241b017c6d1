"""Three quarters of a minute of the show that ``python -m tests.sim.mixer.long_show`` runs for two hours."""

from __future__ import annotations

from tests.sim.mixer.long_show import GUESTS, STAYING, simulate
from tests.sim.mixer.participant import Path


def test_lips_stay_in_sync_while_hosts_come_and_go() -> None:
    result = simulate(45)
    assert result.hosts >= 6
    assert len(result.offsets_ms) > 60
    assert max(map(abs, [*result.offsets_ms, *result.first_offsets_ms])) <= 40
    assert result.silent == 0
    assert result.inputs_alive <= 2 * (len(STAYING) + GUESTS)


def test_a_host_on_a_bad_line_disturbs_nobody() -> None:
    """5 % loss and 80 ms of jitter: what comes of the other host is the same to the sample."""
    good, bad = Path(jitter_ms=5), Path(loss=0.05, jitter_ms=80, delay_ms=40)
    alone, beside = (
        simulate(12, staying=(good,), most_guests=0),
        simulate(12, staying=(good, bad), most_guests=0),
    )
    assert len(alone.measured[0].clicks) >= 10
    assert beside.measured[0] == alone.measured[0]
    assert beside.silent == 0
