"""What a mix costs: CPU seconds per second of program, split into its parts; microseconds on a GPU.

``spillway bench mixer --hosts 9 --size 1920x1080`` prints progress on stderr and one JSON object as
the last line of stdout; ``--hosts 9 2 4 16`` measures the others too (``by_hosts``) and prints a table on
stderr. Needs neither the engine nor a network.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
import numpy as np

from mixer.assets import Assets
from mixer.bench_gpu import run_gpu
from mixer.composite import Picture
from mixer.composite.cpu import CpuCompositor
from mixer.composite.picture import blank, frame_of, picture_of
from mixer.encode import EncodedPicture, OpusEncoder, VideoEncoder
from mixer.layout import Host, LayoutSpec, Subject, arrange
from mixer.sound import BLOCK, RATE
from mixer.sound.input import SoundInput
from mixer.sound.mix import SoundMix
from mixer.staging import stage_scene
from mixer.sync import HostSync
from mixer.video import VideoInput, choose_encoding
from sfu.media import Codec, RtpPacket, TapBatch
from sfu.packetize import H264Packetizer, OpusPacketizer

__all__ = ["add_arguments", "measure", "run"]

LAYERS = {"h": (1280, 720, 1_500_000), "m": (640, 360, 500_000), "l": (320, 180, 150_000)}
"""A browser's three encodings of 720p30: width, height, bits per second."""


class _Stopwatch:
    """CPU time of this process by part of the work."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        start = time.process_time()
        try:
            yield
        finally:
            self.spent[part] = self.spent.get(part, 0.0) + time.process_time() - start


def moving_picture(width: int, height: int, tick: int, seed: int) -> Picture:
    """Something like a person before a wall: soft shapes, fine texture, a slow drift of part of it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / height
    wall = 110 + 30 * np.sin(3 * x + seed) + 20 * np.sin(5 * y + 2 * x)
    texture = rng.normal(0, 4, (height, width))
    centre = (0.9 + 0.03 * np.sin(tick / 9 + seed), 0.55 + 0.02 * np.cos(tick / 7))
    inside = (x - centre[0]) ** 2 * 1.6 + (y - centre[1]) ** 2 < 0.11
    face = 150 + 40 * np.sin(14 * (x - centre[0]) + tick / 15) * np.cos(11 * (y - centre[1]))
    picture = blank(width, height)
    picture.y[:] = np.clip(np.where(inside, face, wall) + texture, 16, 235)
    picture.u[:] = np.clip(128 + 20 * np.sin(2 * x[::2, ::2] + seed), 16, 240)
    picture.v[:] = np.clip(128 + 20 * np.where(inside[::2, ::2], 1, np.cos(y[::2, ::2])), 16, 240)
    return picture


def _host_video(rid: str, fps: int, ticks: int, seed: int) -> list[list[RtpPacket]]:
    """One encoding's packets, tick by tick, looped from one second of pictures."""
    width, height, bitrate = LAYERS[rid]
    encoder = VideoEncoder((width, height), fps, bitrate, names=("libx264",), preset="veryfast", threads=1)
    frames = [frame_of(moving_picture(width, height, tick, seed)) for tick in range(fps)]
    packetizer, out = H264Packetizer(), []
    for tick in range(ticks):
        # There and back, so that the loop has no cut in it.
        frame = frames[min(tick % (2 * fps), 2 * fps - 1 - tick % (2 * fps))]
        units = encoder.encode(frame, tick * 90_000 // fps)
        out.append([p for unit in units for p in packetizer.packetize(unit.data, unit.rtp_time)])
    return out


def _host_sound(seconds: int, seed: int) -> list[RtpPacket]:
    encoder, packetizer = OpusEncoder(48_000), OpusPacketizer()
    rng = np.random.default_rng(seed)
    t = np.arange(seconds * RATE) / RATE
    wave = 0.2 * np.sin(2 * np.pi * (120 + 7 * seed) * t) * (1 + np.sin(2 * np.pi * 3 * t)) / 2
    signal = (wave + rng.normal(0, 0.01, len(t))).astype(np.float32)
    stereo = np.repeat(signal[:, None], 2, axis=1)
    out: list[RtpPacket] = []
    for start in range(0, len(stereo), 2 * BLOCK):
        for data in encoder.encode(stereo[start : start + 2 * BLOCK]):
            out.append(packetizer.packetize(data, len(out) * 2 * BLOCK))
    return out


def _psnr(a: Picture, b: Picture) -> float:
    planes = ((a.y, b.y), (a.u, b.u), (a.v, b.v))
    error = sum(float(np.sum((p.astype(np.int32) - q) ** 2)) for p, q in planes)
    return float(10 * np.log10(255**2 * sum(p.size for p, _ in planes) / max(error, 1e-9)))


def measure(
    hosts: int = 9,
    size: tuple[int, int] = (1920, 1080),
    *,
    fps: int = 30,
    seconds: int = 4,
    preset: str = "superfast",
    bitrate_bps: int = 4_500_000,
    gpu: bool = True,
    progress: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
) -> dict[str, Any]:
    """Mix ``hosts`` of 720p into one program as fast as it goes; all on one thread, so parts add up.

    Keys: ``cpu_s_per_s`` and its parts ``decode`` (with depacketising), ``composite`` (with halving),
    ``encode`` (both encodings), ``sound``, all CPU seconds per second of program; ``bitrate_bps`` and
    ``psnr_db`` of the full encoding against the composed picture; ``gpu`` where there is one.
    """
    ticks = seconds * fps
    people = [Host(f"p{n}", f"Host {n}") for n in range(hosts)]
    arrangement = arrange(people, LayoutSpec("grid"), size)
    seen = {rid: (width, height) for rid, (width, height, _) in LAYERS.items()}
    chosen = {
        tile.subject: choose_encoding(list(LAYERS), seen, (round(tile.rect.w), round(tile.rect.h)), None)
        or "h"
        for tile in arrangement.tiles
    }
    progress(f"{hosts} hosts, encodings {sorted(chosen.values())}: making {ticks} pictures each")
    # Four different hosts are enough; more would only take longer to make.
    kinds = range(min(hosts, 4))
    videos = {(rid, n): _host_video(rid, fps, ticks, n) for rid in set(chosen.values()) for n in kinds}
    sounds = [_host_sound(seconds, n) for n in kinds]

    watch, assets, compositor = _Stopwatch(), Assets(), CpuCompositor()
    inputs = {subject: VideoInput(HostSync()) for subject in chosen}
    full = VideoEncoder(size, fps, bitrate_bps, names=("libx264",), preset=preset, threads=1)
    half_size = (size[0] // 2, size[1] // 2)
    half = VideoEncoder(half_size, fps, bitrate_bps // 4, names=("libx264",), preset=preset, threads=1)
    mix, speakers = SoundMix(), [SoundInput(HostSync()) for _ in range(hosts)]
    for n, speaker in enumerate(speakers):
        mix.add(f"p{n}", speaker.read)
    opus, codec = OpusEncoder(), Codec("H264", 90_000)
    names = {person.participant_id: person.name for person in people}
    units: list[EncodedPicture] = []
    last_picture: Picture | None = None
    progress("mixing")
    # The first tick opens decoders, fonts and filters; it is left out of the figures.
    for tick in range(ticks):
        if tick == 1:
            watch.spent.clear()
        now_us = tick * 1_000_000 // fps
        pictures: dict[Subject, Picture | None] = {}
        with watch("decode"):
            for n, (subject, rid) in enumerate(chosen.items()):
                packets = videos[rid, n % 4][tick]
                video = inputs[subject]
                access_units = video.units(TapBatch(codec, rid, 1, packets), now_us)
                decoded = video.decode(access_units, now_us)
                if decoded.pictures:
                    pictures[subject] = decoded.pictures[-1][1]
        with watch("composite"):
            (picture,) = compositor.compose([stage_scene(arrangement, pictures, names, assets)])
            small = compositor.halve(picture)
        with watch("encode"):
            units += full.encode(compositor.frame(picture), tick * 90_000 // fps)
            half.encode(compositor.frame(small), tick * 90_000 // fps)
        if tick == ticks - 1:
            last_picture = picture
        with watch("sound"):
            for block_at in range(now_us // 20_000 * 20_000, (tick + 1) * 1_000_000 // fps, 20_000):
                if block_at < now_us:
                    continue
                for n, speaker in enumerate(speakers):
                    packet = sounds[n % 4][block_at // 20_000]
                    arrived = RtpPacket(packet.sequence, packet.timestamp, True, packet.payload, block_at)
                    speaker.push([arrived], None)
                blocks = [mix.render(block_at), mix.render(block_at + 10_000)]
                opus.encode(np.concatenate(blocks))
    measured = (ticks - 1) / fps
    parts = {part: round(spent / measured, 4) for part, spent in watch.spent.items()}
    total = sum(watch.spent.values()) / measured
    result: dict[str, Any] = {"cpu_s_per_s": round(total, 4), **parts}
    assert last_picture is not None
    result |= {
        "composite_share": round(parts["composite"] / total, 3),
        "hosts": hosts,
        "size": f"{size[0]}x{size[1]}",
        "fps": fps,
        "preset": preset,
        "encodings": {rid: sum(c == rid for c in chosen.values()) for rid in LAYERS},
        "bitrate_bps": round(sum(len(unit.data) for unit in units) * 8 * fps / ticks),
        "psnr_db": round(_psnr(_last_decoded(units), last_picture), 2),
    }
    if gpu:
        result |= run_gpu(progress)
    return result


def _last_decoded(units: list[EncodedPicture]) -> Picture:
    decoder = av.CodecContext.create("h264", "r")
    frames: list[av.VideoFrame] = []
    for unit in units:
        packet = av.Packet(unit.data)
        packet.pts, packet.time_base = unit.rtp_time, Fraction(1, 90_000)
        frames = decoder.decode(packet) or frames
    frames = decoder.decode(None) or frames
    return picture_of(frames[-1])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of ``spillway bench mixer``."""
    parser.add_argument("--hosts", type=int, nargs="+", default=[9], metavar="N")
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--fps", type=int, default=30, choices=(30, 60))
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--preset", default="superfast")
    parser.add_argument("--no-gpu", action="store_true")


def run(options: argparse.Namespace) -> dict[str, Any]:
    """What ``measure`` returns for the first number of hosts, and ``by_hosts`` for all if there are more."""
    width, _, height = options.size.partition("x")
    results = [
        measure(
            hosts,
            (int(width), int(height)),
            fps=options.fps,
            seconds=options.seconds,
            preset=options.preset,
            gpu=hosts == options.hosts[0] and not options.no_gpu,
        )
        for hosts in options.hosts
    ]
    if len(results) == 1:
        return results[0]
    for row in _table(results):
        print(row, file=sys.stderr)
    return results[0] | {"by_hosts": {str(result["hosts"]): result for result in results}}


def _table(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Rows of Markdown; CPU seconds per second of program."""
    yield "| hosts | encodings | all in | decode | composite | encode | sound | bitrate | PSNR |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for each in results:
        encodings = ", ".join(f"{count} x {rid}" for rid, count in each["encodings"].items() if count)
        parts = [f"{each[part]:.2f}" for part in ("cpu_s_per_s", "decode", "composite", "encode", "sound")]
        parts[2] += f" ({each['composite_share']:.1%})"
        quality = f"{each['bitrate_bps'] / 1e6:.1f} Mb/s | {each['psnr_db']:.1f} dB"
        yield f"| {each['hosts']} | {encodings} | {' | '.join(parts)} | {quality} |"
