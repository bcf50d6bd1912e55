"""Drawings of what a model computed: memory, gradients, training."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy

from ...equations.latex import symbol
from .. import charts
from ..drawing import CHARTS, drawing
from ..error import DrawError
from ..palette import BLUE, GREEN, INK, ORANGE, PALE, PINK, RED, SERIES
from ..parts import CIRCLE, HIGH, circle
from ..picture import HOLD, Frame, Picture, moving, still
from ..scene import Box, Label, Light, Line, Scene, Shape
from ..type import figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import ndarray

    from ..subject import Factors, Fade, Reading, Story, Subject, Terms, Ways

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
    """Gradient × input: for every step, the share of each input in the state."""
    story, found = subject.numbers.influence(PAIRS)
    shares = found / found.sum(1, keepdims=True).clip(1e-30)
    last = len(shares) - 1
    stops = sorted({round(n) for n in numpy.linspace(0, last, min(FRAMES, last + 1))})
    frames = [Frame(lambda n=n: _memory(story, shares, n), 0.35) for n in stops[:-1]]
    frames.append(Frame(lambda: _memory(story, shares, last), HOLD))
    return Picture(
        lambda: _memory(story, shares, last), frames, values={"shares": shares, "influence": found}
    )


def _memory(story: Story, shares: ndarray, now: int) -> Figure:
    made = figure(10.5, 9.4)
    top, main = made.subplots(2, 1, height_ratios=(1, 6.4))
    charts.bars(top, shares[now, : now + 1], len(shares))
    top.set_ylim(
        0, float(shares[max(2, len(shares) // 8) :].max()) * 1.15 if len(shares) > 3 else 1
    )
    top.set_xticks([])
    top.set_title(
        f"share of each input in $h_t$ after step {now + 1}: gradient × input", fontsize=14
    )
    charts.triangle(main, shares, story.tokens, now)
    main.set_ylabel("$t$", rotation=0, labelpad=14, fontsize=16)
    main.set_xlabel(f"input $x_s$        {story.model}", fontsize=12, labelpad=8)
    made.subplots_adjust(left=0.08, right=0.985, bottom=0.085, top=0.95, hspace=0.04)
    return made


@drawing(22, "intent", "a sentence read word by word to a class, the code beside it", moves=True)
def intent(subject: Subject) -> Picture:
    """The probabilities of the classes after every word, and the line of code at work."""
    reading = subject.numbers.reading()
    scenes = [_intent(subject, reading, n) for n in range(-1, len(reading.words))]
    scenes.append(_intent(subject, reading, len(reading.words) - 1, done=True))
    return moving(scenes, 1.0, probabilities=reading.probabilities)


def _intent(subject: Subject, reading: Reading, now: int, done: bool = False) -> Scene:
    shapes: list[Shape] = []
    pitch = 1.95
    for n, word in enumerate(reading.words):
        x = n * pitch
        light: Light = "plain" if n < now or done else "lit" if n == now else "dim"
        low = -HIGH / 2
        shapes += [
            Line(f"in {n}", ((x, low - 0.75), (x, low)), light=light),
            replace(Box(f"A {n}", "closed", x, 0, 1.15, HIGH, 0.16, "LSTM", 0.7), light=light),
            Label(f"word {n}", word, x, low - 1.05, light=light),
        ]
        if n:
            way: Light = "lit" if n == now and not done else "plain" if n <= now else "dim"
            shapes.append(Line(f"state {n}", ((x - pitch + 0.575, 0), (x - 0.575, 0)), light=way))
    shapes += _classes(subject, reading, now, (len(reading.words) - 1) * pitch)
    shapes += _code(reading, now, done, len(reading.words) * pitch + 0.2)
    return Scene(tuple(shapes), "intent")


def _classes(subject: Subject, reading: Reading, now: int, right: float) -> list[Shape]:
    """A bar for each class, as long as its probability."""
    shapes: list[Shape] = []
    full, left = right - 1.2, 0.6
    best = int(reading.probabilities[now].argmax()) if now >= 0 else -1
    x = max(now, 0) * 1.95
    if now >= 0:
        shapes.append(Line("read out", ((x, HIGH / 2), (x, 1.15)), light="lit"))
    for number, name in enumerate(reading.classes):
        y = 1.5 + 0.6 * (len(reading.classes) - 1 - number)
        p = float(reading.probabilities[now][number]) if now >= 0 else 0.0
        light: Light = "lit" if number == best else "plain"
        shapes.append(
            Label(
                f"class {number}",
                subject.words(name),
                left - 0.15,
                y,
                align="right",
                size=0.85,
                light=light,
            )
        )
        if p > 0.005:
            wide = full * p
            shapes.append(
                Box(
                    f"bar {number}",
                    "output" if number == best else "head",
                    left + wide / 2,
                    y,
                    wide,
                    0.38,
                    0.04,
                )
            )
        if now >= 0:
            shapes.append(
                Label(f"p {number}", f"{p:.2f}", left + full * p + 0.12, y, align="left", size=0.75)
            )
    return shapes


def _code(reading: Reading, now: int, done: bool, x: float) -> list[Shape]:
    """The code; the line that reads words is lit while one is read, then the readout."""
    lines = reading.code.split("\n")
    wide = max(map(len, lines)) * 0.2 + 0.5
    top = 3.2
    shapes: list[Shape] = [
        Box(
            "code",
            "note",
            x + wide / 2,
            top - 0.26 * len(lines),
            wide,
            0.52 * len(lines) + 0.4,
            0.12,
        )
    ]
    at_work = "softmax" if done else "embedding(" if now >= 0 else ""
    for number, line in enumerate(lines):
        light: Light = "lit" if at_work and at_work in line else "plain"
        y = top - 0.52 * (number + 0.5)
        shapes.append(Label(f"code {number}", line, x + 0.25, y, "code", "left", 0.8, light=light))
    return shapes


@drawing(
    23,
    "shrinking",
    "gradient size walking back through time, per cell kind",
    "run text",
    moves=True,
)
def shrinking(subject: Subject) -> Picture:
    """How large dh_T/dh_{T-k} is, for several models."""
    fades = subject.numbers.fades()
    longest = max(len(fade.sizes) for fade in fades) - 1
    stops = sorted({round(n) for n in numpy.linspace(1, longest, min(FRAMES, longest))})
    frames = [Frame(lambda n=n: _shrinking(subject, fades, n), 0.3) for n in stops[:-1]]
    frames.append(Frame(lambda: _shrinking(subject, fades, longest), HOLD))
    values = {fade.model: fade.sizes for fade in fades}
    return Picture(lambda: _shrinking(subject, fades, longest), frames, values=values)


FLOOR = 1e-12
"""Sizes below this are not told apart in a picture."""


def _shrinking(subject: Subject, fades: Sequence[Fade], upto: int) -> Figure:
    made = figure(11, 5.6)
    axes = made.subplots()
    curves = [(fade.model, _above_floor(fade.sizes)) for fade in fades]
    longest = max(len(fade.sizes) for fade in fades) - 1
    axes.set_xlim(0, longest * 1.24)
    low = max(FLOOR, min(float(sizes.min()) for _, sizes in curves))
    high = max(float(sizes.max()) for _, sizes in curves)
    axes.set_ylim(low / 3, high * 3)
    charts.fading(axes, curves, upto)
    axes.set_ylim(low / 3, high * 3)
    axes.set_xticks(range(0, longest + 1, 10))
    axes.set_xlabel(subject.words("steps back") + " $k$")
    axes.set_title("$\\|\\partial h_T / \\partial h_{T-k}\\|$   ($k = 0$: 1)")
    axes.invert_xaxis()
    axes.set_xlim(longest * 1.0, -longest * 0.02)
    return _backwards(made, axes, longest)


def _above_floor(sizes: ndarray) -> ndarray:
    """A curve up to where it falls below what is told apart."""
    below = numpy.flatnonzero(sizes < FLOOR)
    return sizes[: below[0]] if len(below) else sizes


def _backwards(made: Figure, axes: Axes, longest: int) -> Figure:
    """Time runs to the right, so the way back runs to the left; names stand left of their ends."""
    axes.set_xlim(longest * 1.28, -longest * 0.02)
    axes.yaxis.tick_right()
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)
    made.subplots_adjust(left=0.03, right=0.92, bottom=0.13, top=0.9)
    return made


@drawing(24, "switches", "RNN against LSTM as products of per-step factors", "run text")
def switches(subject: Subject) -> Picture:
    """What every step multiplies a gradient with, and the product over all steps."""
    both = subject.numbers.factors()
    return Picture(lambda: _switches(subject, both), values={f.model: f.units for f in both})


def _switches(subject: Subject, both: Sequence[Factors]) -> Figure:
    made = figure(12, 7.4)
    grid = made.subplots(2, 2, sharex=True, height_ratios=(1.35, 1))
    floor = max(1e-18, min(float(f.product.min()) for f in both) / 10)
    ceiling = max(10.0, max(float(f.product.max()) for f in both) * 10)
    for column, (found, color) in enumerate(zip(both, (RED, BLUE), strict=True)):
        upper, lower = grid[:, column]
        steps = numpy.arange(1, len(found.sizes) + 1)
        spread = numpy.repeat(steps, found.units.shape[1])
        upper.scatter(spread, found.units.ravel(), s=7, color=color, alpha=0.3, linewidths=0)
        upper.plot(steps, found.sizes, color=INK, linewidth=2.2)
        upper.axhline(1, color=PALE, linewidth=1.2, zorder=0)
        upper.set_ylim(-0.05, max(1.25, float(max(f.sizes.max() for f in both)) * 1.08))
        between = float(((found.units > 0.1) & (found.units < 0.9)).mean())
        upper.set_title(f"{found.model}: {between:.0%} of factors between 0.1 and 0.9", fontsize=14)
        lower.plot(steps, found.product.clip(floor), color=color)
        lower.set_yscale("log")
        lower.set_ylim(floor, ceiling)
        lower.axhline(1, color=PALE, linewidth=1.2, zorder=0)
        lower.set_xlabel(subject.words("steps"))
    grid[0, 0].set_ylabel("factor of each step", fontsize=13)
    grid[1, 0].set_ylabel("size of the product", fontsize=13)
    made.text(
        0.07,
        0.012,
        "dots: units (singular values; on the direct path of a cell state its gate)   "
        "line: greatest factor of the whole step",
        fontsize=11,
    )
    made.subplots_adjust(left=0.085, right=0.985, bottom=0.12, top=0.94, hspace=0.1, wspace=0.14)
    return made


@drawing(26, "paths", "back-propagation through time as a sum over paths", "run text cell")
def paths(subject: Subject) -> Picture:
    """The states of some steps, the derivatives between them, and the paths from end to start."""
    found = subject.numbers.ways(4)
    return still(_paths(found), sizes=found.sizes)


def _paths(found: Ways) -> Scene:
    """Two rows of states; lines as thick as the derivatives that they stand for."""
    pitch, rise, r = 3.4, 2.6, CIRCLE + 0.04
    lower, upper = found.states
    height = {lower: 0.0, upper: rise}
    steps = len(found.sizes)
    shapes: list[Shape] = []
    largest = float(found.sizes.max()) or 1.0
    for t in range(steps):
        for a, later in enumerate(found.states):
            for b, earlier in enumerate(found.states):
                size = float(found.sizes[t, a, b])
                shapes += _way(t, later, earlier, size, largest, height, pitch, r, upper)
    for t in range(steps + 1):
        for state in found.states:
            index = "t" if t == steps else f"t-{steps - t}"
            role = "layer" if state == upper else "output"
            text = f"${symbol(state, index)}$"
            shapes.append(circle(f"{state} {t}", role, t * pitch, height[state], text, r))
            shapes[-1] = replace(shapes[-1], size=0.8)
    start, end = f"{upper}_{{t-{steps}}}", f"{upper}_t"
    formula = (
        f"$\\frac{{\\partial {end}}}{{\\partial {start}}} = \\sum_{{\\mathrm{{paths}}}}\\; "
        f"\\prod_{{\\mathrm{{steps}}}} \\frac{{\\partial s'}}{{\\partial s}}$"
    )
    middle = steps * pitch / 2
    count = 2 ** (steps - 1)
    shapes += [
        Label("formula", formula, middle - 2.4, rise + 1.6, size=1.35),
        Label(
            "count",
            f"{count} paths from ${end}$ back to ${start}$; bold: the direct one",
            middle + 3.6,
            rise + 1.6,
            "caption",
            size=0.8,
        ),
        Label(
            "model",
            f"numbers: largest factor of each derivative, {found.model}",
            middle,
            -1.15,
            "caption",
            size=0.75,
        ),
    ]
    return Scene(tuple(shapes), "paths")


def _way(
    t: int,
    later: str,
    earlier: str,
    size: float,
    largest: float,
    height: dict[str, float],
    pitch: float,
    r: float,
    upper: str,
) -> list[Shape]:
    """The line of one derivative, with its size beside it."""
    x, y = t * pitch, height[earlier]
    u, v = (t + 1) * pitch, height[later]
    long = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
    dx, dy = (u - x) / long * r, (v - y) / long * r
    direct = later == earlier == upper
    name = f"{earlier} {t} -> {later}"
    line = Line(
        name,
        ((x + dx, y + dy), (u - dx, v - dy)),
        role="wire" if direct else "thread",
        source=f"{earlier} {t}",
        target=f"{later} {t + 1}",
        net=name,
        width=0.7 + 2.2 * size / largest,
        light="lit" if direct else "plain",
        value=size,
    )
    if later == earlier:
        place = ((x + u) / 2, y + (0.27 if y else -0.3))
    else:
        at = 0.27
        place = (
            x + (u - x) * at + (0.34 if earlier == upper else 0.36),
            y + (v - y) * at + (0.06 if earlier == upper else -0.04),
        )
    return [line, Label(f"size {name}", f"{size:.2f}", *place, "sign", size=0.72)]


@drawing(27, "terms", "dC_t/dC_{t-1} term by term, per step", "run text cell")
def terms(subject: Subject) -> Picture:
    """The terms over the text, and how far the popular formulas are off."""
    found = subject.numbers.terms(LONG)
    values = {"sizes": found.sizes, "exact": found.exact, "around": found.around}
    return Picture(lambda: _terms(subject, found), values=values)


FORMULAS = {
    "direct": "$\\mathrm{diag}(f_t)$",
    "f": "$\\mathrm{diag}(c_{t-1}\\,\\sigma^{\\prime}_f)\\,U_f D$",
    "i": "$\\mathrm{diag}(g_t\\,\\sigma^{\\prime}_i)\\,U_i D$",
    "g": "$\\mathrm{diag}(i_t\\,\\tanh^{\\prime}_g)\\,U_g D$",
}
"""How the terms of an LSTM are written."""


def _terms(subject: Subject, found: Terms) -> Figure:
    made = figure(12.5, 8.4)
    upper, lower = made.subplots(2, 1, height_ratios=(1.7, 1))
    strokes = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)), "-"]
    for number, name in enumerate(found.names):
        label = FORMULAS.get(name, name)
        upper.plot(
            found.sizes[:, number], color=SERIES[number], linestyle=strokes[number % 5], label=label
        )
    upper.plot(
        found.around,
        color=ORANGE,
        linestyle=(0, (1, 1)),
        linewidth=2,
        label="through $o_{t-1}$, two steps",
    )
    upper.plot(found.exact, color=INK, linewidth=1.2, label="exact")
    charts.letters(upper, found.tokens)
    upper.set_xlim(-0.5, len(found.tokens) - 0.5)
    upper.set_ylim(bottom=0)
    upper.set_title(
        "$\\partial c_t / \\partial c_{t-1}$: size of each term  (Frobenius norm / $\\sqrt{H}$)"
    )
    upper.legend(ncols=3, fontsize=13, loc="upper center", bbox_to_anchor=(0.5, -0.09))
    places = numpy.arange(len(found.errors))
    popular, gates = zip(*found.errors.values(), strict=True)
    for shift, values, color, label in (
        (-0.2, popular, PINK, "product of the four terms"),
        (0.2, gates, GREEN, "product of forget gates"),
    ):
        drawn = lower.bar(places + shift, numpy.array(values) * 100, 0.38, color=color, label=label)
        lower.bar_label(drawn, fmt="%.0f %%", fontsize=11, padding=2)
    lower.set_xticks(places, [str(k) for k in found.errors])
    lower.set_xlabel(f"{subject.words('steps back')} $k$        {found.model}", fontsize=12)
    lower.set_title(
        "how far popular formulas for $\\partial c_t / \\partial c_{t-k}$ are off", fontsize=14
    )
    lower.set_yticks([])
    lower.spines["left"].set_visible(False)
    lower.set_ylim(0, max(10.0, 150 * max(max(popular), max(gates))))
    lower.legend(fontsize=12, loc="upper left", ncols=2)
    made.subplots_adjust(left=0.06, right=0.985, bottom=0.08, top=0.94, hspace=0.62)
    return made


@drawing(28, "film", "one probe sentence across training checkpoints", "run text cell", moves=True)
def film(subject: Subject) -> Picture:
    """The hidden state over one sentence, from before the training to its end."""
    stories = subject.numbers.stories(LONG)
    output = stories[-1].graph.output
    final = stories[-1].values[output]
    units = numpy.argsort(-final.std(0), kind="stable")[:UNITS]
    frames = [Frame(lambda s=s: _film([s], output, units), 0.9) for s in stories[:-1]]
    frames.append(Frame(lambda: _film(stories[-1:], output, units), HOLD))
    values = {story.model: story.values[output][:, units] for story in stories}
    return Picture(lambda: _film(stories, output, units), frames, values=values)


UNITS = 12
"""Units that a film shows: those that move most at its end."""


def _film(stories: Sequence[Story], output: str, units: ndarray) -> Figure:
    high = 1.5 if len(stories) > 1 else 3.4
    made = figure(12, 0.9 + high * len(stories))
    grid = made.subplots(len(stories), 1, sharex=True, squeeze=False)[:, 0]
    for axes, story in zip(grid, stories, strict=True):
        charts.heat(axes, story.values[output][:, units], "", True)
        axes.set_title(story.model, fontsize=13, pad=5)
    charts.letters(grid[-1], stories[-1].tokens)
    height = made.get_figheight()
    made.subplots_adjust(
        left=0.015, right=0.985, top=1 - 0.35 / height, bottom=0.45 / height, hspace=0.28
    )
    return made


# Charts of one recording.


def _gates(story: Story) -> dict[str, ndarray]:
    """The named values between 0 and 1 of a recording."""
    from ...equations.operation import Operation

    return {
        name: story.values[name]
        for name, node in story.graph.values.items()
        if node.operation is Operation.SIGMOID and name in story.values
    }


@drawing(
    CHARTS, "gates", "chart: gates and states over time, characters along the axis", "run text cell"
)
def gates(subject: Subject) -> Picture:
    """A heat map for every gate and state."""
    story = subject.numbers.story(LONG)
    shown = {**_gates(story), **{s: story.values[s] for s in story.graph.states}}
    panels = {f"${symbol(name, 't')}$": values for name, values in shown.items()}
    return Picture(lambda: charts.heats(story.model, story.tokens, panels), values=shown)


@drawing(
    CHARTS + 1, "spectrum", "chart: the mean forget gate of every unit, sorted", "run text cell"
)
def spectrum(subject: Subject) -> Picture:
    """Which units keep, which forget."""
    story = subject.numbers.story(2000)
    name = next((n for n in ("f", "z") if n in story.values), None)
    if name is None:
        raise DrawError(
            f"spectrum shows a forget gate f or an update gate z: {story.graph.name} has none"
        )
    values = story.values[name]

    def make() -> Figure:
        made = figure(9, 5)
        axes = made.subplots()
        charts.spectrum(axes, values)
        axes.set_title(
            f"${symbol(name, 't')}$: mean of every unit, and where 80 % of steps lie", fontsize=14
        )
        axes.set_xlabel(f"units, sorted        {story.model}", fontsize=12)
        made.subplots_adjust(left=0.07, right=0.98, bottom=0.13, top=0.9)
        return made

    return Picture(make, values={name: values})


@drawing(
    CHARTS + 2,
    "distance",
    "chart: gradient against distance, several models side by side",
    "run text",
)
def distance(subject: Subject) -> Picture:
    """The curves of `shrinking`, without the walk."""
    return replace(shrinking.make(subject), frames=())


@drawing(
    CHARTS + 3,
    "saturation",
    "chart: how often each gate is nearly closed or nearly open",
    "run text cell",
)
def saturation(subject: Subject) -> Picture:
    """One mark for each unit of each gate."""
    story = subject.numbers.story(2000)
    found = _gates(story)
    if not found:
        raise DrawError(f"saturation shows gates: {story.graph.name} has no value between 0 and 1")
    points = {name: ((v < 0.1).mean(0), (v > 0.9).mean(0)) for name, v in found.items()}

    def make() -> Figure:
        made = figure(6.6, 7)
        axes = made.subplots()
        charts.saturation(axes, {f"${symbol(name, 't')}$": p for name, p in points.items()})
        axes.set_xlabel("share of steps below 0.1: closed")
        axes.set_ylabel("share of steps above 0.9: open")
        axes.set_title(story.model, fontsize=13)
        made.subplots_adjust(left=0.13, right=0.97, bottom=0.1, top=0.93)
        return made

    return Picture(make, values=dict(found))


@drawing(
    CHARTS + 4,
    "text",
    "chart: the text, coloured by the unit of h that moves most",
    "run text cell",
)
def text(subject: Subject) -> Picture:
    """Every character on the colour of one unit's value."""
    story = subject.numbers.story(480)
    states = story.values[story.graph.output]
    unit = int(states.std(0).argmax())
    values = states[:, unit]
    scale = max(1e-9, float(abs(values).max()))

    def make() -> Figure:
        rows = -(-len(values) // 60)
        made = figure(12, 0.7 + 0.38 * rows)
        axes = made.subplots()
        charts.colored_text(axes, story.tokens, values / scale)
        axes.set_title(
            f"$h_t$, unit {unit}, from {-scale:.2f} (dark) to {scale:.2f} (light)        "
            f"{story.model}",
            fontsize=12,
        )
        made.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=1 - 0.5 / made.get_figheight())
        return made

    return Picture(make, values={f"unit {unit}": values})
