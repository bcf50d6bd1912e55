"""Drawings of gradients on their way back through time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy

from ...printing.latex import symbol
from .. import axes as pieces
from .. import charts
from ..drawing import drawing
from ..palette import BLUE, GREEN, INK, ORANGE, PALE, PINK, RED, SERIES
from ..parts import CIRCLE, circle
from ..picture import Picture, animated, still
from ..scene import Scene
from ..shapes import LETTER, Label, Line, Point, Shape, text_width
from ..type import figure
from .measured import FRAMES, LONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from ..subject import Factors, Subject, Terms, Ways
    from ..words import Words


@drawing(
    23,
    "shrinking",
    "gradient size walking back through time, per cell kind",
    "run text",
    moves=True,
)
def shrinking(subject: Subject) -> Picture:
    """Draw how large dh_T/dh_{T-k} is, for several models."""
    found = charts.curves_of({fade.model: fade.sizes for fade in subject.numbers.fades()})
    longest = max(map(len, found.values())) - 1
    stops = sorted({round(n) for n in numpy.linspace(1, longest, min(FRAMES, longest))})
    film = partial(charts.faded, found, subject.words)
    return animated(film, [*stops[:-1], None], 0.3, dict(found))


@drawing(24, "switches", "RNN against LSTM as products of per-step factors", "run text")
def switches(subject: Subject) -> Picture:
    """Draw by what every step multiplies a gradient, and the product over all steps."""
    both = subject.numbers.factors()
    return Picture(lambda: _switches(subject.words, both), values={f.model: f.units for f in both})


def _switches(words: Words, both: Sequence[Factors]) -> Figure:
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
        share = words("{share} of factors between 0.1 and 0.9").format(share=f"{between:.0%}")
        upper.set_title(f"{found.model}: {share}", fontsize=14)
        lower.plot(steps, found.product.clip(floor), color=color)
        lower.set_yscale("log")
        lower.set_ylim(floor, ceiling)
        lower.axhline(1, color=PALE, linewidth=1.2, zorder=0)
        lower.set_xlabel(words("steps"))
    grid[0, 0].set_ylabel(words("factor of each step"), fontsize=13)
    grid[1, 0].set_ylabel(words("size of the product"), fontsize=13)
    dots = words("dots: units (singular values; on the direct path of a cell state its gate)")
    line = words("line: greatest factor of the whole step")
    made.text(0.07, 0.012, f"{dots}   {line}", fontsize=11)
    made.subplots_adjust(left=0.085, right=0.985, bottom=0.12, top=0.94, hspace=0.1, wspace=0.14)
    return made


@drawing(26, "paths", "back-propagation through time as a sum over paths", "run text cell")
def paths(subject: Subject) -> Picture:
    """Draw some steps' states, the derivatives between them, and the paths from end to start."""
    found = subject.numbers.ways(4)
    return still(_paths(subject.words, found), sizes=found.sizes)


def _paths(words: Words, found: Ways) -> Scene:
    """Return two rows of states; lines as thick as the derivatives that they stand for."""
    pitch, rise, r = 3.4, 2.6, CIRCLE + 0.04
    lower, upper = found.states
    height = {lower: 0.0, upper: rise}
    steps = len(found.sizes)
    shapes: list[Shape] = []
    largest = float(found.sizes.max()) or 1.0
    for t, later, earlier in product(range(steps), found.states, found.states):
        size = float(found.sizes[t, found.states.index(later), found.states.index(earlier)])
        start = (t * pitch, height[earlier])
        line = Line(
            f"{earlier} {t} -> {later}",
            _between(start, ((t + 1) * pitch, height[later]), r),
            source=f"{earlier} {t}",
            target=f"{later} {t + 1}",
            net=f"{earlier} {t} -> {later}",
            width=0.7 + 2.2 * size / largest,
            value=size,
        )
        is_direct = later == earlier == upper
        light = {"light": "lit"} if is_direct else {"role": "thread"}
        place = _beside(start, ((t + 1) * pitch, height[later]), f"{size:.2f}")
        label = Label(f"size {line.id}", f"{size:.2f}", *place, "sign", size=SIGN)
        shapes += [replace(line, **light), label]
    for t, state in product(range(steps + 1), found.states):
        index = "t" if t == steps else f"t-{steps - t}"
        role = "layer" if state == upper else "output"
        text = f"${symbol(state, index)}$"
        box = circle(f"{state} {t}", role, t * pitch, height[state], text, r)
        shapes.append(replace(box, size=0.8))
    start, end = f"{upper}_{{t-{steps}}}", f"{upper}_t"
    formula = (
        f"$\\frac{{\\partial {end}}}{{\\partial {start}}} = \\sum_{{\\mathrm{{paths}}}}\\;\\; "
        f"\\prod_{{\\mathrm{{steps}}}} \\frac{{\\partial s'}}{{\\partial s}}$"
    )
    middle = steps * pitch / 2
    said = words("{count} paths from {end} back to {start}; bold: the direct one")
    count = said.format(count=2 ** (steps - 1), end=f"${end}$", start=f"${start}$")
    about = f"{words('numbers: largest factor of each derivative')}, {found.model}"
    shapes += [
        Label("formula", formula, middle - 2.4, rise + 1.6, size=1.35),
        Label("count", count, middle + 3.6, rise + 1.6, "caption", size=0.8),
        Label("model", about, middle, -1.15, "caption", size=0.75),
    ]
    return Scene(tuple(shapes), "paths")


SIGN = 0.72
"""The size of the numbers beside lines."""


def _between(start: Point, end: Point, radius: float) -> tuple[Point, Point]:
    """Return the ends of the line between two circles."""
    (x, y), (u, v) = start, end
    long = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
    dx, dy = (u - x) / long * radius, (v - y) / long * radius
    return (x + dx, y + dy), (u - dx, v - dy)


def _beside(start: Point, end: Point, text: str) -> Point:
    """Return the place of a text beside a line, on the side that other lines are not on."""
    (x, y), (u, v) = start, end
    if v == y:
        return (x + u) / 2, y + (0.27 if y else -0.3)
    long = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
    dx, dy, along = (u - x) / long, (v - y) / long, 0.27 * long
    wide, high = text_width(text) * SIGN / 2, LETTER * 1.15 * SIGN / 2
    away = abs(dy) * wide + abs(dx) * high + 0.1
    return x + dx * along + abs(dy) * away, y + dy * along + (dx if dy < 0 else -dx) * away


@drawing(27, "terms", "dC_t/dC_{t-1} term by term, per step", "run text cell")
def terms(subject: Subject) -> Picture:
    """Draw the terms over the text, and how far the popular formulas are off."""
    found = subject.numbers.terms(LONG)
    values = {"sizes": found.sizes, "exact": found.exact, "around": found.around}
    return Picture(lambda: _terms(subject.words, found), values=values)


FORMULAS = {
    "direct": "$\\mathrm{diag}(f_t)$",
    "f": "$\\mathrm{diag}(c_{t-1}\\,\\sigma′_f)\\,U_f D$",
    "i": "$\\mathrm{diag}(g_t\\,\\sigma′_i)\\,U_i D$",
    "g": "$\\mathrm{diag}(i_t\\,\\mathrm{tanh}′_g)\\,U_g D$",
}
"""The formulas of the terms of an LSTM."""


def _terms(words: Words, found: Terms) -> Figure:
    made = figure(12.5, 8.4)
    upper, lower = made.subplots(2, 1, height_ratios=(1.7, 1))
    strokes = ["-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (5, 1.5, 1.2, 1.5)), "-"]
    for number, name in enumerate(found.names):
        look = {"color": SERIES[number], "linestyle": strokes[number % 5]}
        upper.plot(found.sizes[:, number], **look, label=FORMULAS.get(name, name))
    label = words("through $o_{t-1}$, two steps")
    upper.plot(found.around, color=ORANGE, linestyle=(0, (1, 1)), linewidth=2, label=label)
    upper.plot(found.exact, color=INK, linewidth=1.2, label=words("exact"))
    pieces.letters(upper, found.tokens)
    upper.set_xlim(-0.5, len(found.tokens) - 0.5)
    upper.set_ylim(bottom=0)
    said = words("size of each term  (Frobenius norm / $\\sqrt{H}$)")
    upper.set_title("$\\partial c_t / \\partial c_{t-1}$: " + said)
    upper.legend(ncols=3, fontsize=13, loc="upper center", bbox_to_anchor=(0.5, -0.09))
    places = numpy.arange(len(found.errors))
    popular, gates = zip(*found.errors.values(), strict=True)
    for shift, values, color, label in (
        (-0.2, popular, PINK, words("product of the four terms")),
        (0.2, gates, GREEN, words("product of forget gates")),
    ):
        drawn = lower.bar(places + shift, numpy.array(values) * 100, 0.38, color=color, label=label)
        lower.bar_label(drawn, fmt="%.0f%%", fontsize=11, padding=2)
    lower.set_xticks(places, [str(k) for k in found.errors])
    lower.set_xlabel(f"{words('steps back')} $k$        {found.model}", fontsize=12)
    said = words("how far popular formulas are off:")
    lower.set_title(said + " $\\partial c_t / \\partial c_{t-k}$", fontsize=14)
    lower.set_yticks([])
    lower.spines["left"].set_visible(False)
    lower.set_ylim(0, max(10.0, 150 * max(max(popular), max(gates))))
    lower.legend(fontsize=12, loc="upper left", ncols=2)
    made.subplots_adjust(left=0.06, right=0.985, bottom=0.08, top=0.94, hspace=0.62)
    return made
