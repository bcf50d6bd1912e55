"""The network in time: rolled up, unrolled, opened."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from typing import TYPE_CHECKING

from ...cells import find
from ..drawing import drawing
from ..layout import scene as cell_scene
from ..parts import CIRCLE, HIGH, PITCH, WIDE, arrow, below, block, circle, step
from ..picture import Picture, moving, still
from ..scene import Scene
from ..shapes import Box, Label, Light, Line, Shape, Strip, text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import ndarray

    from ...graph.graph import Graph
    from ..subject import Subject


def _loop() -> list[Shape]:
    side, high, low = WIDE / 2, 0.25, -HIGH / 2 - 0.42
    far = side + 0.65
    way = ((side, high), (far, high), (far, low), (-far, low), (-far, high), (-side, high))
    return [*step("loop", 0.0, "$x_t$", "$h_t$"), Line("again", way, net="again", radius=0.3)]


@drawing(1, "loop", "the network rolled up: one box, an arrow back to itself")
def loop(subject: Subject) -> Picture:
    """Draw one box and its loop."""
    scene = Scene(tuple(_loop()), "loop")
    return still(below(scene, subject.words("the same weights at every step")))


@drawing(2, "chain", "unrolled: copies of one box in a row, shared weights")
def chain(subject: Subject) -> Picture:
    """Draw the loop and the same network unrolled."""
    first = 4.2
    shapes = [*_loop(), Label("equals", "$=$", 2.2, 0, size=1.8)]
    for n in range(3):
        x = first + n * PITCH
        shapes += step(str(n), x, f"$x_{n}$", f"$h_{n}$")
        if n:
            shapes.append(arrow(f"state {n}", (x - PITCH + WIDE / 2, 0), (x - WIDE / 2, 0)))
    last = first + 3 * PITCH + 0.9
    shapes += step("last", last, "$x_t$", "$h_t$")
    edge, dots = first + 2 * PITCH + WIDE / 2, first + 2.5 * PITCH + 0.45
    shapes += [
        arrow("state 3", (edge, 0), (dots - 0.35, 0), head=False),
        Label("dots", "$\\cdots$", dots, 0, size=1.3),
        arrow("state 4", (dots + 0.35, 0), (last - WIDE / 2, 0)),
    ]
    scene = Scene(tuple(shapes), "chain")
    return still(below(scene, subject.words("the same weights at every step")))


SHOWN, FIELD = 8, 0.27
"""Units of a state that are shown as fields."""


@drawing(3, "passing", "the hidden state handed from step to step", "cell run text", moves=True)
def passing(subject: Subject) -> Picture:
    """Draw the recorded hidden state, carried from step to step."""
    name = subject.cell.name if subject.cell else "rnn_tanh"
    story = subject.numbers.story(6, name, "memory")
    states = story.values[story.graph.output]
    scale = float(abs(states).max()) or 1.0
    moments = [*product(range(len(states)), (False, True)), (len(states), False)]
    frames = [_passed(story.tokens, states / scale, *moment) for moment in moments]
    under = subject.words("{model}: units 1-{last} of $h_t$").format(
        model=story.model, last=min(SHOWN, states.shape[1])
    )
    scenes = [_scaled(scene, under, scale) for scene in frames]
    return moving(scenes, 0.45, h=states)


def _passed(tokens: Sequence[str], states: ndarray, now: int, late: bool) -> Scene:
    """Return the chain while step `now` works (late: has worked); what is done keeps its state."""
    shapes: list[Shape] = []
    for n, token in enumerate(tokens):
        x = n * (PITCH + 0.3)
        done = n < now or (n == now and late)
        light: Light = "lit" if n == now else "plain" if done else "dim"
        low, high = -HIGH / 2, HIGH / 2
        shapes += [
            Line(f"in {n}", ((x, low - 0.7), (x, low)), light=light),
            replace(block(f"A {n}", x), light=light),
            replace(circle(f"x {n}", "input", x, low - 0.7 - CIRCLE, shown(token)), light=light),
        ]
        if n:
            came: Light = "lit" if n == now and not late else "plain" if n <= now else "dim"
            left = x - PITCH - 0.3 + WIDE / 2
            shapes.append(Line(f"state {n}", ((left, 0), (x - WIDE / 2, 0)), light=came))
        if n and n <= now:
            middle, handed = x - (PITCH + 0.3) / 2, _units(states[n - 1])
            shapes.append(Strip(f"handed {n}", middle, 0.28, handed, field=FIELD / 2, across=True))
        if done:
            part = _units(states[n])
            at = high + 0.45 + len(part) * FIELD / 2
            shapes += [
                Line(f"out {n}", ((x, high), (x, high + 0.42)), light=light),
                Strip(f"h {n}", x, at, part, field=FIELD),
            ]
    top = HIGH / 2 + 0.45 + len(_units(states[0])) * FIELD + 0.35
    shapes.append(Label("top", "$h_t$", 0, top))
    return Scene(tuple(shapes), "passing")


def _units(state: ndarray) -> tuple[float, ...]:
    """Return the units of a state that are shown."""
    return tuple(float(v) for v in state[:SHOWN])


def _scaled(scene: Scene, words: str, scale: float) -> Scene:
    """Return a scene with words and the scale of its colours under it."""
    left, down, right, _ = scene.bounds
    y, steps = down - 0.5, 9
    wide = text_width(words) * 0.7
    at = (left + right) / 2 - (wide + 3.4) / 2
    bar, end = at + wide + 1.0, f"{scale:.2g}"
    colors = tuple(2 * n / (steps - 1) - 1 for n in range(steps))
    shapes = (
        Label("under", words, at, y, "caption", "left", 0.7),
        Label("least", f"−{end}".replace("-", "−"), bar - 0.1, y, "caption", "right", 0.7),
        Strip("scale", bar + steps * 0.09, y, colors, field=0.18, across=True),
        Label("most", end, bar + steps * 0.18 + 0.1, y, "caption", "left", 0.7),
    )
    return scene + Scene(shapes)


def shown(token: str) -> str:
    """Return a token as it stands in a picture: blanks become visible, dollars stay dollars."""
    return {" ": "␣", "\n": "↵", "\t": "→"}.get(token, token.replace("$", "\\$"))


@drawing(4, "general", "h', y = f(h, x), with the linear + softmax head")
def general(subject: Subject) -> Picture:
    """Draw the general step and the usual head."""
    w = subject.words
    y1, y2 = 1.75, 2.95
    head = 3.3
    shapes: list[Shape] = [
        arrow("h", (-2.6, 0), (-WIDE / 2, 0)),
        arrow("h'", (WIDE / 2, 0), (head + 1.6, 0)),
        arrow("x", (0, -1.6), (0, -HIGH / 2)),
        Line("branch", ((WIDE / 2, 0), (1.7, 0), (1.7, y1 - 0.35)), net="h'"),
        arrow("logits", (1.7, y1 + 0.35), (1.7, y2 - 0.35)),
        arrow("y", (1.7, y2 + 0.35), (1.7, y2 + 1.05)),
        block("f", 0, "$f$"),
        circle("x in", "input", 0, -1.6 - CIRCLE, "$x$"),
        circle("h in", "head", -2.6 - CIRCLE, 0, "$h$"),
        circle("h out", "head", head + 1.6 + CIRCLE, 0, "$h'$"),
        Box("linear", "layer", 1.7, y1, 2.1, 0.7, 0.1, w("linear")),
        Box("softmax", "operation", 1.7, y2, 2.1, 0.7, 0.35, "softmax"),
        circle("y out", "output", 1.7, y2 + 1.05 + CIRCLE, "$y$"),
    ]
    shapes.append(Label("formula", "$h',\\; y = f(h,\\, x)$", -2.3, y2, size=1.25))
    return still(Scene(tuple(shapes), "general"))


def _opened(graph: Graph, subject: Subject) -> Scene:
    """Return a cell between two closed copies of itself, the state lines going through."""
    inner = cell_scene(graph)
    left, _, right, _ = inner.boxes["frame"].bounds
    left, right = left - GAP, right + GAP
    shapes = [
        _stretched(shape, graph, left, right)
        for shape in inner.shapes
        if not (isinstance(shape, Label) and shape.role == "state")
    ]
    shapes += _closed(inner, graph, "before", left - CLOSED / 2)
    shapes += _closed(inner, graph, "after", right + CLOSED / 2)
    return Scene(tuple(shapes), graph.name)


GAP, CLOSED = 1.0, 1.9
"""Between an opened cell and its closed copies, and the width of these."""


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
            ends = ((x - CLOSED / 2 - 0.7, y), (x - CLOSED / 2, y))
        else:
            ends = ((x + CLOSED / 2, y), (x + CLOSED / 2 + 0.7, y))
        shapes.append(Line(f"{state} {side}", ends))
    return shapes


@drawing(5, "rnn-chain", "the chain with the RNN cell opened (one tanh layer)")
def rnn_chain(subject: Subject) -> Picture:
    """Draw the RNN between its copies."""
    return still(_opened(find("rnn_tanh").graph, subject))


@drawing(11, "lstm-chain", "the LSTM chain, four layers inside", "cell")
def lstm_chain(subject: Subject) -> Picture:
    """Draw the LSTM, or any cell, between its copies."""
    return still(_opened((subject.cell or find("lstm")).graph, subject))


# One drawing of many small chains.

Kind = tuple[str, str, int, tuple[int, ...], tuple[int, ...]]
KINDS: tuple[Kind, ...] = (
    ("one to many", "image to caption", 4, (0,), (0, 1, 2, 3)),
    ("many to one", "text to class", 4, (0, 1, 2, 3), (3,)),
    ("many to many, equal", "word to tag", 4, (0, 1, 2, 3), (0, 1, 2, 3)),
    ("many to many, unequal", "translation", 5, (0, 1, 2), (2, 3, 4)),
)
"""Title, example, number of steps, which have an input, which an output."""


@drawing(7, "structures", "one→many, many→one, many→many equal, many→many unequal")
def structures(subject: Subject) -> Picture:
    """Draw four ways to use the chain."""
    panels = [_structure(subject, number, kind) for number, kind in enumerate(KINDS)]
    wide = max(right - left for left, _, right, _ in (panel.bounds for panel in panels)) + 1.5
    shapes: list[Shape] = []
    for number, panel in enumerate(panels):
        left, down, right, up = panel.bounds
        row, column = divmod(number, 2)
        x, y = column * wide - (left + right) / 2, -row * (up - down + 1.2)
        shapes += panel.moved(x, y).shapes
    return still(Scene(tuple(shapes), "structures"))


def _structure(subject: Subject, number: int, kind: Kind) -> Scene:
    title, example, count, inputs, outputs = kind
    wide, high, pitch, rise = 0.62, 0.95, 1.15, 1.75
    shapes: list[Shape] = []
    for n in range(count):
        x = n * pitch
        name = f"{number}.{n}"
        if n:
            shapes.append(arrow(f"s {name}", (x - pitch + wide / 2, 0), (x - wide / 2, 0)))
        if n in inputs:
            shapes.append(arrow(f"i {name}", (x, -rise + high / 2), (x, -high / 2)))
            shapes.append(Box(f"x {name}", "input", x, -rise, wide, high, 0.12))
        if n in outputs:
            shapes.append(arrow(f"o {name}", (x, high / 2), (x, rise - high / 2)))
            shapes.append(Box(f"y {name}", "output", x, rise, wide, high, 0.12))
        shapes.append(Box(f"h {name}", "closed", x, 0, wide, high, 0.12))
    middle = (count - 1) * pitch / 2
    w = subject.words
    shapes += [
        Label(f"t {number}", w(title), middle, rise + high / 2 + 0.55, "title", size=1.0),
        Label(f"e {number}", w(example), middle, -rise - high / 2 - 0.45, "caption", size=0.9),
    ]
    return Scene(tuple(shapes))


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
    titles = ("short gap", "long gap")
    for number, (words, target, source) in enumerate(GAPS[subject.words.language]):
        row = _gap(subject, number, words, target, source, subject.words(titles[number]))
        shapes += row.moved(0, -4.5 * number).shapes
    return still(Scene(tuple(shapes), "gaps"))


def _gap(
    subject: Subject, number: int, words: list[str], target: str, source: int, title: str
) -> Scene:
    shapes: list[Shape] = []
    wide, high = 0.9, 0.8
    at = [0.0]
    for before, word in pairwise(words):
        at.append(at[-1] + max(1.35, (text_width(before) + text_width(word)) / 2 * 0.85 + 0.45))
    last = len(words) - 1
    for n, (x, word) in enumerate(zip(at, words, strict=True)):
        lit: Light = "lit" if n == source else "plain"
        way: Light = "lit" if source < n else "plain"
        role = "layer" if n >= source else "closed"
        if n:
            ends = ((at[n - 1] + wide / 2, 0), (x - wide / 2, 0))
            shapes.append(Line(f"s {number}.{n}", ends, light=way))
        if word == "…":
            shapes.append(Label(f"A {number}.{n}", "$\\cdots$", x, 0.0, size=1.2))
            shapes.append(Label(f"x {number}.{n}", "…", x, -1.75, size=0.85))
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
