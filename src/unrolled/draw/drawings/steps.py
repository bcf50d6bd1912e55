"""Inside a cell: the whole, and its parts lit one after the other."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ...cells import find
from ...errors import DrawError
from ...printing.latex import symbol
from ..drawing import drawing
from ..formulas import Panel, text_panel
from ..layout import scene as cell_scene
from ..parts import above
from ..picture import Picture, still
from ..scene import Scene
from ..shapes import Box, Label, Line, Shape, Strip, text_width
from ..timeline import cell_name
from ..working import Working

if TYPE_CHECKING:
    from ...equations import Cell
    from ...graph.graph import Graph
    from ..subject import Subject


@drawing(6, "rnn-cell", "one RNN step: join → tanh → h'", "cell", moves=True)
def rnn_cell(subject: Subject) -> Picture:
    """Draw one step with its equations and code; its values flow in the order of computation."""
    return _cell(subject, subject.cell or find("rnn_tanh"))


@drawing(13, "lstm-cell", "the whole LSTM cell", "cell", moves=True)
def lstm_cell(subject: Subject) -> Picture:
    """Draw the whole cell with its equations and code."""
    return _cell(subject, subject.cell or find("lstm"))


def _cell(subject: Subject, cell: Cell) -> Picture:
    """Draw a cell with its equations and code; an example flows through it."""
    graph = cell.graph
    scene = cell_scene(graph)
    title = subject.words("one step of {cell}").format(cell=cell_name(cell))
    text = _under(scene, graph, list(graph.lines))
    working = Working(graph, scene)
    whole = above(scene + text.scene, title)
    return working.flow(whole, working.steps(text), subject.words, text.marks).picture(
        **working.shown()
    )


def _under(scene: Scene, graph: Graph, names: list[str], scale: float = 1.0) -> Panel:
    """Return equations and code for the place under a scene, in the middle."""
    left, down, right, _ = scene.bounds
    text = text_panel(graph, names, scale, max(WIDEST, right - left))
    a, _, b, high = text.scene.bounds
    return text.moved((left + right) / 2 - (a + b) / 2, down - 0.45 - high)


WIDEST = 11.5
"""The width of equations beside code, at least where the cell is no wider."""


# Parts of the LSTM.


def _lstm(subject: Subject, name: str) -> Graph:
    """Return the graph of a drawing about gates: the LSTM's, or that of a cell with the same
    values.
    """
    graph = (subject.cell or find("lstm")).graph
    missing = {"i", "f", "g", "o", "c", "h"} - set(graph.values)
    if missing:
        raise DrawError(
            f"{name} shows i, f, g, o, c and h of a cell; {graph.name} has no "
            f"{', '.join(sorted(missing))}: draw it with: unrolled draw cell --cell {graph.name}"
        )
    return graph


GATES = (
    (16, "forget", "forget gate lit, its equation beside it", "forget gate", "f"),
    (17, "input", "input gate and candidate lit", "input gate and candidate", "ig"),
    (18, "update", "the cell-state update lit", "cell state update", "c"),
    (19, "output", "output gate and hidden state lit", "output gate and hidden state", "oh"),
)
"""Drawings of gates: number, name, what is shown; title, values whose equations stand beside."""


def _gate(subject: Subject, name: str, title: str, values: str) -> Picture:
    """Light what computes some values, their equations and code under the cell."""
    graph = _lstm(subject, name)
    scene = replace(cell_scene(graph), title="")
    text = _under(scene, graph, [*values], 1.25)
    working = Working(graph, scene)
    steps = working.part(text, values)
    lit = {id_ for step in steps for id_ in (*step.lines, *step.arrive)}
    terms = [mark for mark in text.marks if mark.role == "term"]
    shown = scene.lit(lit, {"frame"}) + Scene(tuple(terms)) + text.scene
    whole = above(shown, subject.words(title))
    rows = [mark for mark in text.marks if mark.role == "row"]
    flow = working.flow(whole, steps, subject.words, rows)
    return replace(flow, settled=False).picture(**working.shown())


for number, name, about, title, values in GATES:
    make = partial(_gate, name=name, title=title, values=values)
    drawing(number, name, about, "cell", moves=True, cells="i, f, g, o, c and h")(make)


@drawing(14, "belt", "the cell-state line alone", "cell", cells="a state carried pointwise")
def belt(subject: Subject) -> Picture:
    """Draw the belt of the state that carries the memory, everything else put back."""
    graph = (subject.cell or find("lstm")).graph
    scene = cell_scene(graph)
    state = at = _carried(graph)
    chain, lines = {at, f"{at}'"}, set()
    ends = {box.id: box for box in scene.boxes.values() if abs(box.y - scene.boxes[at].y) < 1e-6}
    while onward := [line for line in scene.lines if line.source == at and line.target in ends]:
        nearest = min(onward, key=lambda line: ends[line.target].x)
        lines.add(nearest.id)
        at = nearest.target
        chain.add(at)
    text = _under(scene, graph, [state], 1.25)
    wanted = text.terms(state, [state, f"{state} before"])
    terms = Scene(tuple(mark for mark in text.marks if mark.id in wanted))
    lit = scene.lit(
        chain | lines | {f"name {key}" for key in chain},
        {"frame"} | _coming(scene, chain, lines),
    )
    title = subject.words("the way of {state} through the step")
    sign = f"${symbol(state, 't')}$"
    return still(above(lit + terms + text.scene, title.format(state=sign)))


def _coming(scene: Scene, chain: set[str], lines: set[str]) -> set[str]:
    """Return the ids of what comes to a belt: back from it to the first values with a name."""
    named = {label.id.removeprefix("name ") for label in scene.labels}
    found, waiting = set[str](), set(chain)
    while waiting:
        come = {line for line in scene.lines if line.target in waiting and line.id not in lines}
        sources = {line.source for line in come} - found - chain
        found |= {line.id for line in come} | sources | {f"name {key}" for key in sources}
        waiting = sources - named
    return found


def _carried(graph: Graph) -> str:
    """Return the state with a belt: c, or the first one whose line runs straight through
    operations.
    """
    scene = cell_scene(graph)
    heights = [box.y for box in scene.boxes.values() if box.role == "operation"]
    for state in sorted(graph.states, key=lambda state: state == graph.output):
        if any(abs(y - scene.boxes[state].y) < 1e-6 for y in heights):
            return state
    raise DrawError(
        f"belt shows a state that is carried by pointwise operations: {graph.name} has none"
    )


PASSING = (0.8, -0.6, 0.8, 0.5)
OPENED = (0.95, 0.5, 0.05, 0.7)
"""What passes the gate of a drawing, and how far it is open: their products have two places."""


@drawing(15, "gate", "one gate: σ and ×")
def gate(subject: Subject) -> Picture:
    """Draw a sigmoid layer whose output multiplies what passes by, with numbers."""
    w = subject.words
    gated = [s * v for s, v in zip(OPENED, PASSING, strict=True)]
    shapes: list[Shape] = [
        Line("through", ((-2.2, 2.0), (-0.36, 2.0)), net="v"),
        Line("on", ((0.36, 2.0), (2.2, 2.0)), net="w"),
        Line("opens", ((0, 0.48), (0, 1.64)), net="s"),
        Line("read", ((0, -1.15), (0, -0.48)), net="r"),
        Box("times", "operation", 0, 2.0, 0.72, 0.72, 0.36, "$\\times$", 1.6),
        Box("sigma", "layer", 0, 0, 1.5, 0.96, 0.12, "$\\sigma$", 1.6),
        Label("value", "$v$", -2.45, 2.0, size=1.4),
        Label("gated", "$s \\odot v$", 2.35, 2.0, align="left", size=1.4),
        Label("s", "$s$", 0.16, 1.05, align="left", size=1.4),
        Label("reads", "$x_t,\\; h_{t-1}$", 0, -1.45, size=1.3),
        Label(
            "equation", "$s = \\sigma(W_x x_t + W_h h_{t-1} + b)$", 0, -2.3, "equation", size=1.2
        ),
    ]
    columns = {"$v$": PASSING, "$s$": OPENED, "$s \\odot v$": gated}
    left, pitch, row = 4.6, 1.45, 0.62
    for column, (name, numbers) in enumerate(columns.items()):
        x = left + column * pitch
        shapes.append(Label(f"column {column}", name, x + 0.1, 1.95, size=1.2))
        for n, number in enumerate(numbers):
            key, y = f"{column} {n}", 1.25 - n * row
            role = "share" if name == "$s$" else "vector"
            place = x - 0.5, y, (number,), role
            shapes.append(Strip(f"field {key}", *place, field=0.34, across=True))
            text = f"{number:.2f}".replace("-", "−")
            shapes.append(Label(f"number {key}", text, x + 0.62, y, "caption", "right", 0.9))
    end = left + 2 * pitch + 1.0
    for n, share in enumerate(OPENED):
        word = "open" if share > 0.9 else "closed" if share < 0.1 else "partly open"
        shapes.append(Label(f"word {n}", w(word), end, 1.25 - n * row, "caption", "left", 0.9))
    for role, x, ends in (("vector", left - 0.7, (-1.0, 1.0)), ("share", left + 2.75, (0.0, 1.0))):
        names = "$v$, $s \\odot v$:" if role == "vector" else "$s$:"
        wide = text_width(names) * 0.8 + 0.12
        low, high = (f"{end:.0f}".replace("-", "−") for end in ends)
        at = x + wide + 0.4
        shades = tuple(ends[0] + (ends[1] - ends[0]) * n / 6 for n in range(7))
        shapes += [
            Label(f"of {role}", names, x, -2.3, "caption", "left", 0.8),
            Label(f"low {role}", low, at - 0.08, -2.3, "caption", "right", 0.7),
            Strip(f"scale {role}", at + 0.63, -2.3, shades, role, 0.18, True),
            Label(f"high {role}", high, at + 1.34, -2.3, "caption", "left", 0.7),
        ]
    example = w("an example of four units")
    shapes.append(Label("example", example, left - 0.7, 2.6, "caption", "left", 0.9))
    shapes.append(
        Label(
            "says",
            w("each unit lets its own share through"),
            left - 0.7,
            -1.45,
            "caption",
            "left",
            0.9,
        )
    )
    scene = above(Scene(tuple(shapes), "gate"), w("a gate: numbers from 0 to 1 that multiply"))
    return still(scene, v=PASSING, s=OPENED, gated=gated)
