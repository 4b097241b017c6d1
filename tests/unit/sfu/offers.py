"""Recorded offers and the answers that are expected to them."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "fixtures" / "sdp"
PUBLISHERS = (
    "chromium-publish",
    "chromium-simulcast",
    "firefox-publish",
    "firefox-simulcast",
    "obs-publish",
    "ffmpeg-publish",
)
VIEWERS = ("chromium-watch", "chromium-watch-data", "firefox-watch", "firefox-watch-data")


def offer(name: str) -> str:
    return (FOLDER / f"{name}.sdp").read_bytes().decode()


def answer(name: str) -> str:
    return (FOLDER / "answers" / f"{name}.sdp").read_bytes().decode()
