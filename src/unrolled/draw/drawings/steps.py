"""Inside a cell: the whole, and its parts lit one after the other."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ...cells import find
from ...errors import DrawError
from ...printing.latex import equations
from ..drawing import drawing
from ..layout import scene as cell_scene
from ..parts import above
from ..picture import Picture, moving, still
from ..scene import Scene
from ..shapes import Box, Label, Line, Shape, text_width

if TYPE_CHECKING:
    from ...equations import Cell
    from ...graph.graph import Graph
    from ..subject import Subject

LONGEST = 9.0
"""Width of an equation in one line; longer ones are broken before a plus."""


def written(graph: Graph, names: list[str], size: float = 1.0) -> Scene:
    """Return the equations of some values, under each other."""
    shapes: list[Shape] = []
    found = equations(graph)
    y = 0.0
    for name in names:
        left, right = found[name]
        for number, text in enumerate(_broken(f"{left} = {right}")):
            x = 0.0 if number == 0 else 0.7
            key = f"equation {name} {number}"
            shapes.append(Label(key, f"${text}$", x, y, "equation", "left", size))
            y -= 0.62 * size
        y -= 0.25 * size
    return Scene(tuple(shapes))


def _broken(text: str) -> list[str]:
    """Return a long equation in two lines, broken at a plus outside of brackets near its middle."""
    text = text.replace("\\left(", "(").replace("\\right)", ")")
    if text_width(f"${text}$") <= LONGEST:
        return [text]
    places = [n for n in range(len(text)) if text.startswith(" + ", n)]
    if not places:
        return [text]
    middle = min(places, key=lambda n: abs(n - len(text) * 0.5))
    return [text[:middle], f"{text[middle + 1 :]}"]


def _beside(scene: Scene, other: Scene) -> Scene:
    """Return a scene with another one to its right, their middles at one height."""
    _, down, right, up = scene.bounds
    left, low, _, high = other.bounds
    return scene + other.moved(right + 0.7 - left, (down + up) / 2 - (low + high) / 2)


def _under(scene: Scene, other: Scene) -> Scene:
    """Return a scene with another one under it, in the middle."""
    left, down, right, _ = scene.bounds
    a, _, b, high = other.bounds
    return scene + other.moved((left + right) / 2 - (a + b) / 2, down - 0.55 - high)


def stages(graph: Graph) -> list[set[str]]:
    """Return the shapes that come to life one after the other: lines in, then what they lead to."""
    scene = cell_scene(graph)
    depth = dict.fromkeys([*graph.inputs, *graph.states], 0)
    waiting: dict[str, set[str]] = {}
    for line in scene.lines:
        waiting.setdefault(line.target, set()).add(line.source)
    while ready := {key for key, sources in waiting.items() if sources <= set(depth)}:
        for key in ready:
            depth[key] = 1 + max(depth[source] for source in waiting.pop(key))
    levels = range(max(depth.values()) + 1)
    return [_part(graph, {key for key, found in depth.items() if found == n}) for n in levels]


@drawing(6, "rnn-cell", "one RNN step: join → tanh → h'", "cell", moves=True)
def rnn_cell(subject: Subject) -> Picture:
    """Draw one step, its parts coming to life one after the other; the equations under it."""
    return _cell(subject.cell or find("rnn_tanh"))


@drawing(13, "lstm-cell", "the whole LSTM cell", "cell", moves=True)
def lstm_cell(subject: Subject) -> Picture:
    """Draw the whole cell."""
    return _cell(subject.cell or find("lstm"), bare=True)


def _cell(cell: Cell, bare: bool = False) -> Picture:
    """Light each stage of a cell in turn, with its equations underneath unless it is to be bare."""
    graph = cell.graph
    scene, steps = cell_scene(graph), stages(graph)
    done = [{"frame"}.union(*steps[:now]) for now in range(len(steps))]
    frames = [*map(scene.lit, steps, done), scene]
    if not bare:
        text = written(graph, list(graph.values))
        frames = [_under(frame, text) for frame in frames]
    return moving(frames, 0.7)


# Parts of the LSTM.


def _part(graph: Graph, needed: set[str]) -> set[str]:
    """Return the lit shapes: some boxes, their labels, and the lines that end at one of them."""
    lines = {line.id for line in cell_scene(graph).lines if line.target in needed}
    return needed | lines | {f"name {key}" for key in needed}


def _lstm(subject: Subject, name: str) -> Graph:
    """Return the graph of a drawing about gates: the LSTM's, or that of a cell with the same
    values.
    """
    graph = (subject.cell or find("lstm")).graph
    missing = {"i", "f", "g", "o", "c", "h"} - set(graph.values)
    if missing:
        raise DrawError(
            f"{name} shows i, f, g, o, c and h of a cell; {graph.name} has no "
            f"{', '.join(sorted(missing))}: draw it with lstm-cell --cell {graph.name}"
        )
    return graph


def _owned(graph: Graph, *names: str) -> set[str]:
    """Return the boxes and circles that compute some values, those without a name included."""
    scene = cell_scene(graph)
    places = {n: graph.owners.get(node) for n, node in enumerate(graph.order)}
    return {
        box.id
        for box in scene.boxes.values()
        if box.nodes and places.get(box.nodes[-1]) in names and box.id not in graph.states
    }


GATES = (
    (16, "forget", "forget gate lit, its equation beside it", "forget gate", "f"),
    (17, "input", "input gate and candidate lit", "input gate and candidate", "ig"),
    (18, "update", "the cell-state update lit", "cell state update", "c"),
    (19, "output", "output gate and hidden state lit", "output gate and hidden state", "oh"),
)
"""Drawings of gates: number, name, what is shown; title, values whose equations stand beside."""


def _gate_steps(graph: Graph, kind: str, names: str) -> list[set[str]]:
    """Return what is lit, one after the other."""
    scene = cell_scene(graph)
    joins = {box.id for box in scene.boxes.values() if box.role == "join"}
    come = _part(graph, {*graph.inputs, "h", *joins})
    owned = [_owned(graph, name) for name in names]
    if kind == "output":
        return [come, _part(graph, owned[0]), _part(graph, owned[1] | {"h'", "output"})]
    if kind != "update":
        onward = [{line.id for line in scene.lines if line.source in boxes} for boxes in owned]
        return [
            come,
            *(_part(graph, boxes) | lines for boxes, lines in zip(owned, onward, strict=True)),
        ]
    (update,) = owned
    kept, added = (
        {line.target for line in scene.lines if line.source == f"box {gate}"} & update
        for gate in ("f", "i")
    )
    rest = (update - kept - added) | {"c'"}
    return [_part(graph, kept) | {"c", "name c"}, _part(graph, added), _part(graph, rest)]


def _gate(subject: Subject, name: str, title: str, values: str) -> Picture:
    """Light what computes some values, one after the other, their equations beside the cell."""
    graph = _lstm(subject, name)
    scene = replace(cell_scene(graph), title="")
    text = written(graph, [*values], size=1.1)
    faint = text.lit(set())
    steps = [set(), *_gate_steps(graph, name, values)]
    frames = []
    for number in range(len(steps)):
        lit = scene.lit(set().union(*steps[: number + 1]))
        beside = _beside(lit, text if number > 1 else faint)
        frames.append(above(beside, subject.words(title)))
    return moving(frames, 0.9)


for number, name, about, title, values in GATES:
    make = partial(_gate, name=name, title=title, values=values)
    drawing(number, name, about, "cell", moves=True)(make)


@drawing(14, "belt", "the cell-state line alone", "cell")
def belt(subject: Subject) -> Picture:
    """Draw the belt of the state that carries the memory, everything else put back."""
    graph = (subject.cell or find("lstm")).graph
    scene = cell_scene(graph)
    at = _carried(graph)
    chain, lines = {at, f"{at}'"}, set()
    ends = {box.id: box for box in scene.boxes.values() if abs(box.y - scene.boxes[at].y) < 1e-6}
    while onward := [line for line in scene.lines if line.source == at and line.target in ends]:
        nearest = min(onward, key=lambda line: ends[line.target].x)
        lines.add(nearest.id)
        at = nearest.target
        chain.add(at)
    return still(scene.lit(chain | lines | {f"name {key}" for key in chain}))


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


@drawing(15, "gate", "one gate: σ and ×")
def gate(subject: Subject) -> Picture:
    """Draw a sigmoid layer whose output multiplies what passes by."""
    w = subject.words
    shapes: list[Shape] = [
        Line("through", ((-2.2, 1.6), (-0.26, 1.6)), net="v"),
        Line("on", ((0.26, 1.6), (2.2, 1.6)), net="w"),
        Line("opens", ((0, 0.36), (0, 1.34)), net="s"),
        Line("read", ((0, -1.3), (0, -0.36)), net="r"),
        Box("times", "operation", 0, 1.6, 0.52, 0.52, 0.26, "$\\times$", 1.2),
        Box("sigma", "layer", 0, 0, 1.1, 0.72, 0.1, "$\\sigma$", 1.2),
        Label("value", "$v$", -2.45, 1.6, size=1.1),
        Label("gated", "$s \\odot v$", 2.32, 1.6, align="left", size=1.1),
        Label("s", "$s$", 0.16, 0.75, align="left", size=1.1),
        Label("reads", "$[\\,h_{t-1},\\, x_t\\,]$", 0, -1.65, size=1.05),
        Label("zero", "$s = 0$:  " + w("closed"), 2.1, 0.35, "caption", "left"),
        Label("one", "$s = 1$:  " + w("open"), 2.1, -0.3, "caption", "left"),
    ]
    return still(Scene(tuple(shapes), "gate"))
