"""When the demo's beep begins in recorded sound, whatever a mixer's levelling has made of its loudness."""

from __future__ import annotations

import io

import av
import numpy as np
import numpy.typing as npt

from signaling.demo.sound import BEEP_HZ

__all__ = ["beeps"]

WINDOW_HZ = 55
"""A window of a 55th of a second holds whole periods of the beep and of the chord (277 Hz: nearly)."""
STEP_S = 0.001
LONGEST_S = 0.06
"""From a beep's begin to its greatest loudness, at most."""
ATTACK_S = 0.003
APART_S = 0.3
CLEAR = 4.0
"""A beep is that much louder than what the window holds before it."""
LEAST = 0.25
"""Of the beeps around it; a chord that fades in or out is less."""
AROUND_S = 3.0


def beeps(data: bytes) -> list[float]:
    """Presentation times in seconds, within about 2 ms, of the beeps in an MP4 of one sound track."""
    frames, start_s, rate = [], 0.0, 48_000
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(audio=0):
            if not frames:
                start_s, rate = frame.time or 0.0, frame.sample_rate
            frames.append(frame.to_ndarray()[0])
    if not frames:
        return []
    loud = loudness(np.concatenate(frames), rate)
    return [start_s + each for each in begins(loud)]


def loudness(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float64]:
    """Of the beep's tone, at steps of ``STEP_S``, each over the window that begins there."""
    at = np.arange(len(samples)) / rate
    turned = np.concatenate([[0], np.cumsum(samples * np.exp(-2j * np.pi * BEEP_HZ * at))])
    window = rate // WINDOW_HZ
    firsts = np.arange(0, len(samples) - window, round(STEP_S * rate))
    return np.abs(turned[firsts + window] - turned[firsts])


def begins(loud: npt.NDArray[np.float64]) -> list[float]:
    """Where the window is half full of a beep: it began half a window later than that window does."""
    longest, before = round(LONGEST_S / STEP_S), round(0.1 / STEP_S)
    found: list[tuple[float, float]] = []
    step = before
    while step < len(loud) - longest:
        greatest = loud[step : step + longest].max()
        usual = np.median(loud[step - before : step])
        if loud[step] >= greatest / 2 > loud[step - 1] and greatest > CLEAR * usual:
            found.append((step * STEP_S + 0.5 / WINDOW_HZ - ATTACK_S / 2, greatest))
            step += round(APART_S / STEP_S)
        else:
            step += 1
    return [
        at
        for at, greatest in found
        if greatest >= LEAST * np.median([other for near, other in found if abs(near - at) < AROUND_S])
    ]
