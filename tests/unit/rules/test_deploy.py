"""What docker-compose.yml names is there: stages, files, settings."""

from __future__ import annotations

import os
import re
from pathlib import Path

from signaling.configuration import load
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


def test_settings_that_are_proposed_can_be_used() -> None:
    proposed = dict(re.findall(r"^\s+# (SPILLWAY_\w+): (\S.*)$", COMPOSE, re.MULTILINE))
    assert proposed
    load({}, {name: value.strip("'\"") for name, value in proposed.items()})


def test_ports_are_those_of_the_settings() -> None:
    http, rtc = Settings.model_fields["http_port"].default, Settings.model_fields["rtc_port"].default
    ports = {f"{http}/tcp", f"{rtc}/udp", f"{rtc}/tcp"}
    [exposed] = re.findall(r"^EXPOSE (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(exposed.split()) == ports
    [published] = re.findall(r"^\s+# ports: \[(.+)\]$", COMPOSE, re.MULTILINE)
    assert {each.split(":")[1] for each in re.findall(r'"(\S+)"', published)} == ports
