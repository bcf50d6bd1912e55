"""Names of PyTorch that may go away stand in `unrolled._torch` alone."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import unrolled

SOURCES = Path(unrolled.__file__).parent
HOME = SOURCES / "_torch.py"

ALLOWED = {
    "_parameters": "where a module keeps its parameters: reading it is what makes calls quick, and "
    "every module of every library would fail without it",
    "_apply": "what moves a module to a device: layers of PyTorch's own override it as ours do",
    "_flat_weights": "what PyTorch's layers call the list of their parameters: layers of ours that "
    "are instances of their classes have it too",
    "_replace": "of named tuples",
    "_asdict": "of named tuples",
    "_fields": "of named tuples",
    "_exit": "of the module os",
}
"""Private names of others that any file may use, and why."""


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES.rglob("*.py")}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _defined(tree: ast.AST) -> Iterator[str]:
    """The names that a file gives to something of its own."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"_\w+", node.value) if node.value.isidentifier() else ()


@cache
def ours() -> set[str]:
    return {name for path, tree in trees().items() if path != HOME for name in _defined(tree)}


@cache
def theirs() -> set[str]:
    return {
        part
        for node in ast.walk(trees()[HOME])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for part in (node.value.split(".")[-1],)
        if _is_private(part) and part.isidentifier()
    }


def _foreign(tree: ast.AST) -> Iterator[str]:
    """The private names of PyTorch that a file uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            written = ast.unparse(node)
            if written.startswith("torch.") or node.attr in theirs() or node.attr not in ours():
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module != "__future__":
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from filter(_is_private, names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from filter(_is_private, alias.name.split("."))
        elif isinstance(node, ast.Constant) and node.value in theirs():
            yield str(node.value)


def test_no_other_file_names_what_may_go_away() -> None:
    found = {
        str(path.relative_to(SOURCES)): sorted(set(_foreign(tree)) - set(ALLOWED))
        for path, tree in trees().items()
        if path != HOME
    }
    assert len(found) > 100
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.broad
@pytest.mark.parametrize(
    "text",
    [
        "torch._C._is_tracing()",
        "tensor._cdata",
        "from torch.utils._python_dispatch import TorchDispatchMode",
        "import torch._dynamo",
        "getattr(weight, '_version')",
        "module._compiled_call_impl",
        "x._something_new",
    ],
)
def test_such_a_name_is_seen(text: str) -> None:
    assert list(_foreign(ast.parse(text)))
