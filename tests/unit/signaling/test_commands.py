"""The command line as somebody meets it who does not know it."""

from __future__ import annotations

import pytest

from signaling.benchmarks import BENCHMARKS
from signaling.cli import main


@pytest.mark.parametrize("argv", [["--help"], ["serve", "--help"], ["bench", "--help"], ["--version"]])
def test_what_one_asks_first(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = main(argv)
    except SystemExit as end:  # argparse ends the process itself
        code = end.code
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert "spillway" in out
    if argv[0] == "bench":
        assert all(name in out for name in BENCHMARKS)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "COMMAND; `spillway --help`"),
        (["sevre"], "invalid choice: 'sevre'"),
        (["serve", "--http-port"], "--http_port: expected one argument; `spillway serve --help`"),
        (["serve", "--colour", "red"], "--colour: unknown setting or argument; `spillway serve --help`"),
        (["serve", "--rate-limits", "perhaps"], "rate_limits: must be on or off"),
        (["bench"], "there are forward, "),
        (["bench", "nothing"], "no benchmark 'nothing'; there are forward, "),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(argv)
    except SystemExit as end:
        code = end.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("spillway: ")
    assert said in err
