"""Broad excepts say why; the result of every create_task is kept."""

from __future__ import annotations

import ast

import pytest

from tests.unit.rules.names import dotted
from tests.unit.rules.tree import PACKAGES, modules

BROAD = {"Exception", "BaseException"}
SPAWNS = {"create_task", "ensure_future"}


def broad_excepts(path: str, text: str, tree: ast.Module) -> list[str]:
    """Handlers of everything without a comment on their line; ``# noqa`` and ``# type`` state no reason."""
    lines = text.splitlines()
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if all(kind is not None and dotted(kind) not in BROAD for kind in kinds):
            continue
        comments = lines[node.lineno - 1].partition("#")[2].split("#")
        if not any(c.strip() and not c.strip().startswith(("noqa", "type:", "pragma")) for c in comments):
            found.append(f"{path}:{node.lineno}")
    return found


def lost_tasks(path: str, tree: ast.Module) -> list[str]:
    """Tasks that are started as a statement of their own, except in a task group, which owns its tasks."""
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
            continue
        function = node.value.func
        if isinstance(function, ast.Attribute) and function.attr in SPAWNS:
            owner = ast.unparse(function.value).lower()
            if function.attr == "create_task" and (
                "group" in owner or owner.split(".")[-1] in ("tg", "_tg", "tasks", "_tasks")
            ):
                continue
            found.append(f"{path}:{node.lineno}")
        elif isinstance(function, ast.Name) and function.id in SPAWNS:
            found.append(f"{path}:{node.lineno}")
    return found


def test_broad_excepts_state_a_reason() -> None:
    assert [hit for path, text, tree in modules(*PACKAGES) for hit in broad_excepts(path, text, tree)] == []


def test_every_task_is_owned() -> None:
    assert [hit for path, _, tree in modules(*PACKAGES, "tests") for hit in lost_tasks(path, tree)] == []


@pytest.mark.parametrize(
    "clause",
    [
        "except:",
        "except Exception:",
        "except (ValueError, BaseException) as e:",
        "except Exception:  # noqa: BLE001",
    ],
)
def test_the_rule_on_excepts_can_fail(clause: str) -> None:
    text = f"try:\n    f()\n{clause}\n    pass\n"
    assert broad_excepts("a.py", text, ast.parse(text)) == ["a.py:3"]


@pytest.mark.parametrize("clause", ["except OSError:", "except Exception:  # a plug-in may raise anything"])
def test_the_rule_on_excepts_lets_reasons_pass(clause: str) -> None:
    text = f"try:\n    f()\n{clause}\n    pass\n"
    assert broad_excepts("a.py", text, ast.parse(text)) == []


@pytest.mark.parametrize(
    "snippet",
    [
        "asyncio.create_task(f())",
        "loop.create_task(f())",
        "asyncio.ensure_future(f())",
        "from asyncio import create_task\ncreate_task(f())",
    ],
)
def test_the_rule_on_tasks_can_fail(snippet: str) -> None:
    assert len(lost_tasks("a.py", ast.parse(snippet))) == 1


@pytest.mark.parametrize(
    "snippet", ["self._task = asyncio.create_task(f())", "group.create_task(f())", "tg.create_task(f())"]
)
def test_the_rule_on_tasks_lets_owned_ones_pass(snippet: str) -> None:
    assert lost_tasks("a.py", ast.parse(snippet)) == []
