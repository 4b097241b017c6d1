"""The command ``spillway``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from signaling import configuration
from signaling.version import package_version

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code: 2 for wrong usage and what can't start."""
    parser = _parser()
    argv = sys.argv[1:] if argv is None else argv
    if list(argv[:1]) == ["bench"]:
        # Each benchmark has flags of its own.
        from signaling import benchmarks

        return benchmarks.run(argv[1] if len(argv) > 1 else "", argv[2:])
    options, rest = parser.parse_known_args(argv)
    if rest:
        key = rest[0].split("=", 1)[0]
        advice = f"`spillway {options.command} --help` lists what there is"
        print(f"spillway: {key}: unknown setting or argument; {advice}", file=sys.stderr)
        return 2
    if options.command == "version":
        print(f"spillway {package_version()}")
        return 0
    try:
        settings = configuration.load(vars(options))
    except configuration.ConfigurationError as error:
        print(f"spillway: {error}", file=sys.stderr)
        return 2
    if options.command == "doctor":
        from signaling import doctor

        return doctor.run(settings)
    if options.command == "demo" and not settings.runs("engine"):
        print("spillway: roles: the demo publishes over WHIP, which needs the role engine", file=sys.stderr)
        return 2
    from signaling import serve

    if options.command == "demo":
        from signaling.demonstration import demonstration

        return serve.run(settings, demonstration)
    return serve.run(settings)


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, like whatever else can't start: its usage is forty."""

    def error(self, message: str) -> NoReturn:
        print(f"spillway: {message}; `{self.prog} --help` lists what there is", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="spillway", description="Self-hosted live streaming.")
    parser.add_argument("--version", action="version", version=f"spillway {package_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in (
        ("serve", "run a node"),
        ("demo", "run a node with a demo stream"),
        ("doctor", "check this machine and say what to fix"),
    ):
        # No abbreviations: `--http` would mean something else the day a setting is added.
        command = commands.add_parser(name, help=meaning, description=meaning, allow_abbrev=False)
        configuration.add_flags(command)
    commands.add_parser("bench", help="run a benchmark", add_help=False)
    commands.add_parser("version", help="print the version")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
