"""Cells and kernels as a terminal shows them: lines that fit, broken where they may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import TYPE_CHECKING

from ..equations import Cell
from ..printing.text import text as equations
from ..printing.unicode import ASCII

if TYPE_CHECKING:
    from ..equations.backward import Derivative

STATEMENT = re.compile(r"^( *)(return |from numpy import |\w+ = )(.*[^({\[,])$")
"""A line of pseudo-code whose right side can stand in parentheses."""

DOCSTRING = re.compile(r'^( *)"""(.*)"""$')


def formula_of(shown: Cell | Derivative, columns: int | None, encoding: str | None) -> str:
    """Return equations as text, in letters of ASCII where an encoding has no others.

    Args:
        shown: a cell, or a derivative of one.
        columns: of the terminal; None for lines of any length.
        encoding: of the output.
    """
    text = shown.text(columns)
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        graph = shown.graph if isinstance(shown, Cell) else shown
        return equations(graph, columns, ASCII)
    return text


def code(text: str, columns: int | None) -> str:
    """Return pseudo-code in lines of so many columns: code of the same meaning, which runs.

    >>> print(code("z = aaaa + bbbb + cccc", 16))
    z = (
        aaaa + bbbb
        + cccc
    )
    """
    if columns is None:
        return text
    return "\n".join(part for line in text.split("\n") for part in _lines(line, columns))


def _lines(line: str, columns: int) -> list[str]:
    if len(line) <= columns:
        return [line]
    if found := DOCSTRING.match(line):
        indent, words = found.groups()
        room = columns - len(indent)
        parts = wrap(f'"""{words}', room, break_long_words=False, break_on_hyphens=False)
        return [*(indent + part for part in parts), f'{indent}"""']
    if found := STATEMENT.match(line):
        indent, start, right = found.groups()
        inner = f"{indent}    "
        glued = re.sub(r" ([-+*/@<]|<=) ", lambda sign: f" {sign[1]}\0", right)
        parts = wrap(glued, columns - len(inner), break_long_words=False, break_on_hyphens=False)
        lines = [inner + part.replace("\0", " ") for part in parts]
        return [f"{indent}{start}(", *lines, f"{indent})"]
    if line.endswith(",") and "(" not in line:  # parameters
        indent = " " * (len(line) - len(line.lstrip()))
        return wrap(line, columns, subsequent_indent=indent, break_long_words=False)
    return [line]


def kernel_summary(text: str, sizes: Mapping[str, int], dtype: str) -> Iterator[str]:
    """Yield the lines that say what a kernel does, and how long it is.

    Args:
        text: a kernel under its plan, as `unrolled kernel` prints it.
        sizes: the units that it is made for.
        dtype: of its numbers.
    """
    plan, _, code = text.partition("\n\n")
    used = {name: size for name, size in sizes.items() if name != "one" and size}
    yield ", ".join(f"{name} size {size}" for name, size in used.items()) + f"; {dtype}"
    yield from (line.removeprefix("; ") for line in plan.splitlines())
    count = len(code.rstrip().splitlines())
    yield f"LLVM IR: {count:,} lines; without --summary they follow"
