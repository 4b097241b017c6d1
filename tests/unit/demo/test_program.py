"""What the demo shows and plays: the picture changes where it should, the beep is on the flash."""

from __future__ import annotations

import numpy as np
import pytest

from signaling.demo.glyphs import text
from signaling.demo.pattern import Pattern, read_pattern
from signaling.demo.picture import FLASH_MS, Picture
from signaling.demo.sound import BLOCK, SAMPLE_RATE, Sound

NOON_MS = 1_800_000_000_000


@pytest.mark.parametrize("size", [(1280, 720), (640, 360)])
def test_picture_carries_the_pattern(size: tuple[int, int]) -> None:
    picture = Picture(*size)
    for number in range(5):
        pattern = Pattern(987_654_321 + 33 * number, number)
        frame = picture.draw(NOON_MS + 33 * number, pattern)
        assert read_pattern(frame.to_ndarray(format="gray")) == pattern


def test_drawing_only_what_changed_leaves_nothing_behind() -> None:
    worn, fresh = Picture(640, 360), Picture(640, 360)
    for step in range(0, 3000, 33):
        worn.draw(NOON_MS + step, Pattern(step, step & 0xFF))
    last = (NOON_MS + 86_399_999, Pattern(7, 7))
    assert np.array_equal(worn.draw(*last).to_ndarray(), fresh.draw(*last).to_ndarray())


def test_picture_moves_and_flashes() -> None:
    picture = Picture(640, 360)
    frames = {
        ms: picture.draw(NOON_MS + ms, Pattern(0, 0)).to_ndarray(format="gray")
        for ms in (0, 33, FLASH_MS, 500)
    }
    assert not np.array_equal(frames[0][270:], frames[33][270:])
    top, left, size = 108, 640 - 60, 30
    box = {ms: frame[top : top + size, left : left + size].mean() for ms, frame in frames.items()}
    assert box[0] == box[33] > box[FLASH_MS] == box[500]


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="1000x700"):
        Picture(1000, 700)


def test_text_has_a_gap_between_characters() -> None:
    line = text("1:", 2)
    assert line.shape == (14, 22)
    assert not line[:, 10:12].any()


def test_beep_is_on_the_second() -> None:
    sound = Sound()
    second = np.concatenate([sound.block(at)[0] for at in range(0, SAMPLE_RATE, BLOCK)]).reshape(-1, 2)
    assert np.array_equal(second[:, 0], second[:, 1])
    energy = (second[:, 0].astype(float) ** 2).reshape(10, -1).mean(axis=1)
    assert energy[0] > 10 * energy[1:].max() > 0


def test_sound_repeats_without_a_seam() -> None:
    sound = Sound()
    start = SAMPLE_RATE - 100
    across = sound.block(start)[0].reshape(-1, 2)[:, 0]
    assert np.array_equal(across[100:], sound.block(0)[0].reshape(-1, 2)[: BLOCK - 100, 0])
    assert sound.block(start).shape == (1, 2 * BLOCK)
    assert np.array_equal(sound.block(start), sound.block(start + 5 * SAMPLE_RATE))
