"""``spillway bench ladder``: CPU of our ladder against the ffmpeg command line, same encoder settings.

Both decode the same H.264 source with one thread and make the same rungs with libx264 and fragmented MP4;
quality is the luma PSNR of every rung, scaled up to the source's size, against the source. With
``--passthrough`` our top rung is the source itself; ``ratio`` is then still against ffmpeg that transcodes
all rungs, ``copy_ratio`` against ffmpeg that copies the top one (``-c copy``) and transcodes the others.
"""

from __future__ import annotations

import argparse
import io
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from hls_bridge.encoder import PassthroughTrack
from hls_bridge.ladder import Ladder
from hls_bridge.part import Event, Part, PartGroup
from hls_bridge.rendition import Rendition, choose_ladder
from hls_bridge.rung import TICKS, Picture

__all__ = ["add_arguments", "run"]

GOP_S = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", type=Path, help="an H.264 file; default: made here, 1080p30")
    parser.add_argument("--rungs", type=int, default=4, help="rungs, the best first")
    parser.add_argument("--passthrough", action="store_true", help="the source is the top rung")
    parser.add_argument("--seconds", type=int, default=10, help="length of the source that is made")
    parser.add_argument("--runs", type=int, default=1, help="runs of each, in turn; the medians are given")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Returns the contract's keys. Raises FileNotFoundError without an ffmpeg program."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise FileNotFoundError("ffmpeg is missing: apt-get install ffmpeg")
    with tempfile.TemporaryDirectory() as folder:
        source = args.source or _make_source(Path(folder) / "source.mp4", args.seconds)
        with av.open(source) as container:
            stream = container.streams.video[0]
            fps = round(float(stream.average_rate or 30))
            renditions = choose_ladder(stream.width, stream.height, fps, passthrough=args.passthrough)
        renditions = renditions[: args.rungs]
        print(f"rungs: {', '.join(r.name for r in renditions)}", file=sys.stderr)
        # What passing the top rung through saves is measured against transcoding all of them.
        all_transcoded = choose_ladder(stream.width, stream.height, fps)[: args.rungs]
        cpu: dict[str, list[float]] = defaultdict(list)
        for _ in range(args.runs):
            used, seconds, ours = _ours(source, renditions, fps, args.passthrough)
            cpu["ours"].append(used / seconds)
            used, theirs = _ffmpeg(ffmpeg, source, all_transcoded, fps, Path(folder))
            cpu["ffmpeg"].append(used / seconds)
            if args.passthrough:
                used, _ = _ffmpeg(ffmpeg, source, renditions, fps, Path(folder))
                cpu["ffmpeg -c copy"].append(used / seconds)
        for name, values in cpu.items():
            print(f"{name}: {', '.join(f'{v:.3f}' for v in values)} CPU s per s", file=sys.stderr)
        median = {name: statistics.median(values) for name, values in cpu.items()}
        transcoded = [r.name for r in renditions if not r.passthrough]
        psnr = [_psnr(source, ours[name]) for name in transcoded]
        ffmpeg_psnr = [_psnr(source, theirs[name]) for name in transcoded]
        for name, mine, other in zip(transcoded, psnr, ffmpeg_psnr, strict=True):
            print(f"{name}: {mine:.2f} dB, ffmpeg {other:.2f} dB", file=sys.stderr)
    return {
        "cpu_s_per_s": round(median["ours"], 4),
        "ffmpeg_cpu_s_per_s": round(median["ffmpeg"], 4),
        "ratio": round(median["ours"] / median["ffmpeg"], 4),
        "psnr_db": round(sum(psnr) / len(psnr), 3),
        "ffmpeg_psnr_db": round(sum(ffmpeg_psnr) / len(ffmpeg_psnr), 3),
        "rungs": [r.name for r in renditions],
        **_against_copy(median),
    }


def _against_copy(median: dict[str, float]) -> dict[str, float]:
    copy = median.get("ffmpeg -c copy")
    if copy is None:
        return {}
    return {"ffmpeg_copy_cpu_s_per_s": round(copy, 4), "copy_ratio": round(median["ours"] / copy, 4)}


def _make_source(path: Path, seconds: int) -> Path:
    """Moving texture with a still part and noise, like a camera: 1080p30, 6 Mb/s, an IDR every 2 s."""
    width, height, fps = 1920, 1080, 30
    rng = np.random.default_rng(7)
    base = rng.integers(0, 255, (height // 4 + 1, width // 4 + 80), np.uint8)
    texture = np.kron(base, np.ones((4, 4), np.uint8))[:height]
    texture = np.stack([np.roll(texture, s, 1) for s in range(0, 16, 2)]).mean(0).astype(np.uint8)
    with av.open(path, "w") as container:
        options = {
            "preset": "veryfast",
            "tune": "zerolatency",
            "g": str(GOP_S * fps),
            "keyint_min": str(GOP_S * fps),
        }
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 6_000_000
        planes = np.full((height * 3 // 2, width), 128, np.uint8)
        for index in range(seconds * fps):
            shift = index * 2 % 300
            planes[:height] = texture[:, shift : shift + width]
            planes[height // 2 : height, : width // 2] = texture[height // 2 :, : width // 2]
            noise = rng.integers(0, 6, (height // 2, width // 2), np.uint8)
            planes[: height // 2, : width // 2] += noise
            frame = VideoFrame.from_ndarray(planes, format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _ours(
    source: Path, renditions: tuple[Rendition, ...], fps: int, passthrough: bool
) -> tuple[float, float, dict[str, bytes]]:
    """(CPU seconds, media seconds, rung to fragmented MP4)."""
    parts: dict[str, list[Part]] = defaultdict(list)

    def emit(event: Event) -> None:
        if isinstance(event, PartGroup):
            for part in event.parts:
                parts[part.track].append(part)

    with av.open(source) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        packets = [
            p for packet in container.demux(stream) for p in annex_b.filter(packet if packet.size else None)
        ]
        before = _cpu(resource.RUSAGE_SELF)
        track = PassthroughTrack(bytes(packets[0])) if passthrough else None
        ladder = Ladder(
            renditions, fps, emit, active={r.name for r in renditions}, passthrough=track, realtime=False
        )
        inits = {spec.name: spec.init for spec in ladder.specs}
        slot, tick, segment_slots = 0, TICKS // fps, GOP_S * fps
        decoder = av.CodecContext.create("h264", "r")
        decoder.thread_count = 1
        for packet in packets:
            if passthrough:
                key = packet.is_keyframe
                ladder.push_source(bytes(packet), len(parts) + slot * tick, keyframe=key, begins_segment=key)
            for frame in decoder.decode(packet):
                assert isinstance(frame, VideoFrame)
                segment, offset = divmod(slot, segment_slots)
                cut = slot - offset + segment_slots
                ladder.push(Picture(frame, slot * tick, segment, offset == 0, slot, slot, cut))
                slot += 1
                if slot % 15 == 0:
                    ladder.flush()
        ladder.end()
        cpu = _cpu(resource.RUSAGE_SELF) - before
    whole = {name: init + b"".join(p.data for p in parts[name]) for name, init in inits.items()}
    return cpu, slot / fps, whole


def _ffmpeg(
    ffmpeg: str, source: Path, renditions: tuple[Rendition, ...], fps: int, folder: Path
) -> tuple[float, dict[str, bytes]]:
    """The usual command line: split, a scaler per rung from the source, one thread each; a passthrough
    rendition is copied."""
    transcoded = [r for r in renditions if not r.passthrough]
    labels = "".join(f"[s{i}]" for i in range(len(transcoded)))
    graph = [f"[0:v]split={len(transcoded)}{labels}"]
    for i, r in enumerate(transcoded):
        rate = f"fps={r.fps}," if r.fps != fps else ""
        graph.append(f"[s{i}]{rate}scale={r.width}:{r.height}[v{i}]")
    command = [ffmpeg, "-y", "-v", "error", "-threads", "1", "-i", str(source), "-filter_threads", "1"]
    command += ["-filter_complex_threads", "1", "-filter_complex", ";".join(graph)]
    fragments = ["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4"]
    files = {r.name: folder / f"{r.name}.mp4" for r in renditions}
    for r in renditions:
        if r.passthrough:
            command += ["-map", "0:v", "-c:v", "copy", *fragments, str(files[r.name])]
    for i, r in enumerate(transcoded):
        command += ["-map", f"[v{i}]", "-c:v", "libx264", "-preset", r.preset, "-tune", "zerolatency"]
        command += ["-profile:v", "high", "-threads", "1", "-b:v", str(r.bitrate_bps)]
        command += ["-maxrate", str(r.maxrate_bps), "-bufsize", str(r.bufsize_bits)]
        command += ["-x264-params", f"scenecut=0:keyint={GOP_S * r.fps}:min-keyint={GOP_S * r.fps}"]
        command += [*fragments, str(files[r.name])]
    before = _cpu(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    cpu = _cpu(resource.RUSAGE_CHILDREN) - before
    return cpu, {name: path.read_bytes() for name, path in files.items()}


def _psnr(source: Path, encoded: bytes) -> float:
    """Mean luma PSNR in dB of every tenth picture; frames are paired by time."""
    errors = []
    with av.open(source) as reference, av.open(io.BytesIO(encoded), "r") as container:
        wanted = {}
        for frame in reference.decode(video=0):
            time = Fraction(frame.pts or 0) * (frame.time_base or Fraction(1))
            index = round(time * 30)
            if index % 10 == 0:
                wanted[index] = frame.to_ndarray(format="gray8").astype(np.int16)
        first: Fraction | None = None
        for frame in container.decode(video=0):
            time = Fraction(frame.pts or 0) * (frame.time_base or Fraction(1))
            first = time if first is None else first
            picture = wanted.get(round((time - first) * 30))
            if picture is not None:
                height, width = picture.shape
                up = frame.reformat(width, height, "gray8").to_ndarray().astype(np.int16)
                errors.append(float(np.mean((up - picture) ** 2.0)))
    return float(10 * np.log10(255**2 / max(1e-9, float(np.mean(errors)))))


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    import json

    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    print(json.dumps(run(parser.parse_args())))
