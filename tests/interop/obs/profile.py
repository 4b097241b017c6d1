"""OBS's configuration folder for one check: a profile that publishes over WHIP, and a scene to publish."""

from __future__ import annotations

import configparser
import json
import math
import struct
import wave
from pathlib import Path

__all__ = ["write_configuration"]

NAME = "spillway"
SCRIPT = Path(__file__).with_name("studio.lua")
WIDTH, HEIGHT, RATE = 1280, 720, 30
SAMPLE_RATE = 48_000
FIRST_RUN_DONE = 30 << 24
"""LastVersion of a configuration that OBS needs not migrate: major << 24 | minor << 16 | patch."""


def write_configuration(
    home: Path,
    seen_home: Path,
    whip_url: str,
    key: str,
    *,
    keyint_s: int = 2,
    bitrate_kbps: int = 2500,
) -> None:
    """Writes ``home/obs-studio`` (``XDG_CONFIG_HOME`` is ``home``); ``seen_home`` is the same folder as OBS
    sees it, which differs in another root file system."""
    obs = home / "obs-studio"
    profile = obs / "basic" / "profiles" / NAME
    scenes = obs / "basic" / "scenes"
    for folder in (profile, scenes):
        folder.mkdir(parents=True, exist_ok=True)
    _ini(
        obs / "global.ini",
        {
            "General": {
                "FirstRun": "true",
                "LastVersion": str(FIRST_RUN_DONE),
                "EnableAutoUpdates": "false",
            },
            "Basic": {
                "Profile": NAME,
                "ProfileDir": NAME,
                "SceneCollection": NAME,
                "SceneCollectionFile": NAME,
                "ConfigOnNewProfile": "false",
            },
        },
    )
    _ini(
        profile / "basic.ini",
        {
            "General": {"Name": NAME},
            "Output": {"Mode": "Advanced", "Reconnect": "true", "RetryDelay": "2", "MaxRetries": "25"},
            "AdvOut": {
                "Encoder": "obs_x264",
                "AudioEncoder": "ffmpeg_opus",
                "TrackIndex": "1",
                "Track1Bitrate": "128",
                "ApplyServiceSettings": "true",
            },
            "Video": {
                "BaseCX": str(WIDTH),
                "BaseCY": str(HEIGHT),
                "OutputCX": str(WIDTH),
                "OutputCY": str(HEIGHT),
                "FPSType": "0",
                "FPSCommon": str(RATE),
            },
            "Audio": {"SampleRate": str(SAMPLE_RATE), "ChannelSetup": "Stereo"},
        },
    )
    (profile / "service.json").write_text(
        json.dumps({"type": "whip_custom", "settings": {"server": whip_url, "bearer_token": key}})
    )
    (profile / "streamEncoder.json").write_text(
        json.dumps(
            {
                "rate_control": "CBR",
                "bitrate": bitrate_kbps,
                "keyint_sec": keyint_s,
                "preset": "superfast",
                "tune": "zerolatency",
                "bf": 0,
            }
        )
    )
    (home / SCRIPT.name).write_text(SCRIPT.read_text())
    _tone(home / "tone.wav")
    (scenes / f"{NAME}.json").write_text(json.dumps(_collection(seen_home)))


def _ini(path: Path, sections: dict[str, dict[str, str]]) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # OBS's names have capitals
    parser.read_dict(sections)
    with path.open("w") as file:
        parser.write(file, space_around_delimiters=False)


def _tone(path: Path) -> None:
    """One second of 440 Hz: a whole number of periods, so that it loops without a click."""
    level = 0.2 * 32767
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        samples = (round(level * math.sin(2 * math.pi * 440 * n / SAMPLE_RATE)) for n in range(SAMPLE_RATE))
        file.writeframes(struct.pack(f"<{SAMPLE_RATE}h", *samples))


def _collection(home: Path) -> dict[str, object]:
    """A scene of the pattern that ``studio.lua`` draws and a tone."""
    items = [
        {
            "name": name,
            "id": number,
            "visible": True,
            "pos": {"x": 0.0, "y": 0.0},
            "scale": {"x": 1.0, "y": 1.0},
        }
        for number, name in enumerate(("Pattern", "Tone"), 1)
    ]
    tone = {"local_file": str(home / "tone.wav"), "looping": True, "restart_on_activate": True}
    return {
        "name": NAME,
        "current_scene": "Scene",
        "current_program_scene": "Scene",
        "scene_order": [{"name": "Scene"}],
        "sources": [
            {"id": "spillway_pattern", "name": "Pattern", "settings": {}},
            {"id": "ffmpeg_source", "name": "Tone", "settings": tone},
            {"id": "scene", "name": "Scene", "settings": {"id_counter": len(items), "items": items}},
        ],
        "modules": {
            "scripts-tool": [{"path": str(home / SCRIPT.name), "settings": {"folder": str(home)}}],
        },
    }
