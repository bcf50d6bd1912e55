"""Sections about structure: the network in time, and the cells with their formulas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from markupsafe import Markup, escape

from ...draw.drawings import find
from ...draw.layout import scene
from ...draw.palette import INK
from ...draw.picture import still
from ...draw.type import dressed, figure, style
from ...equations import Cell
from ...graph.operation import Operation
from ...printing.unicode import readable
from ...probe.gates import squashing
from ..draw.request import subject
from ..listing import code
from .commands import draw, line, named, of_cell
from .figures import inline, picture
from .page import Section, Speech

HEIGHT, SIZE = 0.36, 15


def lines(latex: str) -> list[str]:
    r"""Return the equations of an aligned environment, without its signs.

    >>> lines("\\begin{aligned}\na &= b \\\\\nc &= d \\\\\n\\end{aligned}")
    ['a = b', 'c = d']
    """
    rows = [row.strip().removesuffix("\\\\").strip() for row in latex.splitlines()]
    return [
        row.replace("&", "") for row in rows if row and not row.startswith(("\\begin", "\\end"))
    ]


def formula(cell: Cell, about: str) -> tuple[Markup, float]:
    """Return the equations of a cell as an SVG element, and how many inches wide it is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    rows = lines(cell.latex())
    with style():
        made = figure(1, HEIGHT * len(rows))
        for number, row in enumerate(rows):
            place = 1 - (number + 0.5) / len(rows)
            made.text(0, place, f"${row}$", fontsize=SIZE, color=INK, va="center")
        renderer = FigureCanvasAgg(dressed(made)).get_renderer()
        widest = max(each.get_window_extent(renderer).width for each in made.texts)
    made.set_figwidth(widest / made.dpi + 0.1)
    said = "; ".join(readable(f"${row}$") for row in rows)
    return inline(made, about, said), made.get_figwidth()


SMALL = {
    "loop": "Rolled up: one cell and a loop.",
    "general": "The general step: h′, y = f(h, x). The output goes through a linear layer and, "
    "for classes, a softmax.",
}
LARGE = {
    "chain": "Unrolled: a chain of copies that share one set of weights.",
    "structures": "Four ways to use the chain.",
}
GATES = {
    "forget": "The forget gate f multiplies the cell state, unit by unit: where it is 0 the memory "
    "is erased, where it is 1 it is kept.",
    "input": "The input gate i multiplies the candidate g: how much of what was just read is to be "
    "written.",
    "update": "The new cell state is the sum of both: what is kept, and what is written.",
    "output": "The output gate o multiplies tanh of the cell state: how much of the memory is "
    "shown as h.",
}
"""Drawings of a cell with the names of the LSTM's values, and what is lit in each."""


def network(speech: Speech) -> Section:
    """Return the network in time."""
    data = {
        "small": [_drawn(name, about, speech) for name, about in SMALL.items()],
        "large": [_drawn(name, about, speech) for name, about in LARGE.items()],
    }
    return Section("network", speech("The network in time"), "structure.html.j2", data)


def _drawn(
    name: str, about: str, speech: Speech, cell: Cell | None = None, run: Path | None = None
) -> dict[str, object]:
    """Return a drawing with its caption, and the command that makes it."""
    drawing = find(name).picture(subject(cell, language=speech.pictures.language))
    caption, language = speech(about), speech.pictures.language
    return {
        "picture": picture(drawing, caption),
        "caption": caption,
        "command": draw(name, language) if cell is None else of_cell(name, language, cell, run),
    }


def cells(kinds: Sequence[Cell], speech: Speech, run: Path | None = None) -> Section:
    """Show picture, formula and pseudo-code of some cells, and what each gate of an LSTM does.

    Args:
        kinds: the cells.
        speech: of the page.
        run: whose cell it is; commands name it where the cell is none of the known ones.
    """
    legend = _drawn("legend", "How to read the pictures of the cells.", speech)
    data = {
        "legend": legend["picture"],
        "legend_command": legend["command"],
        "cells": [_cell(each, speech, run) for each in kinds],
    }
    title = "The cell" if len(kinds) == 1 else "The cells"
    return Section("cells", speech(title), "cells.html.j2", data)


def _cell(cell: Cell, speech: Speech, run: Path | None) -> dict[str, object]:
    whole = find("lstm-cell").picture(subject(cell, language=speech.pictures.language))
    drawing = replace(still(scene(cell.graph)), title=whole.title, about=whole.about)
    said = named_values(cell, speech)
    equations, width = formula(cell, f"{speech('The formula')}{speech(': ')}{said}")
    has_gates = {"i", "f", "g", "o", "c", "h"} <= set(cell.graph.values)
    return {
        "name": cell.name,
        "summary": _code(speech(cell.summary)),
        "foreign": speech.language != "en" and speech(cell.summary) == cell.summary,
        "picture": picture(drawing, f"{speech('The picture')}{speech(': ')}{said}"),
        "command": of_cell("cell", speech.pictures.language, cell, run),
        "formula": equations,
        "width": f"{5.4 * width:.1f}rem",
        "gates": [_drawn(*each, speech, cell, run) for each in GATES.items()] if has_gates else [],
        "code": code(cell.python(), COLUMNS),
        "show": line("show", named(cell, run)),
    }


COLUMNS = 72
"""Of pseudo-code: as many as a card has room for."""


def openings(cell: Cell) -> list[str]:
    """Return the names of a cell's gates: of what goes from 0, closed, to 1, open.

    >>> from unrolled import cells
    >>> openings(cells.lstm)
    ['i', 'f', 'o']
    """
    nodes = squashing(cell.graph).items()
    return [name for name, node in nodes if node.operation is Operation.SIGMOID]


def named_values(cell: Cell, speech: Speech) -> str:
    """Say which gates and states a cell has.

    >>> from unrolled import cells
    >>> named_values(cells.gru, Speech())
    'gru, gates r and z, state h'
    """
    parts = [cell.name]
    for one, several, names in (
        ("gate {names}", "gates {names}", openings(cell)),
        ("state {names}", "states {names}", list(cell.states)),
    ):
        if names:
            *others, last = names
            listed = f"{speech(', ').join(others)}{speech(' and ')}{last}" if others else last
            parts.append(speech(several if others else one).format(names=listed))
    return speech(", ").join(parts)


def _code(words: str) -> Markup:
    """Mark words between backquotes as code."""
    return Markup(re.sub("`([^`]*)(?:`|$)", r"<code>\1</code>", str(escape(words))))
