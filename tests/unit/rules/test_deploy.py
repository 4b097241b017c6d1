"""What docker-compose.yml names is there: stages, files, settings."""

from __future__ import annotations

import os
import re
from pathlib import Path

from signaling.settings import Settings

ROOT = Path(__file__).parents[3]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
OUTSIDE = {"SPILLWAY_TLS_DIR"}
"""Read by docker-compose.yml itself."""


def test_stages_are_built() -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    wanted = set(re.findall(r"^\s+target: (\S+)$", COMPOSE, re.MULTILINE))
    assert wanted
    assert wanted <= stages


def test_files_are_shipped() -> None:
    mounted = set(re.findall(r"^\s+- \./(\S+):/deploy:ro$", COMPOSE, re.MULTILINE))
    assert mounted == {"docs/deploy"}
    named = set(re.findall(r"/deploy/([\w.]+)", COMPOSE))
    assert named == {path.name for path in (ROOT / "docs/deploy").iterdir()}
    assert all(os.access(ROOT / "docs/deploy" / name, os.X_OK) for name in named if name.endswith(".sh"))


def test_settings_exist() -> None:
    named = set(re.findall(r"SPILLWAY_\w+", COMPOSE)) - OUTSIDE
    assert named <= {f"SPILLWAY_{name.upper()}" for name in Settings.model_fields}
