"""The files that the rules look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["PACKAGES", "ROOT", "modules", "sources"]

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("sfu", "mixer", "hls_bridge", "signaling")
BUILT = {"node_modules", "target", "static", "dist", "__pycache__"}


def sources(folders: tuple[str, ...], suffixes: tuple[str, ...]) -> list[Path]:
    """Files below the folders with one of the suffixes, without what was built or installed."""
    found = [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in suffixes and path.is_file() and not BUILT & set(path.relative_to(ROOT).parts)
    ]
    assert found, f"no {suffixes} in {folders}: the rule looks at nothing"
    return found


def modules(*folders: str) -> Iterator[tuple[str, str, ast.Module]]:
    """Path from the root, text and syntax tree of every Python module below the folders."""
    for path in sources(folders, (".py",)):
        text = path.read_text()
        yield path.relative_to(ROOT).as_posix(), text, ast.parse(text)
