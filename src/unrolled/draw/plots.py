"""Curves, marks and fields: arrays drawn into the axes of a figure."""

from __future__ import annotations

from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy

from .contrast import READABLE, contrast, ink_on
from .palette import BLUE, GREY, PALE, SERIES, stroke
from .scale import dark
from .shapes import LETTER, text_width
from .timeline import columns, letters, step_numbers, visible
from .type import MONOSPACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Sized

    from matplotlib.axes import Axes
    from numpy import ndarray

BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 1}
"""Of a text over lines of a grid."""


def mark(points: Sized) -> str:
    """Return the mark of a curve's points: one point alone is no line.

    >>> mark([1.0]), mark([1.0, 2.0])
    ('o', '')
    """
    return "o" if len(points) == 1 else ""


def by_mean(values: ndarray) -> ndarray:
    """Return the order of units (H,) of values (T, H) in which their means fall, of what is finite;
    units without a finite value come last.
    """
    finite = numpy.isfinite(values)
    counts = finite.sum(0)
    means = numpy.where(finite, values, 0).sum(0) / counts.clip(1)
    return numpy.argsort(numpy.where(counts, -means, numpy.inf), kind="stable")


def fading(
    axes: Axes,
    curves: Sequence[tuple[str, ndarray]],
    stopped: Mapping[str, str] = MappingProxyType({}),
    upto: int | None = None,
) -> None:
    """Draw gradient sizes against steps back, one curve for each model, named left of all
    ends; from one that ends earlier, or at another height, a thread leads to its name.

    Args:
        axes: with their limits set and a logarithmic scale upwards.
        curves: names and sizes, each from 0 steps back on.
        stopped: names of those that go on "low", below what can be told: they end in a triangle;
            "lost", with what is no finite number: in a cross.
        upto: the last step back that is shown.
    """
    from matplotlib.collections import LineCollection

    ends = []
    for number, (name, sizes) in enumerate(curves):
        shown = sizes if upto is None else sizes[: upto + 1]
        places = numpy.arange(len(shown))
        look = stroke(number)
        color = look["color"]
        axes.plot(places, shown, **look, linewidth=2.8)
        is_end = places[-1] == len(sizes) - 1 and name in stopped
        sign = {"low": "v", "lost": "X"}[stopped[name]] if is_end else "o"
        axes.plot(places[-1], shown[-1], sign, color=color, markersize=8)
        ends.append((float(shown[-1]), float(places[-1]), name, color))
    axes.grid(axis="y", linewidth=0.6)
    floor, ceiling = numpy.log10(axes.get_ylim())
    lines = 2 if len(ends) <= TWO_LINES else 1
    gap = float(ceiling - floor) / max(16 / (1 + 0.9 * (lines - 1)), len(ends) + 1)
    falling = spaced([-float(numpy.log10(end[0])) for end in ends], gap, -float(floor) - gap / 2)
    bold: dict[str, Any] = {"va": "center", "ha": "right", "fontsize": 13, "fontweight": "bold"}
    bold["bbox"] = BEHIND
    longest = max(len(sizes) for _, sizes in curves) - 1
    last = max(step for _, step, _, _ in ends)
    beside = last + longest * 0.018 + 0.05
    for (height, step, name, color), fallen in zip(ends, falling, strict=True):
        color = darker(color)
        is_moved = abs(fallen + float(numpy.log10(height))) > gap / 4
        if step < last or is_moved:  # a name beside its end would hide the lines that go on
            way = [(step, height), (last if step < last else beside, 10.0**-fallen)]
            look: dict[str, Any] = {"colors": color, "linewidths": 0.9, "zorder": 1}
            axes.add_collection(LineCollection([way], linestyles=[(0, (1, 2))], **look))
        said = name.replace(": ", "\n") if lines == 2 else name
        axes.text(beside, 10.0**-fallen, said, color=color, **bold)


def room(names: Sequence[str], points: float) -> float:
    """Return the share of a width in points that the names of curves take beside their ends.

    >>> room(["lstm"], 700) < room(["lstm, a long name"], 700) < 0.5
    True
    """
    if len(names) <= TWO_LINES:
        names = [part for name in names for part in name.split(": ")]
    longest = max(text_width(name) for name in names) / LETTER
    return min(0.6, (longest * 14.5 + 16) / points)


TWO_LINES = 6
"""Curves whose names have two lines at most: more of them would have no room."""


def spaced(heights: Sequence[float], gap: float, most: float = numpy.inf) -> list[float]:
    """Return heights moved apart until neighbours have `gap` between them, in the given order,
    none of them beyond `most`.

    >>> spaced([0.0, 0.1, 3.0], 1.0), spaced([0.0, 2.5, 2.6], 1.0, 3.0)
    ([0.0, 1.0, 3.0], [0.0, 2.0, 3.0])
    """
    order = sorted(range(len(heights)), key=lambda n: heights[n])
    places = list(heights)
    for below, here in pairwise(order):
        places[here] = max(places[here], places[below] + gap)
    for here in reversed(order):
        places[here] = min(places[here], most)
        most = places[here] - gap
    return places


def saturation(axes: Axes, closed: ndarray, opened: ndarray, number: int, always: str = "") -> None:
    """Draw, for every unit of a gate, how often it is nearly closed and nearly open.

    Where several units have the same place, their mark is darker and has their number beside it.

    Args:
        axes: to draw into.
        closed, opened: (H,): the shares of steps below 0.1 and above 0.9.
        number: of the gate, for its colour.
        always: what is written along the line on which both add up to 1.
    """
    places, counts = numpy.unique(numpy.stack([closed, opened], 1), axis=0, return_counts=True)
    color = darker(SERIES[number % len(SERIES)])
    for several, alpha in ((False, 0.45), (True, 1.0)):
        shown = places[(counts > 1) == several]
        axes.scatter(
            *shown.T, s=40, alpha=alpha, color=color, edgecolors="white", linewidths=0.7,
            zorder=3 + several,
        )  # fmt: skip
    under, near = (-1.0, -1.0), False  # where the last number stands that is close by
    for (x, y), count in zip(places, counts, strict=True):
        if count > 1:
            near = not near and x == under[0] and y - under[1] < CLOSE
            under = (x, y)
            place = {"xytext": (-15 if near else -6, 0), "textcoords": "offset points"}
            look = {"ha": "right", "va": "center_baseline", "color": color, "fontsize": 10}
            axes.annotate(str(count), (x, y), **place, **look, zorder=5)
    axes.plot([0, 1], [1, 0], color=PALE, linewidth=1.2, zorder=0)
    axes.text(0.52, 0.52, always, color=GREY, fontsize=12, rotation=-45, ha="center", va="center")
    axes.set_xlim(-0.13, 1.04)
    axes.set_ylim(-0.04, 1.04)
    axes.set_aspect("equal")


CLOSE = 0.04
"""Numbers of marks that are closer above each other stand side by side."""


def spectrum(axes: Axes, factors: ndarray) -> None:
    """Draw the mean factor of every unit, in falling order, from the 10th to the 90th
    percentile of its steps.
    """
    sorted_ = factors[:, by_mean(factors)]
    low, high = numpy.quantile(sorted_, [0.1, 0.9], axis=0)
    edges = numpy.arange(sorted_.shape[1] + 1) + 0.5
    axes.stairs(high, edges, baseline=low, fill=True, color=BLUE, alpha=0.22)
    axes.stairs(sorted_.mean(0), edges, baseline=None, color=BLUE, linewidth=2.4)
    axes.set_ylim(min(0.0, float(low.min())), max(1.02, float(high.max()) * 1.02))
    axes.set_xlim(edges[0], edges[-1])


def colored_text(
    axes: Axes, tokens: Sequence[str], values: ndarray, width: int = 60, start: int = 0
) -> None:
    """Write a text in lines, each character on the colour of its value, from -1 to 1.

    Where there are several lines or earlier steps, each begins with the number of its first step.
    """
    from matplotlib.patches import Rectangle

    from .render import shade

    rows = -(-len(tokens) // width)
    for n, (token, value) in enumerate(zip(tokens, values, strict=True)):
        x, y = n % width, -(n // width)
        fill = shade(float(value))
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=fill, edgecolor="white", linewidth=0.8))
        text = visible(token)
        axes.text(
            x + 0.5, y + 0.5, text, ha="center", va="center", color=ink_on(fill),
            fontsize=min(14.0, 24 / columns(text)), family=MONOSPACE,
        )  # fmt: skip
    for row in range(rows if rows > 1 or start else 0):
        number = str(start + row * width + 1)
        axes.text(-0.4, 0.5 - row, number, ha="right", va="center", fontsize=11, color=GREY)
    axes.set_xlim(-0.3, width)
    axes.set_ylim(1 - rows, 1)
    axes.axis("off")


def triangle(
    axes: Axes, shares: ndarray, tokens: Sequence[str], upto: int, start: int = 0, said: str = ""
) -> None:
    """Draw how much of each input (columns) is in the state after each step (rows), as shares.

    Args:
        axes: to draw into.
        shares: (T, T).
        tokens: T of them.
        upto: the last row that is shown.
        start: how many steps of the sequence come before these.
        said: over the scale of the colours.
    """
    from matplotlib.colors import PowerNorm

    rows = numpy.arange(len(shares))[:, None]
    shown = numpy.ma.masked_where(~numpy.tri(len(shares), dtype=bool) | (rows > upto), shares)
    image = axes.imshow(shown, cmap=dark(), norm=PowerNorm(0.5, 0, 1), aspect="auto")
    inset = axes.inset_axes((0.66, 0.9, 0.3, 0.022))
    bar = axes.figure.colorbar(image, cax=inset, orientation="horizontal", ticks=[0, 0.1, 0.5, 1])
    bar.ax.set_title(said, fontsize=13, pad=6)
    bar.ax.set_xticklabels(["0", "0.1", "0.5", "1"])
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    letters(axes, tokens, start)
    numbers = step_numbers(start, len(tokens))
    labels = [f"{numbers.get(n, '')} {visible(token)}" for n, token in enumerate(tokens)]
    axes.set_yticks(range(len(tokens)), labels)
    for label in axes.get_yticklabels():
        label.set_fontfamily([MONOSPACE])
        label.set_fontsize(12)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)


def darker(color: str) -> str:
    """Return a colour in which text on white can be read: with a contrast of at least 4.5 to 1.

    >>> darker("#0072b2"), darker("#e69f00")
    ('#0072b2', '#9d6c00')
    """
    from matplotlib.colors import to_hex, to_rgb

    shade = numpy.array(to_rgb(color))
    while contrast(to_hex(tuple(shade))) < READABLE:
        shade = shade * 0.98
    return to_hex(tuple(shade))
