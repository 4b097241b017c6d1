"""The engine, the pages and the codecs of this installation."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import av.codec

from hls_bridge.encoder import NoEncoder, h264_encoder_name
from mixer.composite import CompositorUnavailable, open_compositor
from mixer.encode import NoVideoEncoder, VideoEncoder
from mixer.messages import MixerConfig
from signaling.doctor.finding import Finding
from signaling.http.pages import STATIC, Pages
from signaling.settings import Settings

__all__ = ["check"]

CODECS = {
    "libx264": "H.264 encoding: the HLS ladder and the mixer",
    "libopus": "Opus encoding: sound of the mixer",
    "aac": "AAC encoding: sound of HLS",
    "h264": "H.264 decoding",
    "vp8": "VP8 decoding",
}
ENCODERS = frozenset({"libx264", "libopus", "aac"})


def check(settings: Settings) -> list[Finding]:
    return [*_engine(settings), _pages(), *_codecs(), _h264_encoder(), *_mixer(settings)]


def _engine(settings: Settings) -> Iterator[Finding]:
    if not settings.runs("engine"):
        return
    try:
        importlib.import_module("sfu._engine")
    except ImportError as error:
        yield Finding("fix", "engine", f"can't be loaded ({error})", "make setup, or pip install spillway")
    else:
        yield Finding("ok", "engine", "loads")


def _pages() -> Finding:
    if Pages(STATIC).built:
        return Finding("ok", "pages", "built")
    return Finding("warn", "pages", "not built: API, WHIP and WHEP work, the web app doesn't", "make setup")


def _h264_encoder() -> Finding:
    try:
        name = h264_encoder_name()
    except NoEncoder as error:
        return Finding("fix", "H.264 encoder", str(error), "pip install --force-reinstall av")
    where = "the CPU" if name == "libx264" else "the GPU"
    return Finding("ok", "H.264 encoder", f"{name}: the HLS ladder is made on {where}")


def _mixer(settings: Settings) -> Iterator[Finding]:
    """What a mixer of this node would choose, found as it would find it."""
    if not settings.runs("mixer"):
        return
    config = MixerConfig()
    try:
        encoder = VideoEncoder((config.width, config.height), config.fps, config.bitrate_bps).name
    except NoVideoEncoder as error:
        yield Finding("fix", "mixer", str(error), "pip install --force-reinstall av")
        return
    try:
        open_compositor("cuda")
    except CompositorUnavailable as error:
        drawn = f"the CPU ({error})"
    else:
        drawn = "the GPU"
    yield Finding("ok", "mixer", f"encodes with {encoder}, draws on {drawn}")


def _codecs() -> Iterator[Finding]:
    for name, purpose in CODECS.items():
        try:
            if name in ENCODERS:
                av.codec.Codec(name, "w")
            else:
                av.codec.Codec(name, "r")
        except av.codec.codec.UnknownCodecError:
            yield Finding(
                "fix", name, f"missing ({purpose})", "pip install --force-reinstall av (its wheel has it)"
            )
        else:
            yield Finding("ok", name, purpose)
