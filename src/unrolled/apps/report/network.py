"""Sections about structure: the network in time, and the cells with their formulas."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

from ...draw.drawings import find
from ...draw.palette import INK
from ...draw.type import dressed, figure, style
from ...equations import Cell
from ..draw.request import subject
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
    return inline(made, about), made.get_figwidth()


def network(speech: Speech) -> Section:
    """Return the network in time."""
    language = speech.pictures.language
    about = {
        "loop": "Rolled up: one cell and a loop.",
        "general": "The general step: h′, y = f(h, x). The output goes through a linear layer and, "
        "for classes, a softmax.",
        "chain": "Unrolled: a chain of copies that share one set of weights.",
        "structures": "Four ways to use the chain.",
    }
    data = {
        name: picture(find(name).picture(subject(language=language)), speech(words))
        for name, words in about.items()
    }
    return Section("network", speech("The network in time"), "structure.html.j2", data)


def cells(kinds: Sequence[Cell], speech: Speech) -> Section:
    """Show picture, formula and pseudo-code of some cells."""
    language = speech.pictures.language
    legend = find("legend").picture(subject(language=language))
    about = speech("How to read the pictures of the cells.")
    data = {"legend": picture(legend, about), "cells": [_cell(each, speech) for each in kinds]}
    title = "The cell" if len(kinds) == 1 else "The cells"
    return Section("cells", speech(title), "cells.html.j2", data)


def _cell(cell: Cell, speech: Speech) -> dict[str, object]:
    drawing = find("lstm-cell").picture(subject(cell, language=speech.pictures.language))
    equations, width = formula(cell, f"{cell.name}: {cell.latex()}")
    return {
        "name": cell.name,
        "summary": _code(cell.summary),
        "picture": picture(drawing, f"{speech('The picture')}: {cell.name}"),
        "formula": equations,
        "width": f"{5.4 * width:.1f}rem",
        "code": cell.python(),
    }


def _code(words: str) -> Markup:
    """Mark words between backquotes as code."""
    return Markup(re.sub("`([^`]*)(?:`|$)", r"<code>\1</code>", str(escape(words))))
