"""Pieces of charts: arrays drawn into the axes of a figure."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy

from ..printable import printable
from .palette import BLUE, DASHES, PALE, SERIES
from .type import MONOSPACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy import ndarray

COLORS = "cividis"
"""From dark blue to light yellow: everyone can tell it apart, in grey as well."""


def letters(axes: Axes, tokens: Sequence[str], size: float = 12) -> None:
    """Write characters along the axis of time."""
    axes.set_xticks(range(len(tokens)), [visible(token) for token in tokens])
    axes.tick_params(axis="x", length=0, pad=5)
    for label in axes.get_xticklabels():
        label.set_fontfamily([MONOSPACE])
        label.set_fontsize(size if len(tokens) <= 45 else size * 45 / len(tokens))


def visible(token: str) -> str:
    """Return a token with marks for white space and controls, and no mathematics in it.

    >>> visible(" "), visible("$")
    ('␣', '\\\\$')
    """
    return {" ": "␣", "\n": "↵", "\t": "⇥"}.get(token, plain(token))


def plain(words: str) -> str:
    """Return words in which a dollar sign begins no mathematics, and no character acts."""
    return printable(words).replace("$", "\\$")


def by_mean(values: ndarray) -> ndarray:
    """Return values (T, H) with the units in the order of their mean: the picture has a shape."""
    return values[:, numpy.argsort(-values.mean(0), kind="stable")]


def heat(axes: Axes, values: ndarray, name: str, signed: bool) -> Any:
    """Draw units (rows) over steps (columns)."""
    low, high = (-1.0, 1.0) if signed else (0.0, 1.0)
    image = axes.imshow(values.T, aspect="auto", cmap=COLORS, vmin=low, vmax=high)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=14, fontsize=17)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return image


def fading(axes: Axes, curves: Sequence[tuple[str, ndarray]], upto: int | None = None) -> None:
    """Draw gradient sizes against steps back, one curve for each model, named at its end.

    Args:
        axes: with their limits set and a logarithmic scale upwards.
        curves: names and sizes, each from 0 steps back on.
        upto: the last step back that is shown.
    """
    ends = []
    for number, (name, sizes) in enumerate(curves):
        shown = sizes[: upto + 1] if upto is not None else sizes
        color, dashes = SERIES[number % len(SERIES)], DASHES[number % len(DASHES)]
        axes.plot(range(len(shown)), shown, color=color, linestyle=dashes, linewidth=2.8)
        axes.plot(len(shown) - 1, shown[-1], "o", color=color, markersize=7)
        ends.append((float(shown[-1]), len(shown) - 1, name, color))
    axes.grid(axis="y", linewidth=0.6)
    floor, ceiling = numpy.log10(axes.get_ylim())
    falling = spaced([-float(numpy.log10(end[0])) for end in ends], float(ceiling - floor) / 17)
    bold: dict[str, Any] = {"va": "center", "ha": "right", "fontsize": 13, "fontweight": "bold"}
    for (_, step, name, color), fallen in zip(ends, falling, strict=True):
        axes.text(step + 0.9, 10.0**-fallen, name, color=color, **bold)


def spaced(heights: Sequence[float], gap: float) -> list[float]:
    """Return heights moved apart until neighbours have `gap` between them, in the given order.

    >>> spaced([0.0, 0.1, 3.0], 1.0)
    [0.0, 1.0, 3.0]
    """
    order = sorted(range(len(heights)), key=lambda n: heights[n])
    places = list(heights)
    for below, here in pairwise(order):
        places[here] = max(places[here], places[below] + gap)
    return places


def saturation(axes: Axes, points: Mapping[str, tuple[ndarray, ndarray]]) -> None:
    """Draw, for every unit of some gates, how often it is nearly closed and nearly open.

    Args:
        axes: to draw into.
        points: by name, two arrays (H,): the shares of steps below 0.1 and above 0.9.
    """
    marks = "osD^v"
    for number, (name, (closed, opened)) in enumerate(points.items()):
        axes.scatter(
            closed, opened, s=46, alpha=0.75, label=name, color=SERIES[number % len(SERIES)],
            marker=marks[number % len(marks)], edgecolors="white", linewidths=0.6,
        )  # fmt: skip
    axes.plot([0, 1], [1, 0], color=PALE, linewidth=1.2, zorder=0)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.legend(loc="upper right", fontsize=13)


def spectrum(axes: Axes, factors: ndarray) -> None:
    """Draw the mean forget gate of every unit, sorted, and the span of 80 % of its steps."""
    sorted_ = by_mean(factors)
    low, high = numpy.quantile(sorted_, [0.1, 0.9], axis=0)
    places = numpy.arange(sorted_.shape[1])
    axes.fill_between(places, low, high, color=BLUE, alpha=0.22, linewidth=0, step="mid")
    axes.plot(places, sorted_.mean(0), color=BLUE, drawstyle="steps-mid")
    axes.set_ylim(0, 1.02)
    axes.set_xlim(-0.5, len(places) - 0.5)


def colored_text(axes: Axes, tokens: Sequence[str], values: ndarray, width: int = 60) -> None:
    """Write a text in lines, each character on the colour of its value, from -1 to 1."""
    from matplotlib.patches import Rectangle

    from .render import ink_on, shade

    rows = -(-len(tokens) // width)
    for n, (token, value) in enumerate(zip(tokens, values, strict=True)):
        x, y = n % width, -(n // width)
        fill = shade(float(value))
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=fill, edgecolor="white", linewidth=0.8))
        axes.text(
            x + 0.5, y + 0.5, visible(token), ha="center", va="center", color=ink_on(fill),
            fontsize=14, family=MONOSPACE,
        )  # fmt: skip
    axes.set_xlim(0, min(width, len(tokens)))
    axes.set_ylim(1 - rows, 1)
    axes.axis("off")


def triangle(axes: Axes, shares: ndarray, tokens: Sequence[str], upto: int) -> None:
    """Draw how much of each input (columns) is in the state after each step (rows), as shares."""
    from matplotlib.colors import PowerNorm

    later = numpy.arange(len(shares))[:, None] > upto
    shown = numpy.ma.masked_where(~numpy.tri(len(shares), dtype=bool) | later, shares)
    image = axes.imshow(shown, cmap=dark(), norm=PowerNorm(0.5, 0, 1), aspect="auto")
    inset = axes.inset_axes((0.66, 0.9, 0.3, 0.022))
    bar = axes.figure.colorbar(image, cax=inset, orientation="horizontal", ticks=[0, 0.1, 0.5, 1])
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    letters(axes, tokens)
    axes.set_yticks(range(len(tokens)), [visible(token) for token in tokens])
    for label in axes.get_yticklabels():
        label.set_fontfamily([MONOSPACE])
        label.set_fontsize(12 if len(tokens) <= 30 else 9)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)


def dark() -> Any:
    """Return colours from white to a deep blue, evenly, so that they can be read in grey."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("dark", ["#f4f7fa", "#9cc9e6", BLUE, "#08264a"])


def bars(axes: Axes, shares: ndarray, total: int) -> None:
    """Draw the shares of one step over the inputs."""
    axes.bar(range(len(shares)), shares, color=BLUE, width=0.8)
    axes.set_xlim(-0.5, total - 0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
