"""Inside a cell: the whole, its parts lit one after the other, its variants, the legend."""

from __future__ import annotations

from dataclasses import replace
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


def _beside(scene: Scene, other: Scene, gap: float = 0.7) -> Scene:
    """Return a scene with another one to its right, their middles at one height."""
    _, down, right, up = scene.bounds
    left, low, _, high = other.bounds
    moved = other.moved(right + gap - left, (down + up) / 2 - (low + high) / 2)
    return Scene((*scene.shapes, *moved.shapes), scene.title)


def _under(scene: Scene, other: Scene, gap: float = 0.55) -> Scene:
    """Return a scene with another one under it, in the middle."""
    left, down, right, _ = scene.bounds
    a, _, b, high = other.bounds
    moved = other.moved((left + right) / 2 - (a + b) / 2, down - gap - high)
    return Scene((*scene.shapes, *moved.shapes), scene.title)


def stages(graph: Graph) -> list[set[str]]:
    """Return the shapes that come to life one after the other: lines in, then what they lead to."""
    scene = cell_scene(graph)
    depth: dict[str, int] = {}
    waiting = [*graph.inputs, *graph.states]
    depth.update(dict.fromkeys(waiting, 0))
    lines = scene.lines
    changed = True
    while changed:
        changed = False
        for line in lines:
            sources = [each.source for each in lines if each.target == line.target]
            if line.target not in depth and all(source in depth for source in sources):
                depth[line.target] = 1 + max(depth[source] for source in sources)
                changed = True
    steps: list[set[str]] = []
    for level in range(max(depth.values()) + 1):
        ids = {key for key, found in depth.items() if found == level}
        lit = {line.id for line in lines if line.target in ids}
        steps.append(ids | lit | {f"name {key}" for key in ids})
    return [step for step in steps if step]


def _growing(scene: Scene, steps: list[set[str]]) -> list[Scene]:
    """Return the scene with each stage lit, earlier ones plain, later ones dim."""
    frames = []
    for now in range(len(steps)):
        done = set().union(*steps[:now], {"frame"})
        shapes = [
            replace(s, light="lit" if s.id in steps[now] else "plain" if s.id in done else "dim")
            for s in scene.shapes
        ]
        frames.append(Scene(tuple(shapes), scene.title))
    return [*frames, scene]


@drawing(6, "rnn-cell", "one RNN step: join → tanh → h'", "cell", moves=True)
def rnn_cell(subject: Subject) -> Picture:
    """Draw one step, its parts coming to life one after the other; the equations under it."""
    return _cell(subject.cell or find("rnn_tanh"))


@drawing(13, "lstm-cell", "the whole LSTM cell", "cell", moves=True)
def lstm_cell(subject: Subject) -> Picture:
    """Draw the whole cell."""
    return _cell(subject.cell or find("lstm"), bare=True)


def _cell(cell: Cell, bare: bool = False) -> Picture:
    graph = cell.graph
    scene = cell_scene(graph)
    frames = _growing(scene, stages(graph))
    if not bare:
        text = written(graph, list(graph.values))
        frames = [_under(frame, text) for frame in frames]
    return moving(frames, 0.7)


# Parts of the LSTM.


def _part(graph: Graph, needed: set[str]) -> set[str]:
    """Return the lit shapes: some boxes, their labels, and the lines that end at one of them."""
    scene = cell_scene(graph)
    lit = set(needed) | {f"name {key}" for key in needed}
    lit |= {line.id for line in scene.lines if line.target in needed}
    return lit


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


def _onward(graph: Graph, name: str) -> set[str]:
    """Return the lines that leave what computes a value."""
    owned = _owned(graph, name)
    return {line.id for line in cell_scene(graph).lines if line.source in owned}


GATES: dict[str, tuple[str, list[str]]] = {
    "forget": ("forget gate", ["f"]),
    "input": ("input gate and candidate", ["i", "g"]),
    "update": ("cell state update", ["c"]),
    "output": ("output gate and hidden state", ["o", "h"]),
}
"""For each drawing its title, and the values whose equations stand beside."""


def _gate_steps(graph: Graph, kind: str) -> list[set[str]]:
    """Return what is lit, one after the other."""
    scene = cell_scene(graph)
    joins = {box.id for box in scene.boxes.values() if box.role == "join"}
    come = _part(graph, {*graph.inputs, "h", *joins})
    if kind in ("forget", "input"):
        _, names = GATES[kind]
        return [come, *(_part(graph, _owned(graph, name)) | _onward(graph, name) for name in names)]
    if kind == "output":
        read = _part(graph, _owned(graph, "h")) | _part(graph, {"h'", "output"})
        return [come, _part(graph, _owned(graph, "o")), read]
    update = _owned(graph, "c")
    by_gate = {
        name: {line.target for line in scene.lines if line.source == f"box {name}"} & update
        for name in ("f", "i")
    }
    first = _part(graph, by_gate["f"]) | {"c", "name c"}
    return [
        first,
        _part(graph, by_gate["i"]),
        _part(graph, update - by_gate["f"] - by_gate["i"]) | _part(graph, {"c'"}),
    ]


def _gate(subject: Subject, kind: str) -> Picture:
    graph = _lstm(subject, kind)
    title, names = GATES[kind]
    scene = cell_scene(graph)
    steps = _gate_steps(graph, kind)
    lit: set[str] = set()
    frames = []
    text = written(graph, names, size=1.1)
    faint = Scene(tuple(replace(s, light="dim") for s in text.shapes))
    dim = Scene(tuple(replace(s, light="dim") for s in scene.shapes))
    w = subject.words
    frames.append(above(_beside(dim, faint), w(title)))
    for number, step in enumerate(steps):
        lit |= step
        shapes = [replace(s, light="lit" if s.id in lit else "dim") for s in scene.shapes]
        equations_ = text if number else faint
        frames.append(above(_beside(Scene(tuple(shapes)), equations_), w(title)))
    return moving(frames, 0.9)


@drawing(14, "belt", "the cell-state line alone", "cell")
def belt(subject: Subject) -> Picture:
    """Draw the belt of the state that carries the memory, everything else put back."""
    graph = (subject.cell or find("lstm")).graph
    scene = cell_scene(graph)
    state = _carried(graph)
    chain, at = {state, f"{state}'"}, state
    goal = f"{state}'"
    y = scene.boxes[state].y
    lines: set[str] = set()
    while at != goal:
        onward = [
            line
            for line in scene.lines
            if line.source == at
            and abs(scene.boxes[line.target].y - y) < 1e-6
            and line.target != "output"
        ]
        if not onward:
            break
        nearest = min(onward, key=lambda line: scene.boxes[line.target].x)
        lines.add(nearest.id)
        at = nearest.target
        chain.add(at)
    lit = chain | lines | {f"name {key}" for key in chain}
    return still(scene.lit(lit))


def _carried(graph: Graph) -> str:
    """Return the state with a belt: c, or the first one whose line runs straight through
    operations.
    """
    scene = cell_scene(graph)
    for state in [s for s in graph.states if s != graph.output] + [graph.output]:
        y = scene.boxes[state].y
        on_it = [b for b in scene.boxes.values() if b.role == "operation" and abs(b.y - y) < 1e-6]
        if on_it:
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


@drawing(16, "forget", "forget gate lit, its equation beside it", "cell", moves=True)
def forget(subject: Subject) -> Picture:
    """Draw the forget gate."""
    return _gate(subject, "forget")


@drawing(17, "input", "input gate and candidate lit", "cell", moves=True)
def input_(subject: Subject) -> Picture:
    """Draw what is written, and how much of it."""
    return _gate(subject, "input")


@drawing(18, "update", "the cell-state update lit", "cell", moves=True)
def update(subject: Subject) -> Picture:
    """Draw the new cell state."""
    return _gate(subject, "update")


@drawing(19, "output", "output gate and hidden state lit", "cell", moves=True)
def output(subject: Subject) -> Picture:
    """Draw what the cell shows of its state."""
    return _gate(subject, "output")


VARIANTS = (("peepholes", "lstm_peephole"), ("coupled gates", "lstm_coupled"), ("GRU", "gru"))


@drawing(20, "variants", "peephole, coupled gates, GRU, drawn from their equations", "cell")
def variants(subject: Subject) -> Picture:
    """Draw three variants with their equations; with a cell, the LSTM beside it."""
    chosen = VARIANTS
    if subject.cell is not None:
        chosen = (("LSTM", "lstm"), (subject.cell.name, ""))
    panels = []
    for title, name in chosen:
        graph = find(name).graph if name else subject.cell.graph  # pyright: ignore[reportOptionalMemberAccess]
        scene = cell_scene(graph)
        panels.append(
            (scene.moved(0, -scene.boxes["frame"].bounds[3]), graph, subject.words(title))
        )
    low = min(panel.bounds[1] for panel, _, _ in panels)
    top = max(panel.bounds[3] for panel, _, _ in panels)
    return still(_row([_variant(panel, graph, title, low, top) for panel, graph, title in panels]))


def _variant(panel: Scene, graph: Graph, title: str, low: float, top: float) -> Scene:
    """Return a cell between its title and its equations; low, top: where all cells end."""
    text = written(graph, list(graph.values))
    left, _, right, _ = panel.boxes["frame"].bounds
    a, _, b, high = text.bounds
    middle = (left + right) / 2
    placed = text.moved(middle - (a + b) / 2, low - 0.7 - high)
    return panel + placed + Scene((Label("title", title, middle, top + 0.5, "title", size=1.2),))


def _row(scenes: list[Scene], gap: float = 0.9) -> Scene:
    shapes: list[Shape] = []
    at = 0.0
    for number, scene in enumerate(scenes):
        left, _, right, _ = scene.bounds
        shapes += scene.moved(at - left, 0).renamed(f"{number} ").shapes
        at += right - left + gap
    return Scene(tuple(shapes))


@drawing(12, "legend", "layer, pointwise operation, vector, join, fork")
def legend(subject: Subject) -> Picture:
    """Draw what the shapes mean."""
    w = subject.words
    pitch, y = 3.9, 0.0
    words = (
        "learned layer",
        "pointwise operation",
        "a whole vector",
        "lines join: concatenate",
        "line forks: copy",
    )
    shapes: list[Shape] = [
        Box("layer", "layer", 0, y, 1.3, 0.8, 0.1, "$\\sigma$", 1.2),
        Box("operation", "operation", pitch, y, 0.7, 0.7, 0.35, "$\\times$", 1.3),
        Line("vector", ((2 * pitch - 0.9, y), (2 * pitch + 0.9, y)), net="v"),
        Line("straight", ((3 * pitch - 0.9, y + 0.3), (3 * pitch + 0.9, y + 0.3)), net="j"),
        Line(
            "joins",
            ((3 * pitch - 0.3, y - 0.55), (3 * pitch - 0.3, y + 0.3)),
            net="j",
            arrow=False,
            merge=(1.0, 0.0),
        ),
        Line("copied", ((4 * pitch - 0.9, y - 0.3), (4 * pitch + 0.9, y - 0.3)), net="k"),
        Line(
            "copy",
            ((4 * pitch - 0.9, y - 0.3), (4 * pitch + 0.2, y - 0.3), (4 * pitch + 0.2, y + 0.55)),
            net="k",
        ),
    ]
    for number, text in enumerate(words):
        shapes.append(Label(f"word {number}", w(text), number * pitch, -1.1, "caption", size=0.85))
    return still(Scene(tuple(shapes), "legend"))
