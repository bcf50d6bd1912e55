"""Drawings of what a model computed: memory, a reading, a training."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy

from ...printing.latex import symbol
from .. import axes as pieces
from ..drawing import drawing
from ..parts import HIGH
from ..picture import Picture, animated, moving
from ..scene import Scene
from ..shapes import Box, Label, Light, Line, Shape
from ..type import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy import ndarray

    from ..subject import Reading, Story, Subject
    from ..words import Words

LONG = 54
"""Steps of a text that fit into a picture."""
PAIRS = 31
"""Steps of a text in a picture of all pairs of them."""
FRAMES = 18
"""Frames of an animation over a text, about."""


@drawing(
    21,
    "memory",
    "how much of each input is still in h_t, step by step",
    "run text cell",
    moves=True,
)
def memory(subject: Subject) -> Picture:
    """Draw gradient × input: for every step, the share of each input in the state."""
    story, found = subject.numbers.influence(PAIRS)
    shares = found / found.sum(1, keepdims=True).clip(1e-30)
    last = len(shares) - 1
    stops = sorted({round(n) for n in numpy.linspace(0, last, min(FRAMES, last + 1))})
    values = {"shares": shares, "influence": found}
    return animated(partial(_memory, subject.words, story, shares), stops, 0.35, values)


def _memory(words: Words, story: Story, shares: ndarray, now: int) -> Figure:
    made = figure(10.5, 9.4)
    top, main = made.subplots(2, 1, height_ratios=(1, 6.4))
    pieces.bars(top, shares[now, : now + 1], len(shares))
    late = shares[max(2, len(shares) // 8) :]
    top.set_ylim(0, float(late.max()) * 1.15 if len(shares) > 3 else 1)
    top.set_xticks([])
    said = words("share of each input in the state after step {step}").format(step=now + 1)
    top.set_title(f"{said}: {words('gradient × input')}", fontsize=14)
    pieces.triangle(main, shares, story.tokens, now)
    main.set_ylabel("$t$", rotation=0, labelpad=14, fontsize=16)
    main.set_xlabel(f"{words('input')} $x_s$        {story.model}", fontsize=12, labelpad=8)
    made.subplots_adjust(left=0.08, right=0.985, bottom=0.085, top=0.95, hspace=0.04)
    return made


@drawing(22, "intent", "a sentence read word by word to a class, the code beside it", moves=True)
def intent(subject: Subject) -> Picture:
    """Draw the probabilities of the classes after every word, and the line of code at work."""
    reading = subject.numbers.reading()
    scenes = [_intent(subject, reading, n) for n in range(-1, len(reading.words))]
    scenes.append(_intent(subject, reading, len(reading.words) - 1, done=True))
    return moving(scenes, 1.0, probabilities=reading.probabilities)


def _intent(subject: Subject, reading: Reading, now: int, done: bool = False) -> Scene:
    shapes: list[Shape] = []
    for n, word in enumerate(reading.words):
        x = n * WORD
        light: Light = "plain" if n < now or done else "lit" if n == now else "dim"
        low = -HIGH / 2
        shapes += [
            Line(f"in {n}", ((x, low - 0.75), (x, low)), light=light),
            replace(Box(f"A {n}", "closed", x, 0, 1.15, HIGH, 0.16, "LSTM", 0.7), light=light),
            Label(f"word {n}", word, x, low - 1.05, light=light),
        ]
        if n:
            way: Light = "lit" if n == now and not done else "plain" if n <= now else "dim"
            shapes.append(Line(f"state {n}", ((x - WORD + 0.575, 0), (x - 0.575, 0)), light=way))
    shapes += _classes(subject.words, reading, now)
    shapes += _code(reading, now, done, len(reading.words) * WORD - 0.3)
    return Scene(tuple(shapes), "intent")


def _classes(words: Words, reading: Reading, now: int) -> list[Shape]:
    """Return a bar for each class after every word, as long as its probability."""
    best = int(reading.probabilities[now].argmax()) if now >= 0 else -1
    heights = [1.5 + 0.6 * place for place in range(len(reading.classes))][::-1]
    shapes: list[Shape] = []
    for number, (name, y) in enumerate(zip(reading.classes, heights, strict=True)):
        label = Label(f"class {number}", words(name), -0.95, y, "name", "right", 0.85)
        shapes.append(replace(label, light="lit" if number == best else "plain"))
    for n, row in enumerate(reading.probabilities[: now + 1]):
        x, light = n * WORD, "lit" if n == now else "plain"
        shapes.append(Line(f"read out {n}", ((x, HIGH / 2), (x, 1.15)), light=light))
        for number, (p, y) in enumerate(zip(map(float, row), heights, strict=True)):
            left, wide = x - 0.72, max(0.02, FULL * p)
            role = "output" if number == row.argmax() else "head"
            shapes += [
                Box(f"bar {n} {number}", role, left + wide / 2, y, wide, 0.38, 0.04),
                Label(f"p {n} {number}", f"{p:.2f}", left + wide + 0.08, y, "sign", "left", 0.62),
            ]
    return shapes


WORD, FULL = 2.1, 0.95
"""From one word to the next, and how long the bar of a probability of 1 is."""


def _code(reading: Reading, now: int, done: bool, x: float) -> list[Shape]:
    """Return the code; the line that reads words is lit while one is read, then the readout."""
    lines = reading.code.split("\n")
    wide, high = max(map(len, lines)) * 0.2 + 0.5, 0.52 * len(lines) + 0.4
    top = 3.2
    middle = x + wide / 2, top - 0.26 * len(lines)
    shapes: list[Shape] = [Box("code", "note", *middle, wide, high, 0.12)]
    at_work = "softmax" if done else "embedding(" if now >= 0 else ""
    for number, line in enumerate(lines):
        light: Light = "lit" if at_work and at_work in line else "plain"
        y = top - 0.52 * (number + 0.5)
        shapes.append(Label(f"code {number}", line, x + 0.25, y, "code", "left", 0.8, light=light))
    return shapes


@drawing(28, "film", "one probe sentence across training checkpoints", "run text cell", moves=True)
def film(subject: Subject) -> Picture:
    """Draw the hidden state over one sentence, from before the training to its end."""
    stories = subject.numbers.stories(LONG)
    output = stories[-1].graph.output
    final = stories[-1].values[output]
    units = numpy.argsort(-final.std(0), kind="stable")[:UNITS]
    values = {story.model: story.values[output][:, units] for story in stories}
    film = animated(lambda story: _film([story], output, units), stories, 0.9, values)
    return replace(film, make=lambda: _film(stories, output, units))


def _scale(made: Figure, image: Any, name: str) -> None:
    """Draw the scale of the colours, at the right top."""
    height = made.get_figheight()
    made.text(0.765, 1 - 0.23 / height, name, ha="right", va="center", fontsize=16)
    place = made.add_axes((0.805, 1 - 0.3 / height, 0.15, 0.14 / height))
    bar = made.colorbar(image, cax=place, orientation="horizontal", ticks=[])
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    for x, end in ((0.8, "−1"), (0.96, "1")):
        align = "right" if x < 0.9 else "left"
        made.text(x, 1 - 0.23 / height, end, ha=align, va="center", fontsize=12)


UNITS = 12
"""Units that a film shows: those that move most at its end."""


def _film(stories: Sequence[Story], output: str, units: ndarray) -> Figure:
    high = 1.5 if len(stories) > 1 else 3.4
    made = figure(12, 0.9 + high * len(stories))
    grid = made.subplots(len(stories), 1, sharex=True, squeeze=False)[:, 0]
    for axes, story in zip(grid, stories, strict=True):
        pieces.heat(axes, story.values[output][:, units], "", True)
        axes.set_title(story.model, fontsize=13, pad=5)
    pieces.letters(grid[-1], stories[-1].tokens)
    height = made.get_figheight()
    _scale(made, grid[0].images[0], f"${symbol(output, 't')}$")
    made.subplots_adjust(
        left=0.015, right=0.985, top=1 - 0.35 / height, bottom=0.45 / height, hspace=0.28
    )
    return made
