"""The network in time: rolled up, unrolled, opened."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, final

from ...cells import find
from ...printing.latex import equations, symbol
from ..drawing import drawing
from ..layout import scene as cell_scene
from ..motion import Flow, Move, key_under
from ..parts import CIRCLE, HIGH, PITCH, WIDE, above, arrow, below, block, circle, step
from ..picture import Picture, still
from ..scale import Scale, unfinite
from ..scene import Scene
from ..shapes import Box, Label, Light, Line, Shape, Strip, text_width
from ..timeline import joined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import ndarray

    from ...graph.graph import Graph
    from ..subject import Subject


SAME = "the same weights at every step"


def _loop() -> list[Shape]:
    """Return a step whose output goes back to its side; no line crosses another."""
    side, far, high = WIDE / 2, WIDE / 2 + 0.95, HIGH / 2 + 0.36
    way = ((0.0, HIGH / 2), (0.0, high), (-far, high), (-far, 0.0), (-side, 0.0))
    return [
        *step("loop", 0.0, "$x_t$", "$h_t$"),
        Line("again", way, net="h loop", radius=0.3),
        Label("before", "$h_{t-1}$", (-far - side) / 2 - 0.02, -0.28, size=0.9),
    ]


def _explained(scene: Scene, subject: Subject, x: float) -> Scene:
    """Return a scene with the equation of the closed box under it, and what is shared."""
    _, down, _, _ = scene.bounds
    formula = Label("formula", "$h_t = A(h_{t-1},\\, x_t)$", x, down - 0.5)
    shared = Label("under", subject.words(SAME), x, down - 1.15, "caption", size=0.85)
    return scene + Scene((formula, shared))


@drawing(1, "loop", "the network rolled up: one box, an arrow back to itself")
def loop(subject: Subject) -> Picture:
    """Draw one box and its loop."""
    words = subject.words("one step later")
    later = Label("later", words, -0.2, HIGH / 2 + 0.6, "caption", "right", 0.75)
    return still(_explained(Scene((*_loop(), later), "loop"), subject, 0.0))


@drawing(2, "chain", "unrolled: copies of one box in a row, shared weights")
def chain(subject: Subject) -> Picture:
    """Draw the loop and the same network unrolled."""
    first = 4.2
    gap = PITCH - WIDE
    shapes = [*_loop(), Label("equals", "$=$", 1.55, 0, size=1.8)]
    for n in range(3):
        x = first + n * PITCH
        shapes += step(str(n), x, f"$x_{n + 1}$", f"$h_{n + 1}$")
        shapes.append(arrow(f"state {n}", (x - WIDE / 2 - gap, 0), (x - WIDE / 2, 0)))
        if n:
            shapes.append(_handed(x - (WIDE + gap) / 2, str(n)))
    last = first + 3 * PITCH + 1.5
    edge, before = first + 2 * PITCH + WIDE / 2, last - WIDE / 2
    dots = (edge + before) / 2
    shapes += [
        Label("start", "$h_0$", first - WIDE / 2 - gap - 0.1, 0, align="right"),
        *step("last", last, "$x_t$", "$h_t$"),
        arrow("state 3", (edge, 0), (dots - 0.35, 0), head=False),
        Label("dots", "$\\cdots$", dots, 0, size=1.3),
        arrow("state 4", (dots + 0.35, 0), (before, 0)),
        _handed((edge + dots - 0.35) / 2, "3"),
        _handed((dots + 0.35 + before) / 2, "t-1"),
    ]
    return still(_explained(Scene(tuple(shapes), "chain"), subject, first + PITCH))


def _handed(x: float, index: str) -> Label:
    """Return the name of a state over the line that hands it on."""
    return Label(f"handed {index}", f"$h_{{{index}}}$", x, 0.27, size=0.9)


SHOWN, FIELD = 8, 0.27
"""Units of a state that are shown as fields."""


@drawing(3, "passing", "the hidden state handed from step to step", "cell run text", moves=True)
def passing(subject: Subject) -> Picture:
    """Draw the recorded hidden state, carried from step to step."""
    name = subject.cell.name if subject.cell else "rnn_tanh"
    story = subject.numbers.story(6, name, "memory")
    states = story.values[story.graph.output]
    scale = Scale.signed(states)
    places = scale.placed(states)
    under = subject.words("{model}: units 0–{last} of $h_t$").format(
        model=story.model, last=min(SHOWN, states.shape[1]) - 1
    )
    under = joined(subject.words, under, *scale.said(subject.words))
    under = joined(subject.words, under, *unfinite(states, subject.words))
    scene = _passed(story.tokens, places)
    scene = above(scene, subject.words("the hidden state, handed from step to step"))
    a, down, b, _ = scene.bounds
    formula = Label("formula", _handing(story.graph), (a + b) / 2, down - 0.5, "equation")
    scene += Scene((formula,))
    whole = scene + key_under(scene.bounds, under, scale.top, scale.is_beyond)
    vectors = [_units(place) for place in places]
    values = {f"out {n}": vector for n, vector in enumerate(vectors)}
    values |= {f"state {n + 1}": vector for n, vector in enumerate(vectors[:-1])}
    steps = [step for n in range(len(states)) for step in _read(n)]
    return Flow(whole, steps, values).picture(h=states)


def _handing(graph: Graph) -> str:
    """Return the equation of a closed step: what it hands on, of what it is given."""
    states = dict.fromkeys((graph.output, *graph.states))
    new, old = (", ".join(symbol(state, time) for state in states) for time in ("t", "t-1"))
    inputs = ", ".join(symbol(name, "t") for name in graph.inputs)
    return f"${new} = A({old}, {inputs})$"


def _read(n: int) -> list[Move]:
    """Return what happens in a step: input and old state come, the new state leaves."""
    handed = f"handed {n}" if n else "start"
    return [
        Move([f"in {n}", f"state {n}"], frozenset({f"x {n}", f"A {n}", handed})),
        Move([f"out {n}"], frozenset({f"h {n}"})),
    ]


def _passed(tokens: Sequence[str], states: ndarray) -> Scene:
    """Return the chain with the state after each step."""
    side, low, high = -WIDE / 2, -HIGH / 2, HIGH / 2
    start = Label("start", "$h_0$", side - 0.85, 0, align="right")
    shapes: list[Shape] = [start, Line("state 0", ((side - 0.75, 0), (side, 0)), net="h start")]
    for n, token in enumerate(tokens):
        x, part = n * (PITCH + 0.3), _units(states[n])
        shapes += [
            Line(f"in {n}", ((x, low - 0.7), (x, low)), net=f"x {n}"),
            block(f"A {n}", x),
            circle(f"x {n}", "input", x, low - 0.7 - CIRCLE, shown(token)),
            Line(f"out {n}", ((x, high), (x, high + 0.42)), net=f"h {n}"),
            Strip(f"h {n}", x, high + 0.45 + len(part) * FIELD / 2, part, field=FIELD),
        ]
        if n:
            left, handed = x - PITCH - 0.3 + WIDE / 2, _units(states[n - 1])
            middle = x - (PITCH + 0.3) / 2
            shapes += [
                Line(f"state {n}", ((left, 0), (x - WIDE / 2, 0)), net=f"h {n - 1}"),
                Strip(f"handed {n}", middle, 0.28, handed, field=FIELD / 2, across=True),
            ]
    top = high + 0.45 + len(_units(states[0])) * FIELD + 0.35
    shapes.append(Label("top", "$h_t$", 0, top, "caption"))
    return Scene(tuple(shapes), "passing")


def _units(state: ndarray) -> tuple[float, ...]:
    """Return the units of a state that are shown."""
    return tuple(float(v) for v in state[:SHOWN])


def shown(token: str) -> str:
    """Return a token as it stands in a picture: blanks become visible, dollars stay dollars."""
    return {" ": "␣", "\n": "↵", "\t": "→"}.get(token, token.replace("$", "\\$"))


@drawing(4, "general", "h', y = f(h, x), here with y = softmax(W h')")
def general(subject: Subject) -> Picture:
    """Draw the general step, and the usual head as a part of it."""
    branch, rise, edge = 2.05, (1.75, 2.95), (-1.5, 3.75)
    y1, y2 = rise
    left, right = edge
    shapes: list[Shape] = [
        Box("f frame", "frame", (left + right) / 2, 1.3, right - left, 4.9, 0.3),
        Label("f", "$f$", left + 0.4, 3.35, size=1.5),
        arrow("h", (left - 1.0, 0), (-WIDE / 2, 0)),
        arrow("h'", (WIDE / 2, 0), (right + 1.0, 0)),
        arrow("x", (0, -2.15), (0, -HIGH / 2)),
        Line("branch", ((WIDE / 2, 0), (branch, 0), (branch, y1 - 0.35)), net="h'"),
        arrow("logits", (branch, y1 + 0.35), (branch, y2 - 0.35)),
        arrow("y", (branch, y2 + 0.35), (branch, y2 + 1.55)),
        block("A", 0),
        circle("x in", "input", 0, -2.15 - CIRCLE, "$x$"),
        circle("h in", "head", left - 1.0 - CIRCLE, 0, "$h$"),
        circle("h out", "head", right + 1.0 + CIRCLE, 0, "$h'$"),
        Box("linear", "layer", branch, y1, 1.9, 0.7, 0.1, "$W$", 1.1),
        Box("softmax", "operation", branch, y2, 1.9, 0.7, 0.35, "$\\mathrm{softmax}$", 1.1),
        circle("y out", "output", branch, y2 + 1.55 + CIRCLE, "$y$"),
    ]
    middle = (left + right) / 2
    here = f"{subject.words('here')}  $h' = A(h,\\, x)$,  $y = \\mathrm{{softmax}}(W h')$"
    shapes += [
        Label("formula", "$h',\\, y = f(h,\\, x)$", middle, y2 + 3.0, "title", size=1.3),
        Label("parts", here, middle, -3.5, "caption", size=1.05),
    ]
    return still(Scene(tuple(shapes), "general"))


def _opened(graph: Graph) -> Scene:
    """Return a cell between two closed copies of itself, the state lines going through."""
    inner = cell_scene(graph)
    left, _, right, _ = inner.boxes["frame"].bounds
    left, right = left - GAP, right + GAP
    shapes = [
        _as_neighbours(_stretched(shape, graph, left, right))
        for shape in inner.shapes
        if not (isinstance(shape, Label) and shape.role == "state")
    ]
    for state in graph.states:
        y = inner.boxes[state].y + 0.26
        shapes += [
            Label(f"{state} {side}", f"${symbol(state, time)}$", x, y, size=0.9)
            for side, time, x in (("in", "t-1", left + GAP * 0.42), ("on", "t", right - GAP * 0.5))
        ]
    shapes += _closed(inner, graph, "before", left - CLOSED / 2)
    shapes += _closed(inner, graph, "after", right + CLOSED / 2)
    return Scene(tuple(shapes), graph.name)


GAP, CLOSED, OUTSIDE = 1.0, 1.9, 1.0
"""Between an opened cell and its closed copies, the width of these, and of what goes on outside."""


def _as_neighbours(shape: Shape) -> Shape:
    """Let the letters of input and output be as large as the neighbours'."""
    ends = isinstance(shape, Box) and shape.role in ("input", "output")
    return replace(shape, size=0.8) if ends else shape


def _stretched(shape: Shape, graph: Graph, left: float, right: float) -> Shape:
    """Let state lines begin and end at the neighbours."""
    if not isinstance(shape, Line):
        return shape
    points = list(shape.points)
    if shape.source in graph.states:
        points[0] = (left, points[0][1])
    if shape.target.endswith("'"):
        points[-1] = (right, points[-1][1])
    return replace(shape, points=tuple(points))


def _closed(inner: Scene, graph: Graph, side: str, x: float) -> list[Shape]:
    """Return a closed copy with its own input, output and the ends of its state lines."""
    frame = inner.boxes["frame"]
    _, down, _, up = frame.bounds
    index = "t-1" if side == "before" else "t+1"
    low = next(inner.boxes[name].y for name in graph.inputs)
    high = inner.boxes["output"].y
    shapes: list[Shape] = [
        Line(f"in {side}", ((x, low + 0.31), (x, down))),
        Line(f"out {side}", ((x, up), (x, high - 0.31))),
        Box(f"A {side}", "closed", x, frame.y, CLOSED, frame.height, 0.3, "$A$", 1.6),
        Box(f"x {side}", "input", x, low, 0.62, 0.62, 0.31, f"$x_{{{index}}}$", 0.8),
        Box(f"h {side}", "output", x, high, 0.62, 0.62, 0.31, f"${graph.output}_{{{index}}}$", 0.8),
    ]
    for state in graph.states:
        y = inner.boxes[state].y
        if side == "before":
            time, a, b = "t-2", x - CLOSED / 2 - OUTSIDE, x - CLOSED / 2
        else:
            time, a, b = "t+1", x + CLOSED / 2, x + CLOSED / 2 + OUTSIDE
        name = f"${symbol(state, time)}$"
        shapes += [
            Line(f"{state} {side}", ((a, y), (b, y))),
            Label(f"{state} beyond {side}", name, (a + b) / 2 - 0.05, y + 0.26, size=0.9),
        ]
    return shapes


@drawing(5, "rnn-chain", "the chain with the RNN cell opened (one tanh layer)")
def rnn_chain(subject: Subject) -> Picture:
    """Draw the RNN between its copies, and its equation."""
    graph = find("rnn_tanh").graph
    left, right = equations(graph)[graph.output]
    scene = _opened(graph)
    a, down, b, _ = scene.bounds
    formula = Label("formula", f"${left} = {right}$", (a + b) / 2, down - 0.6, "equation")
    return still(scene + Scene((formula,)))


@drawing(11, "lstm-chain", "the LSTM chain, four layers inside", "cell")
def lstm_chain(subject: Subject) -> Picture:
    """Draw the LSTM, or any cell, between its copies."""
    return still(_opened((subject.cell or find("lstm")).graph))


# One drawing of many small chains.


@final
@dataclass(frozen=True)
class Kind:
    """A way to use the chain.

    Attributes:
        title: its name.
        example: what it is used for.
        steps: how many there are.
        inputs: the steps that have one.
        outputs: the steps that have one.
        decoder: the first step of the decoder, None where one network does both.
    """

    title: str
    example: str
    steps: int
    inputs: range
    outputs: range
    decoder: int | None = None


KINDS = (
    Kind("one to many", "image to caption", 4, range(1), range(4)),
    Kind("many to one", "text to class", 4, range(4), range(3, 4)),
    Kind("many to many, equal", "word to tag", 4, range(4), range(4)),
    Kind("many to many, unequal", "translation", 5, range(3), range(3, 5), 3),
)
ROWS = (("output", 1.75), ("hidden state", 0.0), ("input", -1.75))
"""The rows of a structure: what stands in them, and their height."""
STEP_WIDE, STEP_HIGH, STEP_PITCH = 0.78, 0.95, 1.3


@drawing(7, "structures", "one→many, many→one, many→many equal, many→many unequal")
def structures(subject: Subject) -> Picture:
    """Draw four ways to use the chain."""
    w = subject.words
    panels = [_structure(subject, number, kind) for number, kind in enumerate(KINDS)]
    wide = 3 * STEP_PITCH + STEP_WIDE + 3.3
    shapes: list[Shape] = []
    for number, panel in enumerate(panels):
        row, column = divmod(number, 2)
        shapes += panel.moved(column * wide, -row * 6.6).shapes
        shapes += [
            Label(
                f"row {row} {column} {name}", w(name), column * wide - 0.65, y - row * 6.6,
                "caption", "right", 0.85,
            )
            for name, y in ROWS
        ]  # fmt: skip
    return still(Scene(tuple(shapes), "structures"))


def _structure(subject: Subject, number: int, kind: Kind) -> Scene:
    """Return a chain with the inputs and outputs of a kind, its name above, its use below."""
    (_, rise), *_ = ROWS
    wide, high = STEP_WIDE, STEP_HIGH
    shapes: list[Shape] = []
    for n in range(kind.steps):
        x, name, decodes = n * STEP_PITCH, f"{number}.{n}", _decodes(kind, n)
        index = n + 1 - (kind.decoder or 0) * decodes
        state = f"s_{index}" if decodes else f"h_{index}"
        if n:
            shapes.append(arrow(f"s {name}", (x - STEP_PITCH + wide / 2, 0), (x - wide / 2, 0)))
        if n in kind.inputs:
            text = "$x$" if len(kind.inputs) == 1 else f"$x_{index}$"
            shapes.append(arrow(f"i {name}", (x, -rise + high / 2), (x, -high / 2)))
            shapes.append(Box(f"x {name}", "input", x, -rise, wide, high, 0.12, text))
        if n in kind.outputs:
            text = "$y$" if len(kind.outputs) == 1 else f"$y_{index}$"
            shapes.append(arrow(f"o {name}", (x, high / 2), (x, rise - high / 2)))
            shapes.append(Box(f"y {name}", "output", x, rise, wide, high, 0.12, text))
        role = "head" if decodes else "closed"
        shapes.append(Box(f"h {name}", role, x, 0, wide, high, 0.12, f"${state}$"))
    middle = (kind.steps - 1) * STEP_PITCH / 2
    w = subject.words
    shapes += [
        Label(f"t {number}", w(kind.title), middle, rise + high / 2 + 0.55, "title", size=1.0),
        Label(f"e {number}", w(kind.example), middle, -rise - high / 2 - 0.45, "caption", size=0.9),
    ]
    if kind.decoder is not None:
        ends = (
            ((kind.decoder - 1) / 2, rise * 0.5),
            ((kind.decoder + kind.steps - 1) / 2, rise * 0.5),
        )
        for title, (place, y) in zip(("encoder", "decoder"), ends, strict=True):
            x = place * STEP_PITCH
            shapes.append(Label(f"{title} {number}", w(title), x, y, "caption", size=0.85))
    return Scene(tuple(shapes))


def _decodes(kind: Kind, step: int) -> bool:
    """Return whether a step belongs to a decoder."""
    return kind.decoder is not None and step >= kind.decoder


GAPS = {
    "en": (
        (["the", "clouds", "are", "in", "the"], "sky", 1),
        (["I", "grew", "up", "in", "France", "…", "so", "I", "speak", "fluent"], "French", 4),
    ),
    "zh": (
        (["云", "飘", "在"], "天空", 0),
        (["我", "在", "法国", "长大", "…", "所以", "我", "说", "流利", "的"], "法语", 2),
    ),
}
"""Sentences with the word that follows, and which word tells it."""


@drawing(10, "gaps", "the short and the long dependency on the chain")
def gaps(subject: Subject) -> Picture:
    """Draw two sentences: what decides the last word is near, or far away."""
    shapes: list[Shape] = []
    titles, many = ("short gap", "long gap"), subject.words("many words")
    for number, (words, target, source) in enumerate(GAPS[subject.words.language]):
        words = [f"… {many} …" if word == "…" else word for word in words]
        row = _gap(number, words, target, source, subject.words(titles[number]))
        shapes += row.moved(0, -4.5 * number).shapes
    said = subject.words(
        "orange: the word that decides the next one, and the steps that carry it on"
    )
    return still(below(Scene(tuple(shapes), "gaps"), said))


def _gap(number: int, words: list[str], target: str, source: int, title: str) -> Scene:
    shapes: list[Shape] = []
    wide, high = 0.9, 0.8
    at = [0.0]
    for before, word in pairwise(words):
        at.append(at[-1] + max(1.35, (text_width(before) + text_width(word)) / 2 * 0.85 + 0.45))
    last = len(words) - 1
    for n, (x, word) in enumerate(zip(at, words, strict=True)):
        lit: Light = "lit" if n == source else "plain"
        way: Light = "lit" if source < n else "plain"
        role = "carrier" if n >= source else "closed"
        if n:
            ends = ((at[n - 1] + wide / 2, 0), (x - wide / 2, 0))
            shapes.append(Line(f"s {number}.{n}", ends, light=way))
        if word.startswith("…"):
            shapes.append(Label(f"A {number}.{n}", "$\\cdots$", x, 0.0, size=1.2))
            shapes.append(Label(f"x {number}.{n}", word, x, -1.75, "caption", size=0.85))
            continue
        shapes += [
            Line(f"i {number}.{n}", ((x, -1.45), (x, -high / 2)), light=lit),
            Box(f"A {number}.{n}", role, x, 0, wide, high, 0.14, "$A$"),
            Label(f"x {number}.{n}", word, x, -1.75, size=0.85, light=lit),
        ]
    x = at[last]
    shapes += [
        Line(f"o {number}", ((x, high / 2), (x, 1.35)), light="lit"),
        Label(f"y {number}", target, x, 1.68, size=0.95, light="lit"),
        Label(f"t {number}", title, at[0] - wide / 2, 1.68, "title", "left", 0.95),
    ]
    return Scene(tuple(shapes))
