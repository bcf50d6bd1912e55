"""Drawings of gradients on their way back through time."""

from __future__ import annotations

import math
import re
import textwrap
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy

from ...printing.latex import symbol
from .. import charts, plots, timeline
from ..drawing import drawing
from ..palette import BLUE, GREY, INK, PALE, RED, SERIES, stroke
from ..parts import CIRCLE, circle
from ..picture import Picture, animated, still
from ..scale import zeros
from ..scene import Scene
from ..shapes import LETTER, Label, Light, Line, Point, Shape, text_width
from ..type import MATH, figure
from .measured import LONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import ndarray

    from ..subject import Factors, Fade, Subject, Terms, Ways
    from ..words import Words


@drawing(
    23,
    "shrinking",
    "gradient size walking back through time, per cell kind",
    "run text",
    moves=True,
)
def shrinking(subject: Subject) -> Picture:
    """Draw how large ds_T/ds_{T-k} is for the states s of several models."""
    fades = subject.numbers.fades()
    curves = charts.curves_of({fade.name: fade.sizes for fade in fades})
    title, about = headings(subject.words, fades)
    longest = max(len(curve.sizes) for curve in curves.values()) - 1
    stops = numpy.unique(numpy.linspace(0, longest, WALK).round().astype(int))[1:-1].tolist()

    def film(upto: int | None) -> Figure:
        return charts.faded(curves, subject.words, title, about, upto)

    return animated(film, [*stops, None], 0.15, dict(charts.sizes_of(curves)))


WALK = 32
"""Frames of the walk back, about."""


NORM = "Frobenius norm, other states of step $T-k$ held fixed"


def headings(words: Words, fades: Sequence[Fade]) -> tuple[str, str]:
    """Return what stands over and under gradients against distance."""
    title = words("a state's derivative by itself $k$ steps before: size relative to $k = 0$")
    return title, f"{words(NORM)}\n{fades[0].where}"


@drawing(24, "switches", "RNN against LSTM as products of per-step factors", "run text")
def switches(subject: Subject) -> Picture:
    """Draw by what every step multiplies a gradient, and the product over all steps.

    The whole Jacobians of both, and apart from them the direct path, where there is one.
    """
    found = subject.numbers.factors()
    values: dict[str, ndarray] = {}
    for each in found:
        kind = "whole" if each.whole else "direct"
        values[f"{kind}, {each.model}"] = each.units
        values[f"{kind}, {each.model}, product"] = each.product
    return Picture(lambda: _switches(subject.words, found), values=values)


def _switches(words: Words, found: Sequence[Factors]) -> Figure:
    names = {each.model: _wrapped(each.model, 100 // len(found)) for each in found}
    heading = 0.95 + 0.26 * (2 + max(name.count("\n") for name in names.values()) + 1)
    height = 7.2 + max(1.2, heading)
    made = figure(12, height)
    grid = made.subplots(2, len(found), sharex="col", sharey="row", squeeze=False)
    models = list(dict.fromkeys(each.model for each in found))
    least = min(float(each.product[each.product > 0].min(initial=1)) for each in found)
    for column, each in enumerate(found):
        upper, lower = grid[:, column]
        color = (RED, BLUE)[models.index(each.model) % 2]
        steps = numpy.arange(each.start + 1, each.start + len(each.units) + 1)
        spread = numpy.repeat(steps, each.units.shape[1])
        upper.scatter(spread, each.units.ravel(), s=7, color=color, alpha=0.3, linewidths=0)
        upper.plot(steps, each.units.max(1), color=INK, linewidth=2, marker=plots.mark(steps))
        between = float(((each.units > 0.1) & (each.units < 0.9)).mean())
        percent = f"{100 * between:.0f} %"
        share = words("{share} of factors between 0.1 and 0.9").format(share=percent)
        kind = words("whole Jacobian") if each.whole else words("direct path only")
        kind = words("{kind}: {derivative}").format(kind=kind, derivative=each.derivative)
        title = f"{names[each.model]}\n{kind}\n{share}"
        upper.set_title(title, fontsize=12.5, linespacing=1.45)
        product = numpy.where(each.product > 0, each.product, numpy.nan)
        lower.plot(steps, product, color=color, marker=plots.mark(steps))
        if len(steps) <= FEW:
            lower.set_xticks(steps)
        else:
            lower.xaxis.get_major_locator().set_params(integer=True)
        lower.set_xlabel(words("step") + " $t$")
        for axes in (upper, lower):
            axes.axhline(1, color=PALE, linewidth=1.2, zorder=0)
    grid[0, 0].set_ylim(-0.05, max(1.25, max(float(each.units.max()) for each in found) * 1.08))
    grid[1, 0].set_yscale("log")
    top = max(10.0, max(float(each.product.max()) for each in found) * 10)
    grid[1, 0].set_ylim(least / 10, top)
    grid[0, 0].set_ylabel(words("factors of each step"), fontsize=13)
    first = f"{found[0].start + 1}" if len({each.start for each in found}) == 1 else "1"
    grid[1, 0].set_ylabel(
        words("greatest factor of the product\nof steps {first} to $t$").format(first=first),
        fontsize=13,
        linespacing=1.4,
    )
    dots = words("dots: singular values of a step's Jacobian; of a direct path, its factor by unit")
    line = words("line: the greatest")
    title = words("by what a step multiplies a gradient, and what many steps do together")
    made.text(0.1, 1 - 0.42 / height, title, fontsize=16)
    made.text(0.1, 0.34 / height, found[0].where, fontsize=12)
    products = numpy.concatenate([each.product.ravel() for each in found])
    note = timeline.joined(words, dots, line, zeros(products, words))
    made.text(0.1, 0.1 / height, note, fontsize=12)
    made.subplots_adjust(
        left=0.1,
        right=0.99,
        bottom=1.22 / height,
        top=1 - max(1.2, heading) / height,
        hspace=0.09,
        wspace=0.08,
    )
    return made


def _wrapped(name: str, wide: int) -> str:
    """Return a model's name in lines of so many letters at most, broken after commas and semicolons
    if it can be.

    >>> _wrapped("lstm, 48 units, seed 0, after 400 steps of training", 40)
    'lstm, 48 units, seed 0,\\nafter 400 steps of training'
    """
    lines = [""]
    for part in re.findall(r"[^,，;；]+(?:[,;] |，|；)?|[,，;；]", name):
        if text_width(lines[-1] + part) > wide * text_width("n") and lines[-1]:
            lines.append("")
        lines[-1] += part
    return "\n".join(textwrap.fill(line, wide) for line in lines)


@drawing(
    26,
    "paths",
    "back-propagation through time as a sum over paths",
    "run text cell",
    cells="two states",
)
def paths(subject: Subject) -> Picture:
    """Draw some steps' states, the derivatives between them, and the paths from end to start."""
    found = subject.numbers.ways(4)
    values = {"sizes": found.sizes, "belt": found.belt, "exact": found.exact}
    return still(_paths(subject.words, found), **values)


PITCH, RISE, RADIUS = 3.1, 2.6, CIRCLE + 0.04
"""From one step to the next, from one state to the other, and of a state's circle."""


def _paths(words: Words, found: Ways) -> Scene:
    """Return two rows of states; lines as thick as the derivatives that they stand for.

    What lies on no path between the ends is put back.
    """
    counts = _through(found.sizes)
    shapes = _edges(found, counts) + _states(words, found, counts)
    return Scene((*shapes, *_sums(words, found, counts)), "paths")


def _through(sizes: ndarray) -> ndarray:
    """Return by step and state, (T + 1, 2, 2), how many paths come to it from the first upper
    state, and how many go on from it to the last one.
    """
    steps = len(sizes)
    links = sizes > 0
    counts = numpy.zeros((steps + 1, 2, 2), dtype=int)
    counts[0, 1, 0] = counts[steps, 1, 1] = 1
    for t in range(steps):
        counts[t + 1, :, 0] = links[t] @ counts[t, :, 0]
        back = steps - 1 - t
        counts[back, :, 1] = counts[back + 1, :, 1] @ links[back]
    return counts


def _edges(found: Ways, counts: ndarray) -> list[Shape]:
    """Return the derivatives: lines with their sizes."""
    heights, places = (0.0, RISE), _places(found.sizes[:, 1, 1])
    shapes: list[Shape] = []
    largest = float(found.sizes.max()) or 1.0
    for t, later, earlier in product(range(len(found.sizes)), (0, 1), (0, 1)):
        size = float(found.sizes[t, later, earlier])
        old, new = found.states[earlier], found.states[later]
        start, end = (t * PITCH, heights[earlier]), ((t + 1) * PITCH, heights[later])
        line = Line(
            f"{old} {t} -> {new}",
            _between(start, end, RADIUS),
            "thread",
            source=f"{old} {t}",
            target=f"{new} {t + 1}",
            net=f"{old} {t} -> {new}",
            width=0.7 + 2.2 * size / largest,
            value=size,
        )
        number = f"{size:.{places}f}" if earlier and later else f"{size:.2f}"
        label = Label(f"size {line.id}", number, *_beside(start, end, number), "sign", size=SIGN)
        light: Light = "plain"
        if size == 0 or counts[t, earlier, 0] * counts[t + 1, later, 1] == 0:
            light = "dim"
        elif earlier and later:
            line, light = replace(line, role="wire"), "lit"
        shapes += [
            replace(line, light=light),
            replace(label, light="dim" if light == "dim" else "plain"),
        ]
    return shapes


def _places(factors: ndarray) -> int:
    """Return with how many decimal places factors are written: four, or more until the product of
    what is written is that of the factors, at three places.

    >>> _places(numpy.array([0.98574, 0.98745, 0.98650, 0.97750]))
    4
    """
    product = f"{math.prod(factors.tolist()):.3f}"
    for places in range(4, 9):
        if f"{math.prod(round(each, places) for each in factors.tolist()):.3f}" == product:
            return places
    return 9


def _states(words: Words, found: Ways, counts: ndarray) -> list[Shape]:
    """Return the states, and what was read at their steps."""
    shapes: list[Shape] = []
    steps = len(found.sizes)
    for t, row in product(range(steps + 1), (0, 1)):
        index = "t" if t == steps else f"t-{steps - t}"
        state = found.states[row]
        text = f"${symbol(state, index)}$"
        at = (t * PITCH, (0.0, RISE)[row])
        box = circle(f"{state} {t}", "closed", *at, text, RADIUS)
        light: Light = "plain" if counts[t, row].all() else "dim"
        shapes.append(replace(box, size=0.8, light=light))
    for t, token in enumerate(found.tokens):
        said = words("after step {number}: {token}").format(
            number=found.start + t + 1, token=timeline.visible(token)
        )
        shapes.append(Label(f"step {t}", said, t * PITCH, -0.95, "caption", size=0.72))
    return shapes


def _sums(words: Words, found: Ways, counts: ndarray) -> list[Shape]:
    """Return the formula, the product along the belt and the sum over all paths."""
    steps, upper = len(found.sizes), found.states[1]
    end, start = symbol(upper, "t"), symbol(upper, f"t-{steps}")
    whole = f"\\partial {end} / \\partial {start}"
    formula = (
        f"$\\frac{{\\partial {end}}}{{\\partial {start}}} = "
        f"\\sum\\; \\prod\\; \\frac{{\\partial s'}}{{\\partial s}}$"
    )
    number = int(counts[steps, 1, 0])
    said = words(
        "paths from {end} back to {start}: {count}; bold: the direct one; pale: on no path"
    )
    direct = [float(size) for size in found.sizes[:, 1, 1]]
    along = words(
        "the bold numbers multiplied: {product}; the bold path's matrices multiplied: {belt}"
    )
    lines = (
        along.format(product=f"{math.prod(direct):.3f}", belt=f"{found.belt:.3f}"),
        words("all paths together, {whole}: {exact}").format(
            whole=f"${whole}$", exact=f"{found.exact:.3f}"
        ),
        timeline.joined(
            words, words("numbers: greatest singular value of each derivative"), found.model
        ),
    )
    left = -RADIUS
    read = words("the sum over all paths of the products over their steps")
    count = said.format(count=number, end=f"${end}$", start=f"${start}$")
    shapes: list[Shape] = [
        Label("formula", formula, left, RISE + 2.0, align="left", size=1.3),
        Label("read", read, left + 4.3, RISE + 2.0, "caption", "left", 0.8),
        Label("count", count, left, RISE + 1.05, "caption", "left", 0.8 / MATH),
    ]
    for n, text in enumerate(lines):
        size = (0.8, 0.8 / MATH, 0.72)[n]
        shapes.append(Label(f"line {n}", text, left, -1.65 - 0.5 * n, "caption", "left", size))
    return shapes


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


@drawing(
    27,
    "terms",
    "dCₜ/dCₜ₋₁ term by term, per step",
    "run text cell",
    cells="a state beside its output",
)
def terms(subject: Subject) -> Picture:
    """Draw the terms over the text, and how far the popular products are off."""
    found = subject.numbers.terms(LONG)
    values = {"sizes": found.sizes, "exact": found.exact, "around": found.around}
    values |= {f"errors {k}": numpy.array(both) for k, both in found.errors.items()}
    return Picture(lambda: _terms(subject.words, found), values=values)


FEW = 12
"""Steps that are all numbered."""

FORMULAS = {
    "direct": "$\\mathrm{diag}(f_t)$",
    "f": "$\\mathrm{diag}(c_{t-1}\\,\\sigma′_f)\\,U_f D$",
    "i": "$\\mathrm{diag}(g_t\\,\\sigma′_i)\\,U_i D$",
    "g": "$\\mathrm{diag}(i_t\\,\\mathrm{tanh}′_g)\\,U_g D$",
}
"""The formulas of the terms of an LSTM."""


def _terms(words: Words, found: Terms) -> Figure:
    made = figure(12, 9.2)
    upper, lower = made.subplots(2, 1, height_ratios=(1.7, 1))
    _sizes(upper, words, found)
    _errors(lower, words, found)
    steps = timeline.span(words, found.start + 1, len(found.tokens), found.total)
    outer = "$D = \\mathrm{diag}(o_{t-1}\\,\\mathrm{tanh}′(c_{t-1}))$" if found.is_lstm else ""
    nothing = zeros(found.sizes, words)
    made.text(0.06, 0.015, timeline.joined(words, found.model, steps, outer, nothing), fontsize=12)
    made.subplots_adjust(left=0.06, right=0.985, bottom=0.11, top=0.95, hspace=0.72)
    return made


def _sizes(axes: Axes, words: Words, found: Terms) -> None:
    """Draw the size of every term over the steps."""
    state = found.state
    for number, name in enumerate(found.names):
        through = words("direct") if name == "direct" else words("last through {layer}")
        label = FORMULAS[name] if found.is_lstm else through.format(layer=charts.label(name))
        axes.plot(
            found.sizes[:, number], **stroke(number), label=label, marker=plots.mark(found.tokens)
        )
    two = f"$\\partial {symbol(state, 't')} / \\partial {symbol(state, 't-2')}$"
    way = "through $o_{t-1}$" if found.is_lstm else "through other states"
    exact = {"color": INK, "linewidth": 1.2, "marker": plots.mark(found.tokens)}
    axes.plot(found.exact, **exact, label=words("exact: their sum"))
    around = {"color": GREY, "linewidth": 0.9, "marker": "+", "markersize": 6}
    label = words("over two steps: {derivative} {way}").format(derivative=two, way=words(way))
    if numpy.isfinite(found.around).any():
        axes.plot(found.around, **around, label=label)
    timeline.letters(axes, found.tokens, found.start)
    axes.set_xlim(-0.5, len(found.tokens) - 0.5)
    axes.set_ylim(bottom=0)
    one = f"$\\partial {symbol(state, 't')} / \\partial {symbol(state, 't-1')}$"
    said = words(
        "terms of {derivative}, and one over two steps: size (Frobenius norm / $\\sqrt{{H}}$)"
    )
    axes.set_title(said.format(derivative=one))
    axes.legend(ncols=3, fontsize=13, loc="upper center", bbox_to_anchor=(0.5, -0.14))


def _errors(axes: Axes, words: Words, found: Terms) -> None:
    """Draw how far off the popular products are; the direct term has its colour of above."""
    places = numpy.arange(len(found.errors))
    popular, direct = zip(*found.errors.values(), strict=True)
    alone = "forget gates alone, multiplied" if found.is_lstm else "direct term alone, multiplied"
    solid: dict[str, Any] = {"color": SERIES[0]}
    for shift, values, look, label in (
        (-0.2, direct, solid, words(alone)),
        (0.2, popular, HATCHED, words("all terms, multiplied")),
    ):
        percent = numpy.array(values) * 100
        drawn = axes.bar(places + shift, percent, 0.38, label=label, **look)
        axes.bar_label(drawn, fmt="%.0f %%", fontsize=12, padding=2)
    axes.set_xticks(places, [str(k) for k in found.errors])
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.set_xlabel(f"{words('steps back')} $k$", fontsize=13)
    whole = f"$\\partial {symbol(found.state, 't')} / \\partial {symbol(found.state, 't-k')}$"
    said = words(
        "error of products over $k$ steps, {error} of the exact $B$ = {derivative}: median "
        "over the $t$ shown"
    )
    axes.set_title(said.format(error=ERROR, derivative=whole), fontsize=14)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylim(0, max(10.0, 150 * max(max(popular), max(direct))))
    axes.legend(fontsize=13, loc="upper left", ncols=2)


ERROR = "$\\|A - B\\|_F / \\|B\\|_F$"
"""How far a matrix is off: as `Terms.popular_error` of the probes measures it."""
HATCHED: dict[str, Any] = {"facecolor": "white", "edgecolor": INK, "hatch": "///", "linewidth": 1.2}
