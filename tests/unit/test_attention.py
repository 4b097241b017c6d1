from __future__ import annotations

from hls_bridge.attention import LATE_US, MOST_US, SETTLE_US, TICK_US, Attention


def ticked(
    attention: Attention, start_us: int, until_us: int, *, step_us: int = TICK_US, all_read: bool = True
) -> None:
    for now_us in range(start_us, until_us + 1, step_us):
        attention.tick(now_us, all_read=all_read)


def test_a_worker_in_time_has_heard_everything() -> None:
    attention = Attention()
    ticked(attention, 1_000_000, 2_000_000)
    assert attention.heard_us == 2_000_000
    assert attention.awake_us == attention.patience_us == 1_000_000
    assert not attention.behind


def test_behind_a_hold_it_reads_first() -> None:
    attention = Attention()
    ticked(attention, 0, 1_000_000)
    attention.note(4_000_000)
    attention.tick(4_000_000, all_read=False)
    ticked(attention, 4_020_000, 4_000_000 + SETTLE_US - TICK_US)
    assert (attention.heard_us, attention.patience_us) == (1_000_000, 1_000_000)
    assert attention.behind
    ticked(attention, 4_000_000 + SETTLE_US, 4_000_000 + SETTLE_US)
    assert attention.heard_us == 4_000_000 + SETTLE_US
    assert attention.patience_us <= 1_000_000 + LATE_US, "the hold counts for nobody's patience"
    assert not attention.behind


def test_what_is_not_read_yet_holds_judgement() -> None:
    attention = Attention()
    ticked(attention, 0, 1_000_000)
    ticked(attention, 1_020_000, 1_000_000 + MOST_US - TICK_US, all_read=False)
    assert (attention.heard_us, attention.patience_us) == (1_000_000, 1_000_000)
    ticked(attention, 1_000_000 + MOST_US, 1_000_000 + MOST_US, all_read=False)
    assert attention.heard_us == 1_000_000 + MOST_US, "it is not held, it is too slow"


def test_who_is_late_at_every_tick_judges_one_tick_behind() -> None:
    attention = Attention()
    ticked(attention, 0, 1_500_000, step_us=150_000)
    assert attention.heard_us == 1_350_000
