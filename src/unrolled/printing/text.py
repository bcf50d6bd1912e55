"""Equations as lines of text: ``hₜ = oₜ ⊙ tanh(cₜ)``, or ``h_t = o_t * tanh(c_t)`` in ASCII."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import TYPE_CHECKING
from unicodedata import combining

from .latex import equations
from .unicode import UNICODE, Letters, formula

if TYPE_CHECKING:
    from ..graph.graph import Graph

GLUE = "\N{NO-BREAK SPACE}"
BETWEEN_FACTORS = re.compile(r"(?<![-+−⊙*<≤>≥=,]) (?![-+−⊙*<≤>≥])")
"""A space at which a line is not broken: between a weight and what it multiplies."""
LEAST = 20
"""Columns of a right side, at least, however narrow the terminal is."""


def text(graph: Graph, width: int | None = None, letters: Letters = UNICODE) -> str:
    """Return all equations of a graph, aligned at the equals signs.

    Args:
        graph: of a step.
        width: columns; a longer equation goes on, between two terms, under its right side.
        letters: what they are written with.
    """
    sides = equations(graph).values()
    pairs = [(formula(left, letters), formula(right, letters)) for left, right in sides]
    column = max(_columns(left) for left, _ in pairs)
    indent = " " * (column + 3)
    lines = []
    for left, right in pairs:
        start = f"{left}{' ' * (column - _columns(left))} = "
        room = None if width is None else max(width - len(indent), LEAST)
        parts = [right] if room is None or _columns(right) <= room else _folded(right, room)
        lines += [start + parts[0], *(indent + part for part in parts[1:])]
    return "\n".join(lines)


def _columns(text: str) -> int:
    """Return how wide a text is: marks over letters take no column."""
    return sum(not combining(letter) for letter in text)


def _folded(text: str, room: int) -> list[str]:
    """Return a right side in parts, each broken off between two terms or factors."""
    glued = BETWEEN_FACTORS.sub(GLUE, text)
    return [part.replace(GLUE, " ") for part in wrap(glued, room, break_on_hyphens=False)]
