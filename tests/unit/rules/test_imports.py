"""Imports point one way: signaling -> mixer, hls_bridge -> sfu."""

from __future__ import annotations

import ast

import pytest

from tests.unit.rules.tree import PACKAGES, ROOT, modules

MAY_IMPORT = {
    "sfu": {"sfu"},
    "mixer": {"mixer", "sfu"},
    "hls_bridge": {"hls_bridge", "sfu"},
    "signaling": set(PACKAGES),
}


def wrong_imports(path: str, tree: ast.Module) -> list[str]:
    package = path.split("/")[0]
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] in {*PACKAGES, "tests"} - MAY_IMPORT[package]:
                found.append(f"{path}:{node.lineno}: {package} imports {name}")
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    assert [wrong for path, _, tree in modules(package) for wrong in wrong_imports(path, tree)] == []


def test_the_mixer_imports_without_the_engine() -> None:
    direct = [
        f"{path}:{node.lineno}"
        for path, _, tree in modules("mixer")
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom) and "sfu._engine" in ast.unparse(node)
    ]
    assert direct == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("sfu/a.py", "import signaling.api"),
        ("sfu/a.py", "from mixer.stage import Stage"),
        ("mixer/a.py", "def f():\n    from hls_bridge import ladder"),
        ("hls_bridge/a.py", "import asyncio, signaling"),
        ("signaling/a.py", "from tests.e2e import page"),
    ],
)
def test_the_rule_can_fail(path: str, line: str) -> None:
    assert len(wrong_imports(path, ast.parse(line))) == 1


def test_the_rule_lets_the_right_direction_pass() -> None:
    assert wrong_imports("mixer/a.py", ast.parse("from sfu.media import Codec\nfrom . import stage")) == []


def test_what_tests_import_of_each_other_is_there() -> None:
    """Scripts run by hand are imported by no test: one that was left behind would be found much later."""
    missing = [
        f"{path}:{node.lineno}: {node.module}"
        for path, _, tree in modules("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("tests.")
        and not ROOT.joinpath(*(node.module or "").split(".")).with_suffix(".py").is_file()
        and not ROOT.joinpath(*(node.module or "").split("."), "__init__.py").is_file()
    ]
    assert missing == []
