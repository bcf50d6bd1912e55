"""Drawings of what a model computed: memory, a reading, a training."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy

from ...printing.latex import symbol
from .. import plots, timeline
from ..drawing import drawing
from ..palette import BLUE, GREY, INK
from ..parts import HIGH
from ..picture import Picture, animated, moving
from ..scale import SIGNS, Scale, dark, heat, unfinite, zeros
from ..scene import Scene
from ..shapes import Box, Label, Light, Line, Shape
from ..type import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import ndarray

    from ..subject import Reading, Story, Subject
    from ..words import Words

LONG = 54
"""Steps of a text that fit into a picture."""
PAIRS = 31
"""Steps of a text in a picture of all pairs of them."""


@drawing(
    21,
    "memory",
    "how much of each input is still in hₜ, step by step",
    "run text cell",
    moves=True,
)
def memory(subject: Subject) -> Picture:
    """Draw gradient × input: for every step, the share of each input in the state.

    Shares are of all inputs that were read; those before the steps shown stand in one column.
    """
    story, found = subject.numbers.influence(PAIRS)
    whole = found / found.sum(1, keepdims=True).clip(1e-300)
    shares, before = whole[:, story.start :], whole[:, : story.start].sum(1)
    moments = range(len(shares))
    values = {"shares": shares, "before": before, "influence": found}
    make = partial(_memory, subject.words, story, shares, before if story.start else None)
    return animated(make, moments, max(0.2, 1.5 / len(moments)), values)


def _memory(
    words: Words, story: Story, shares: ndarray, before: ndarray | None, now: int
) -> Figure:
    """Draw the rows up to that of a step, and the row of this step as bars."""
    made = figure(10.5, 10)
    top, main = made.subplots(2, 1, height_ratios=(1, 5.6))
    top.bar(range(now + 1), shares[now, : now + 1], color=BLUE, width=0.8)
    left = -0.5
    if before is not None:
        left = BEFORE - 0.6
        top.bar(BEFORE, before[now], color=GREY, width=1)
        _before(words, main, before, now, story.start)
    top.set_xlim(left, len(shares) - 0.5)
    top.set_ylim(0, 1)
    top.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    top.set_xticks([])
    top.set_ylabel(words("share"), fontsize=13)
    output = symbol(story.graph.output, "t")
    said = words("share of each input $x_s$ in {state} after step $t$ = {step}, {token}")
    token = f"“{timeline.visible(story.tokens[now])}”"
    number = story.start + now + 1
    top.set_title(said.format(state=f"${output}$", step=number, token=token), fontsize=15)
    plots.triangle(main, shares, story.tokens, now, story.start, words("share"))
    main.set_xlim(left, len(shares) - 0.5)
    main.set_ylabel(words("step") + " $t$", fontsize=13)
    main.set_xlabel(words("step") + " $s$", fontsize=13, labelpad=2)
    size = f"\\|(\\partial {output} / \\partial x_s)\\, x_s\\|"
    measured = words("gradient × input: {size} over its sum for all $s$").format(size=f"${size}$")
    steps = timeline.span(words, story.start + 1, len(story.tokens), story.total)
    made.text(0.09, 0.038, measured, fontsize=13)
    read = shares[numpy.tri(len(shares), dtype=bool)]
    about = timeline.joined(words, story.model, steps, zeros(read, words))
    made.text(0.09, 0.012, about, fontsize=12)
    made.subplots_adjust(left=0.09, right=0.985, bottom=0.135, top=0.955, hspace=0.05)
    made.align_ylabels()
    return made


BEFORE = -1.9
"""The place of the column for all earlier inputs."""


def _before(words: Words, axes: Axes, before: ndarray, now: int, start: int) -> None:
    """Draw the share of all inputs before those that are shown, in a column of its own."""
    from matplotlib.colors import PowerNorm

    rows = numpy.arange(len(before))[:, None]
    shown = numpy.ma.masked_where(rows > now, before[:, None])
    extent = (BEFORE - 0.5, BEFORE + 0.5, len(before) - 0.5, -0.5)
    look = {"cmap": dark(), "norm": PowerNorm(0.5, 0, 1), "aspect": "auto"}
    axes.imshow(shown, extent=extent, **look)
    edge = BEFORE + 0.5, len(before) - 0.5
    for down, said in ((19.5, words("before")), (33.5, "1" if start == 1 else f"1–{start}")):
        place = {"xytext": (0, -down), "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(said, edge, **place, ha="right", va="baseline", fontsize=12)


@drawing(22, "intent", "a sentence read word by word to a class, the code beside it", moves=True)
def intent(subject: Subject) -> Picture:
    """Draw the probabilities of the classes after every word, and the line of code at work."""
    reading = subject.numbers.reading()
    scenes = []
    for n in range(len(reading.words)):
        scenes += [_intent(subject, reading, n, part) for part in (0.0, 0.3, 0.7, 1.0)]
    scenes.append(_intent(subject, reading, len(reading.words), 0.0))
    return moving(scenes, 0.35, probabilities=reading.probabilities)


WORD, FULL = 2.1, 0.95
"""From one word to the next, and how long the bar of a probability of 1 is."""
HEAD, BARS = HIGH / 2 + 1.0, HIGH / 2 + 2.2
"""The heights of the readout and of the lowest bar."""


def _intent(subject: Subject, reading: Reading, now: int, part: float) -> Scene:
    """Draw a moment: word number `now` is read, then so much of its classification is done."""
    words = subject.words
    shapes: list[Shape] = []
    for n, word in enumerate(reading.words):
        x, low = n * WORD, -HIGH / 2
        reads: Light = "plain" if n < now or (n == now and part) else "lit" if n == now else "dim"
        sorts: Light = "plain" if n < now else "lit" if n == now and part else "dim"
        head = Box(f"head {n}", "layer", x, HEAD, 1.5, 0.62, 0.1, "readout", 0.68)
        shapes += [
            Line(f"embedded {n}", ((x, low - 0.55), (x, low)), light=reads),
            replace(
                Box(f"embedding {n}", "layer", x, low - 0.86, 1.75, 0.62, 0.1, "embedding", 0.68),
                light=reads,
            ),
            Line(f"in {n}", ((x, low - 1.75), (x, low - 1.17)), light=reads),
            replace(Box(f"A {n}", "closed", x, 0, 1.15, HIGH, 0.16, "LSTM", 0.8), light=reads),
            Label(f"word {n}", word, x, low - 2.02, light=reads),
            Line(f"read out {n}", ((x, HIGH / 2), (x, HEAD - 0.31)), light=sorts),
            replace(head, light=sorts),
            Line(f"classes {n}", ((x, HEAD + 0.31), (x, BARS - 0.4)), light=sorts),
        ]
        if n:
            state = ((x - WORD + 0.575, 0), (x - 0.575, 0))
            shapes.append(Line(f"state {n}", state, light=reads))
    shapes += _classes(words, reading, now, part)
    shapes += _about(words, reading)
    shapes += _code(
        reading, "softmax" if part else "embedding(" if now < len(reading.words) else ""
    )
    return Scene(tuple(shapes), "intent")


def _classes(words: Words, reading: Reading, now: int, part: float) -> list[Shape]:
    """Return a bar for each class after every word, as long as its probability."""
    done = now + (part == 1)
    best = int(reading.probabilities[done - 1].argmax()) if done else -1
    heights = [BARS + 0.6 * place for place in range(len(reading.classes))][::-1]
    shapes: list[Shape] = []
    for number, (name, y) in enumerate(zip(reading.classes, heights, strict=True)):
        label = Label(f"class {number}", words(name), -0.95, y, "name", "right", 0.85)
        shapes.append(replace(label, light="lit" if number == best else "plain"))
    for n, row in enumerate(reading.probabilities[: now + (part > 0)]):
        grown = part if n == now else 1.0
        for number, (p, y) in enumerate(zip(map(float, row), heights, strict=True)):
            left, wide = n * WORD - 0.72, max(0.02, FULL * p * grown)
            role = "output" if number == row.argmax() else "head"
            shapes.append(Box(f"bar {n} {number}", role, left + wide / 2, y, wide, 0.38, 0.04))
            if grown == 1:
                at = left + wide + 0.08, y
                shapes.append(Label(f"p {n} {number}", f"{p:.2f}", *at, "sign", "left", 0.68))
    return shapes


def _about(words: Words, reading: Reading) -> list[Shape]:
    """Return what the bars are, and what was trained."""
    top = BARS + 0.6 * len(reading.classes)
    trained = "trained on {count} sentences, this one among them"
    if not reading.is_known:
        trained = "trained on {count} other sentences"
    said = words("LSTM of 16 units, seed {seed}; {steps} of training; {trained}").format(
        seed=reading.seed,
        steps=words.counted(reading.steps, "steps"),
        trained=words(trained).format(count=reading.sentences),
    )
    return [
        Label("about", words("probability of each class, given the words so far"),
              LEFT, top + 0.35, "caption", "left", 0.9),
        Label("trained", said, LEFT, -HIGH / 2 - 2.8, "caption", "left", 0.75),
    ]  # fmt: skip


LEFT = -2.45
"""Where the classes' names begin, about."""


def _code(reading: Reading, at_work: str) -> list[Shape]:
    """Return the code; the line that reads words is lit while one is read, then the readout."""
    lines = reading.code.split("\n")
    wide, high = max(map(len, lines)) * 0.2 + 0.5, 0.46 * len(lines) + 0.4
    top = -HIGH / 2 - 3.3
    middle = LEFT + wide / 2, top - high / 2
    shapes: list[Shape] = [Box("code", "note", *middle, wide, high, 0.12)]
    for number, line in enumerate(lines):
        light: Light = "lit" if at_work and at_work in line else "plain"
        y = top - 0.2 - 0.46 * (number + 0.5)
        place = LEFT + 0.25, y
        shapes.append(Label(f"code {number}", line, *place, "code", "left", 0.8, light=light))
    return shapes


@drawing(28, "film", "one probe sentence across training checkpoints", "run text cell", moves=True)
def film(subject: Subject) -> Picture:
    """Draw the hidden state over one sentence, from before the training to its end."""
    stories = subject.numbers.stories(LONG)
    output = stories[-1].graph.output
    units = numpy.argsort(-stories[-1].values[output].std(0), kind="stable")[:UNITS]
    values: dict[str, Any] = {story.model: story.values[output][:, units] for story in stories}
    values["loss"] = numpy.array([story.loss for story in stories])
    steps = len(stories[-1].tokens)
    counts = sorted({-(-steps * part // PARTS) for part in range(1, PARTS + 1)})
    moments = [(n, count) for n in range(len(stories)) for count in counts]
    seconds = max(0.1, min(0.35, 10 / len(moments)))
    return animated(partial(_film, subject.words, stories, units), moments, seconds, values)


UNITS = 12
"""Units that a film shows: those that move most at its end."""
PARTS = 4
"""In so many parts of the text, one after the other, each checkpoint's states appear."""


def _film(words: Words, stories: Sequence[Story], units: ndarray, now: tuple[int, int]) -> Figure:
    """Draw the checkpoints up to one, which has read so many steps; the later ones are empty."""
    last, count = now
    made = figure(12, 1.9 + 1.45 * len(stories))
    height = made.get_figheight()
    around = {"left": 0.03, "top": 1 - 0.95 / height, "bottom": 1.0 / height, "hspace": GAP}
    grid = made.add_gridspec(
        len(stories), 2, width_ratios=(5, 1), right=0.985, wspace=0.04, **around
    )
    output = stories[-1].graph.output
    states = [story.values[output][:, units] for story in stories]
    scale = Scale.bounded(*states)
    panels = [made.add_subplot(grid[n, 0]) for n in range(len(stories))]
    model, names = _apart([story.model for story in stories])
    image = None
    for n, axes in enumerate(panels):
        shown = numpy.ma.array(states[n], mask=False)
        shown[len(shown) if n < last else count if n == last else 0 :] = numpy.ma.masked
        axes.set_title(names[n], fontsize=13, pad=4, color=INK if n <= last else GREY)
        image = heat(axes, shown, "", scale)
        axes.set_xticks([])
    timeline.letters(panels[-1], stories[-1].tokens, stories[-1].start)
    said = words("bits per character\non {characters}")
    _losses(
        said.format(characters=words.counted(stories[-1].total, "characters")),
        made.add_subplot(grid[:, 1]),
        [story.loss or 0.0 for story in stories],
        last - (count < len(states[last])),
    )
    _scale(made, image, f"${symbol(output, 't')}$", scale)
    made.text(0.44, 1 - 0.28 / height, model, fontsize=13, va="center")
    said = words("rows: the {count} units of {state} that vary most over the text at the end")
    rows = said.format(count=len(units), state=f"${symbol(output, 't')}$")
    steps = timeline.span(words, stories[-1].start + 1, len(stories[-1].tokens), stories[-1].total)
    notes = [*scale.said(words), *unfinite(numpy.stack(states), words, SIGNS)]
    made.text(0.03, 0.1 / height, timeline.joined(words, rows, *notes, steps), fontsize=12)
    return made


def _apart(names: Sequence[str]) -> tuple[str, list[str]]:
    """Return what some names begin with in common, up to a comma, and what each goes on with.

    >>> _apart(["lstm, after 0 steps", "lstm, after 9 steps"]), _apart(["gru", "lstm"])
    (('lstm', ['after 0 steps', 'after 9 steps']), ('', ['gru', 'lstm']))
    """
    parts = [re.split(r"(?<=[,，])", name) for name in names]
    same = 0
    while all(len(each) > same + 1 and each[same] == parts[0][same] for each in parts):
        same += 1
    model = "".join(parts[0][:same]).rstrip(",，")
    return model, ["".join(each[same:]).strip() for each in parts]


GAP = 0.32
"""Between the panels of a film, in their heights."""


def _losses(title: str, axes: Axes, losses: Sequence[float], last: int) -> None:
    """Draw the loss of each checkpoint beside its panel."""
    rows = range(last + 1)
    axes.plot(losses[: last + 1], rows, "o-", color=BLUE, markersize=7)
    for row in rows:
        place = losses[row] + max(losses) * 0.08, row
        axes.text(*place, f"{losses[row]:.2f}", va="center", fontsize=13)
    outer = 0.5 / (1 + GAP)
    axes.set_ylim(len(losses) - 1 + outer, -outer)
    axes.set_xlim(0, max(losses) * 1.5)
    axes.set_yticks([])
    axes.spines["left"].set_color(GREY)
    axes.tick_params(axis="x", labelsize=12)
    axes.set_title(title, fontsize=13, pad=4)


def _scale(made: Figure, image: Any, name: str, scale: Scale) -> None:
    """Draw the scale of the colours, at the left top."""
    height = made.get_figheight()
    up = 1 - 0.28 / height
    made.text(0.03, up, name, ha="left", va="center", fontsize=17)
    place = made.add_axes((0.115, up - 0.07 / height, 0.2, 0.14 / height))
    inner = dict(sorted(scale.ticks.items())[1:-1])
    bar = made.colorbar(image, cax=place, orientation="horizontal", ticks=list(inner))
    bar.ax.set_xticklabels(list(inner.values()))
    bar.ax.tick_params(length=3, labelsize=11, pad=2)
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    for x, align, end in ((0.108, "right", scale.ends[0]), (0.322, "left", scale.ends[1])):
        made.text(x, up, end, ha=align, va="center", fontsize=13)
