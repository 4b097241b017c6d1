"""The stub file and the compiled module say the same names and parameters."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

import sfu
from sfu import _engine

STUB = ast.parse((Path(sfu.__file__).parent / "_engine.pyi").read_text())

Function = ast.FunctionDef


def classes(*, typed_dicts: bool) -> dict[str, ast.ClassDef]:
    found = {node.name: node for node in STUB.body if isinstance(node, ast.ClassDef)}
    return {
        name: node
        for name, node in found.items()
        if any(isinstance(base, ast.Name) and base.id == "TypedDict" for base in node.bases) == typed_dicts
    }


def methods(node: ast.ClassDef) -> dict[str, Function]:
    return {item.name: item for item in node.body if isinstance(item, Function)}


def is_property(function: Function) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "property" for d in function.decorator_list)


def stub_signature(function: Function) -> list[tuple[str, str, object]]:
    """(name, kind, default) of each parameter; defaults as Python values."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs = list(zip(positional, missing + list(arguments.defaults), strict=True))
    found = [(a.arg, "positional", default_of(d)) for a, d in pairs if a.arg != "self"]
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return found + [(a.arg, "keyword", default_of(d)) for a, d in keywords]


def default_of(node: ast.expr | None) -> object:
    return inspect.Parameter.empty if node is None else ast.literal_eval(node)


def compiled_signature(function: object) -> list[tuple[str, str, object]]:
    # inspect.signature reads the default ("0.0.0.0",) as a str, so the text is parsed like the stub.
    text = getattr(function, "__text_signature__", None)
    assert text is not None, function
    parsed = ast.parse(f"def function{text.replace('$', '')}: ...").body[0]
    assert isinstance(parsed, Function)
    return stub_signature(parsed)


FUNCTIONS = {node.name: node for node in STUB.body if isinstance(node, Function)}
CLASSES = classes(typed_dicts=False)
TYPED_DICTS = classes(typed_dicts=True)
ALIASES = {
    node.target.id
    for node in STUB.body
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
}
METHODS = [
    (class_name, name, function)
    for class_name, node in CLASSES.items()
    for name, function in methods(node).items()
]


def test_every_name_is_in_both() -> None:
    compiled = {name for name in vars(_engine) if not name.startswith("_")}
    assert compiled == set(FUNCTIONS) | set(CLASSES) | set(TYPED_DICTS) | ALIASES


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_the_same_parameters(name: str) -> None:
    assert compiled_signature(getattr(_engine, name)) == stub_signature(FUNCTIONS[name])


@pytest.mark.parametrize("name", CLASSES)
def test_classes_have_the_same_members(name: str) -> None:
    compiled = {member for member in vars(getattr(_engine, name)) if not member.startswith("_")}
    assert compiled == {member for member in methods(CLASSES[name]) if not member.startswith("_")}


@pytest.mark.parametrize(("class_name", "name", "function"), METHODS)
def test_methods_take_the_same_parameters(class_name: str, name: str, function: Function) -> None:
    compiled_class = getattr(_engine, class_name)
    if is_property(function):
        assert inspect.isgetsetdescriptor(vars(compiled_class)[name])
    elif name == "__init__":
        assert compiled_signature(compiled_class) == stub_signature(function)
    else:
        assert compiled_signature(getattr(compiled_class, name)) == stub_signature(function)


@pytest.mark.parametrize("name", TYPED_DICTS)
def test_dictionaries_have_the_same_keys(name: str) -> None:
    fields = [item.target for item in TYPED_DICTS[name].body if isinstance(item, ast.AnnAssign)]
    keys = [target.id for target in fields if isinstance(target, ast.Name)]
    assert list(getattr(_engine, name).__annotations__) == keys
