"""Reads the settings: flags before environment before file before defaults; refuses what it doesn't know."""

from __future__ import annotations

import argparse
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from signaling.settings import ENV_PREFIX, Settings

__all__ = ["ConfigurationError", "add_flags", "load", "markdown_table"]

CONFIG = "config"
OTHER_VARIABLES = frozenset({f"{ENV_PREFIX}CONFIG", f"{ENV_PREFIX}STREAM_KEY"})
"""Known, but no settings: the file's name, and what the demo's publisher reads."""

SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?$")
"""Kubernetes puts these into every pod beside a service called "spillway"
(https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)."""


class ConfigurationError(ValueError):
    """The configuration can't be used. The text is one line that names the setting."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """A flag for every setting, with dashes or underscores; each takes a value."""
    group = parser.add_argument_group("settings", "each also in the --config file and as SPILLWAY_NAME")
    parser.add_argument("--config", metavar="FILE", help="TOML file with settings")
    for name, field in Settings.model_fields.items():
        names = dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}"))
        group.add_argument(
            *names,
            dest=name,
            metavar="VALUE",
            default=None,
            help=f"{field.description} [{_default(name)}]".replace("%", "%%"),
        )


def load(flags: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from parsed ``flags``, the environment and the file. Raises ConfigurationError."""
    environ = os.environ if environ is None else environ
    file = flags.get(CONFIG) or environ.get(f"{ENV_PREFIX}CONFIG")
    values = _read_file(Path(file)) if file else {}
    values |= _read_environment(environ)
    values |= {name: flags[name] for name in Settings.model_fields if flags.get(name) is not None}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigurationError(_one_line(error)) from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"config: can't read {path}: {reason}") from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"config: {path}: {error}") from None
    unknown = sorted(set(values) - set(Settings.model_fields))
    if unknown:
        raise ConfigurationError(f"{unknown[0]}: unknown setting in {path}")
    return values


def _read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, value in environ.items():
        if not variable.startswith(ENV_PREFIX) or variable in OTHER_VARIABLES:
            continue
        name = variable.removeprefix(ENV_PREFIX).lower()
        if SERVICE_LINK.search(variable) and (name not in Settings.model_fields or "://" in value):
            continue
        if name not in Settings.model_fields:
            raise ConfigurationError(f"{variable}: unknown setting in the environment")
        values[name] = value
    return values


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ").splitlines()[0]
    if first["type"].startswith("bool_"):
        what = "must be on or off"
    return f"{where}: {what}" if where else what


def _default(name: str) -> str:
    default = Settings.model_fields[name].default
    if isinstance(default, bool):
        return "on" if default else "off"
    if default is None or default == []:
        return ""
    return ",".join(default) if isinstance(default, list) else str(default)


def markdown_table() -> str:
    """The table of docs/configuration.md."""
    rows = ["| setting | flag | environment | default | meaning |", "| --- | --- | --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = f"`{_default(name)}`" if _default(name) else ""
        flag, variable = f"--{name.replace('_', '-')}", f"{ENV_PREFIX}{name.upper()}"
        rows.append(f"| `{name}` | `{flag}` | `{variable}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(markdown_table(), end="")
