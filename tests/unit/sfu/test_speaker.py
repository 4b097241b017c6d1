"""Who speaks, from levels alone."""

from __future__ import annotations

from sfu.speaker import SpeakerDetector

STEP_US = 150_000


def run(detector: SpeakerDetector, seconds: float, levels: dict[str, float | None], start_us: int = 0) -> int:
    """Feed the same levels for a while; returns the time after."""
    now_us = start_us
    while now_us < start_us + seconds * 1e6:
        detector.handle_levels(levels, now_us)
        now_us += STEP_US
    return now_us


def test_a_voice_over_its_own_noise_speaks_and_a_pause_for_breath_does_not_end_it() -> None:
    detector = SpeakerDetector()
    now_us = run(detector, 2, {"ada": -58.0, "bob": -55.0})
    assert (detector.speaking, detector.active) == (frozenset(), None)
    now_us = run(detector, 1, {"ada": -30.0, "bob": -55.0}, now_us)
    assert (detector.speaking, detector.active) == ({"ada"}, "ada")
    now_us = run(detector, 0.4, {"ada": -58.0, "bob": -55.0}, now_us)
    assert detector.speaking == {"ada"}
    run(detector, 1, {"ada": -58.0, "bob": -55.0}, now_us)
    assert detector.speaking == frozenset()
    assert detector.active == "ada"


def test_a_cough_does_not_take_the_picture_but_the_next_speaker_does() -> None:
    detector = SpeakerDetector()
    now_us = run(detector, 2, {"ada": -30.0, "bob": -60.0})
    now_us = run(detector, 0.3, {"ada": -70.0, "bob": -20.0}, now_us)
    now_us = run(detector, 1, {"ada": -30.0, "bob": -60.0}, now_us)
    assert detector.active == "ada"
    run(detector, 2.5, {"ada": -70.0, "bob": -25.0}, now_us)
    assert detector.active == "bob"


def test_who_has_left_or_sends_nothing_does_not_speak() -> None:
    detector = SpeakerDetector()
    now_us = run(detector, 1, {"ada": -20.0})
    assert detector.active == "ada"
    now_us = run(detector, 1, {"ada": None}, now_us)
    assert detector.speaking == frozenset()
    run(detector, 0.2, {}, now_us)
    assert detector.active is None
