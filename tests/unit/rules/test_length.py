"""One feature, one file: none longer than 450 lines, and no drawer for leftovers."""

from __future__ import annotations

from tests.unit.rules.tree import PACKAGES, ROOT, sources

LIMIT = 450
MAY_BE_LONGER: dict[str, str] = {}
"""Path -> why it can't be split."""

DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "managers", "manager"}


def too_long(lengths: dict[str, int]) -> list[str]:
    return [
        f"{path}: {lines} lines"
        for path, lines in lengths.items()
        if lines > LIMIT and path not in MAY_BE_LONGER
    ]


def test_no_file_is_too_long() -> None:
    files = sources((*PACKAGES, "web", "tests"), (".py", ".rs", ".ts", ".tsx"))
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in files}
    for path, lines in sorted(lengths.items(), key=lambda item: -item[1])[:5]:
        print(f"{lines:5} {path}")
    assert too_long(lengths) == []


def test_no_file_is_a_drawer() -> None:
    files = sources((*PACKAGES, "web"), (".py", ".rs", ".ts", ".tsx"))
    assert [str(path.relative_to(ROOT)) for path in files if path.stem.lower() in DRAWERS] == []


def test_the_rule_can_fail() -> None:
    assert too_long({"a.py": LIMIT, "b.rs": LIMIT + 1}) == [f"b.rs: {LIMIT + 1} lines"]
