"""No key, token or password in a log: logging calls don't format names that hold one."""

from __future__ import annotations

import ast
import re

import pytest

from tests.unit.rules.names import dotted
from tests.unit.rules.tree import PACKAGES, modules

LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
SECRET = re.compile(
    r"(^|_)(key|keys|token|tokens|password|passwd|secret|secrets|ufrag|pwd|authorization|credential|credentials|cookie)($|_)"
)


def logged_secrets(path: str, tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS
        ):
            continue
        if "log" not in dotted(node.func.value).lower():
            continue
        # The text of a message may say "key"; what is put into it may not be one.
        for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
            for part in ast.walk(argument):
                name = (
                    part.attr
                    if isinstance(part, ast.Attribute)
                    else part.id
                    if isinstance(part, ast.Name)
                    else ""
                )
                if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
                    name = str(part.slice.value)
                if SECRET.search(name.lower()):
                    found.append(f"{path}:{part.lineno}: {name}")
    return found


def test_no_logging_call_formats_a_secret() -> None:
    assert [hit for path, _, tree in modules(*PACKAGES) for hit in logged_secrets(path, tree)] == []


@pytest.mark.parametrize(
    "snippet",
    [
        'log.info("publish with %s", stream_key)',
        'logger.warning(f"bad {request.token}")',
        'self._log.debug("ice", extra={"pwd": ice_pwd})',
        'logging.error("headers %s", headers["Authorization"])',
        'log.log(10, "%s", account.password.upper())',
    ],
)
def test_the_rule_can_fail(snippet: str) -> None:
    assert len(logged_secrets("sfu/a.py", ast.parse(snippet))) >= 1


@pytest.mark.parametrize(
    "snippet",
    ['log.info("the key of stream %s was refused", stream_id)', "math.log(key)", 'log.info("%s", keyframe)'],
)
def test_the_rule_lets_harmless_calls_pass(snippet: str) -> None:
    assert logged_secrets("sfu/a.py", ast.parse(snippet)) == []
