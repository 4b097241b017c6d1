"""Dotted names as they stand in the source."""

from __future__ import annotations

import ast

__all__ = ["calls", "dotted", "imported_names"]


def dotted(node: ast.expr) -> str:
    """``a.b.c`` for a chain of attributes on a name, the empty string for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def imported_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: ``from time import time as now`` gives ``{"now": "time.time"}``."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def calls(tree: ast.Module) -> list[tuple[ast.Call, str]]:
    """Every call with the full dotted name of what is called, as far as imports tell."""
    names = imported_names(tree)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            first, dot, rest = dotted(node.func).partition(".")
            found.append((node, names.get(first, first) + dot + rest))
    return found
