"""A WHIP publisher that does as it is told: ``python -m tests.interop.scripted_whip URL KEY``.

Lines of standard input: ``gop SECONDS``, ``picture on``, ``picture off``. It ends, with a DELETE, when
standard input closes. Like OBS it makes no keyframe on request.
"""

from __future__ import annotations

import asyncio
import queue
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

import av
import numpy as np
from av.video.frame import PictureType

from tests.child import module
from tests.generated import draw
from tests.interop.ffmpeg_whip import certificate

__all__ = ["Publisher", "scripted_publisher"]

WIDTH, HEIGHT, RATE = 1280, 720, 30
SAMPLES = 960
SOUND_AHEAD_S = 0.03
"""The muxer holds a frame back until it has sound that is not older."""


class Publisher:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()


@asynccontextmanager
async def scripted_publisher(url: str, key: str) -> AsyncIterator[Publisher]:
    async with module("tests.interop.scripted_whip", url, key) as process:
        yield Publisher(process)


def main(url: str, key: str) -> None:
    options = {"authorization": key, "handshake_timeout": "8000", "max_interleave_delta": "1"}
    container = av.open(url, "w", format="whip", options=options | certificate())
    video = container.add_stream(
        "libx264",
        RATE,
        options={
            "preset": "ultrafast",
            "tune": "zerolatency",
            "profile": "baseline",
            "forced-idr": "1",
            "x264-params": "scenecut=0",
        },
    )
    video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    video.gop_size, video.max_b_frames, video.bit_rate = 100_000, 0, 1_500_000
    video.codec_context.thread_count = 1
    audio = container.add_stream("libopus", rate=48_000)
    audio.layout = "stereo"
    pictures = [draw(index, WIDTH, HEIGHT) for index in range(8)]
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=read_lines, args=(lines,), daemon=True).start()
    began = time.monotonic()
    number = samples = 0
    gop, next_key, shown = 2 * RATE, 0, True
    while True:
        while not lines.empty():
            match lines.get().split():
                case ["gop", seconds]:
                    gop = round(float(seconds) * RATE)
                    next_key = number - number % gop + gop
                case ["picture", state]:
                    shown = state == "on"
                case _:
                    container.close()
                    return
        while samples < (number / RATE + SOUND_AHEAD_S) * 48_000:
            tone = 3000 * np.sin(np.arange(samples, samples + SAMPLES) * (2 * np.pi * 440 / 48_000))
            block = np.repeat(tone.astype(np.int16), 2)[None]
            sound = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
            sound.sample_rate, sound.pts = 48_000, samples
            container.mux(audio.encode(sound))
            samples += SAMPLES
        if shown:
            picture = pictures[number % len(pictures)]
            picture.pts, picture.time_base = number, Fraction(1, RATE)
            picture.pict_type = PictureType.I if number >= next_key else PictureType.NONE
            if number >= next_key:
                next_key = number + gop
            container.mux(video.encode(picture))
        number += 1
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))


def read_lines(lines: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        lines.put(line.strip())
    lines.put("")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
