"""Sections about structure: the network in time, and the cells."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from ...draw.drawings import find
from ...equations import Cell
from ..draw.request import subject
from .figure import picture
from .formula import formula
from .section import Section
from .words import Speech


def network(speech: Speech) -> Section:
    """The network in time."""
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
    """Picture, formula and pseudo-code of some cells."""
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
    """Words between backquotes as code."""
    parts = words.split("`")
    made = [
        Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(parts)
    ]
    return Markup("").join(made)
