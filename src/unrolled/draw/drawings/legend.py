"""The legend: every mark of a cell's picture, as it is drawn there, and what it means."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...graph.operation import Operation
from ..drawing import drawing
from ..layout import STUB
from ..picture import Picture, still
from ..scene import Scene
from ..shapes import Box, Label, Light, Line, Shape, Strip, hull
from ..symbols import MARKS, SYMBOL
from ..working import bars

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..subject import Subject

COLUMNS, PITCH, UNDER, ROOM = 3, 5.2, 0.4, 0.65
"""Entries in a row, from one to the next, from a mark to its words, and between rows."""
LONG = 1.2
"""Half of a line that stands alone."""
VALUES = (-1.0, 0.6, -0.3, 1.0, 0.1)
"""Of a strip."""


def _box(role: str, text: str, x: float = 0.0, width: float = 0.62) -> Box:
    """Return a mark with text in it: a learned layer's box, or a circle or pill."""
    layer = role == "layer"
    return Box(role + text, role, x, 0, width, 0.62, 0.1 if layer else 0.31, text, 1.1)


def _line(id_: str, *points: tuple[float, float], net: str = "", arrow: bool = True) -> Line:
    return Line(id_, points, net=net or id_, arrow=arrow)


def _layer() -> list[Shape]:
    return [_box("layer", "$\\sigma$", -0.8, 0.95), _box("layer", "$W$", 0.8, 0.95)]


def _norm() -> list[Shape]:
    two = Box("two", "layer", 0.8, 0, 1.1, 0.86, 0.1, "$\\mathrm{norm}$\n$\\sigma$", 1.1)
    return [_box("layer", "$\\mathrm{norm}$", -0.8, 1.1), two]


def _pointwise() -> list[Shape]:
    return [
        _box("operation", "$\\times$", -0.8),
        _box("operation", "$\\mathrm{tanh}$", 0.55, 1.15),
    ]


def _mixing() -> list[Shape]:
    """Return functions of all units, without weights."""
    names = (("$\\mathrm{norm}$", -0.8), ("$\\mathrm{mean}$", 0.8))
    return [replace(_box("operation", name, x, 1.15), radius=0.1) for name, x in names]


def _scaled() -> list[Shape]:
    """Return a layer with a port: a pill at its side, a stub from there."""
    pill, half, wide = -0.28, 0.45, 0.95
    right = pill + half
    layer = right + STUB + wide / 2
    return [
        _box("layer", "$\\sigma$", layer, wide),
        Box("pill", "learned", pill, 0, 2 * half, 0.62, 0.31, "$\\odot\\,p$", 1.1),
        _line("in", (-LONG - 0.2, 0), (pill - half, 0)),
        _line("stub", (right, 0), (right + STUB, 0), arrow=False),
        _line("rest", (layer, -0.85), (layer, -0.31)),
    ]


def _vector() -> list[Shape]:
    return [_line("vector", (-LONG, 0), (LONG, 0)), Label("name", "$f_t$", -0.1, 0.3)]


def _join() -> list[Shape]:
    upward = ((-0.4, -0.65), (-0.4, 0.1))
    merging = Line("merging", upward, net="joined", arrow=False, merge=(1.0, 0.0))
    return [_line("on", (-LONG, 0.1), (LONG, 0.1), net="joined"), merging]


def _fork() -> list[Shape]:
    way = ((-LONG, -0.2), (0.2, -0.2), (0.2, 0.65))
    return [_line("on", (-LONG, -0.2), (LONG, -0.2), net="copied"), _line("up", *way, net="copied")]


def _bridge() -> list[Shape]:
    return [_line("under", (-LONG, 0), (LONG, 0)), _line("over", (0, -0.65), (0, 0.65))]


def _state() -> list[Shape]:
    return [
        Box("frame", "frame", 0, 0, 1.3, 0.9, 0.2),
        _line("state", (-LONG + 0.1, 0), (LONG - 0.1, 0)),
        Label("before", "$c_{t-1}$", -LONG - 0.02, 0, align="right"),
        Label("after", "$c_t$", LONG + 0.02, 0, align="left"),
    ]


def _ends() -> list[Shape]:
    return [_box("input", "$x_t$", -0.8), _box("output", "$h_t$", 0.8)]


def _values() -> list[Shape]:
    return [Strip("values", 0, 0, VALUES, field=0.34, across=True)]


def _opened() -> list[Shape]:
    """Return a gate with its openings, as they stand in it while it works."""
    gate = Box("gate", "layer", 0, 0, 1.3, 0.62, 0.1, "$\\sigma$", 1.1)
    return [gate, *bars(gate, (0.15, 0.95, 0.5, 0.75))]


def _lights() -> list[Shape]:
    parts: list[Shape] = []
    lights: tuple[tuple[Light, float], ...] = (("lit", -1.0), ("dim", 1.0))
    for light, x in lights:
        line = Line(f"line {light}", ((x - 0.85, 0), (x - 0.31, 0)), net=light, light=light)
        box = replace(_box("layer", "$\\sigma$", x + 0.05, 0.72), id=f"box {light}", light=light)
        parts += [line, box]
    return parts


def _marked() -> list[Shape]:
    """Return a product with a mark behind one of its terms."""
    return [
        Box("mark", "term", -0.38, 0, 0.42, 0.5, 0.05),
        Label("term", "$f_t$", -0.38, 0, "equation", size=1.1),
        Label("rest", "$\\odot\\; c_{t-1}$", -0.08, 0, "equation", "left", 1.1),
    ]


def _signed(operation: Operation) -> list[Shape]:
    """Return an operation whose arguments cannot be exchanged, with the signs at its lines."""
    marks = MARKS[operation]
    if operation is Operation.SELECT:  # the question comes from below
        marks = (marks[1], marks[0], marks[2])
    ways = ((-LONG, 0.0), (0.0, -0.85), (0.0, 0.85))
    ends = ((-0.31, 0.0), (0.0, -0.31), (0.0, 0.31))
    places = ((-0.5, 0.22, "right"), (-0.14, -0.6, "right"), (-0.14, 0.6, "right"))
    shapes: list[Shape] = [
        _box("operation", SYMBOL[operation]),
        _line("on", (0.31, 0), (LONG, 0)),
    ]
    for n, mark in enumerate(marks):
        x, y, align = places[n]
        shapes.append(_line(f"in {n}", ways[n], ends[n]))
        if mark:
            shapes.append(Label(f"sign {n}", mark, x, y, "sign", align, 0.9))  # pyright: ignore[reportArgumentType]
    return shapes


Entry = tuple[str, "Callable[[], list[Shape]]"]

GROUPS: dict[str, tuple[Entry, ...]] = {
    "learned": (
        ("learned layer", _layer),
        ("learned norm: alone, or in a layer", _norm),
        ("learned vector", lambda: [_box("learned", "$p$")]),
    ),
    "operations": (
        ("pointwise: each unit by itself", _pointwise),
        ("of all units, without weights", _mixing),
        ("operation with a number", lambda: [_box("operation", "$1{-}$", width=0.75)]),
        ("difference: + minus −", lambda: _signed(Operation.SUB)),
        ("quotient: ÷ marks the divisor", lambda: _signed(Operation.DIV)),
        ("comparison: ·< less than <·", lambda: _signed(Operation.LESS)),
        ("choice: ✓ or ✗, by ?", lambda: _signed(Operation.SELECT)),
        ("number", lambda: [_box("constant", "0.5", width=0.8)]),
        (
            "hyperparameter, under the cell",
            lambda: [Label("numbers", "$\\epsilon = 4.7$", 0, 0, "caption")],
        ),
    ),
    "lines": (
        ("a whole vector, with its name", _vector),
        ("line times a learned vector", _scaled),
        ("state: from step to step", _state),
        ("lines join: concatenate", _join),
        ("line forks: copy", _fork),
        ("lines cross: nothing shared", _bridge),
    ),
    "the cell, and what is shown of it": (
        ("one step of the cell", lambda: [Box("frame", "frame", 0, 0, 2.2, 1.1, 0.25)]),
        ("input and output of a step", _ends),
        ("values: low dark, high light", _values),
        ("gate: how far each unit is open", _opened),
        ("lit: meant here; pale: the rest", _lights),
        ("marked: the values that are lit", _marked),
    ),
}
"""What each mark means, and its shapes around (0, 0), by kind."""


@drawing(12, "legend", "every mark of a cell's picture, and what it means")
def legend(subject: Subject) -> Picture:
    """Draw what the shapes mean, in a grid under headings."""
    shapes: list[Shape] = []
    top = 0.0
    for heading, entries in GROUPS.items():
        words = subject.words(heading)
        shapes.append(Label(f"of {heading}", words, -PITCH / 2, top, "title", "left", 0.9))
        top -= ROOM
        for start in range(0, len(entries), COLUMNS):
            row = entries[start : start + COLUMNS]
            marks = [Scene(tuple(mark())) for _, mark in row]
            _, low, _, high = hull([mark.bounds for mark in marks])
            for column, (mark, (about, _)) in enumerate(zip(marks, row, strict=True)):
                said = Label("words", subject.words(about), 0, low - UNDER, "caption", size=0.9)
                entry = (mark + Scene((said,))).renamed(f"{heading} {start + column} ")
                shapes += entry.moved(column * PITCH, top - high).shapes
            top -= high - low + UNDER + ROOM
        top -= ROOM
    return still(Scene(tuple(shapes), "legend"))
