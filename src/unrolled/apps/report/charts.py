"""Charts of a page: of a study's scores, of learning curves and of gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ...draw.palette import INK, PALE, stroke
from ...draw.plots import mark
from ...draw.type import figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..study.table import Figure as Scores

WIDTH, HEIGHT = 5.2, 3.7
"""Inches: as wide as letters of 12 points are read on a phone."""
NARROW = 4.6
MARKS = "osD^vPX"
FLOOR = 1e-12
"""Where the axis of gradients begins: no training can use smaller ones; their curves leave it."""


def _canvas(across: str, up: str, width: float = WIDTH) -> tuple[Figure, Axes]:
    made = figure(width, HEIGHT)
    axes = made.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    return made, axes


def _finish(made: Figure, axes: Axes, columns: int | None = None) -> Figure:
    handles, labels = axes.get_legend_handles_labels()
    columns = columns or (4 if len(labels) == 4 else 3)
    rows = math.ceil(len(labels) / columns)
    left = 0.98 / made.get_figwidth()
    made.legend(
        handles, labels, loc="upper left", ncols=columns, fontsize=11.5, bbox_to_anchor=(0.01, 1.0),
        handlelength=2.6, columnspacing=1.4,
    )  # fmt: skip
    made.subplots_adjust(left=left, right=0.975, bottom=0.15, top=0.955 - 0.065 * rows)
    return made


def _look(number: int) -> dict[str, Any]:
    return {**stroke(number), "linewidth": 2.4}


@style()
def against_gap(
    entrants: Mapping[str, Mapping[int, Scores]], chance: float, across: str, up: str
) -> Figure:
    """Draw the score against the gap: mean over seeds, with a line from least to greatest."""
    made, axes = _canvas(across, up)
    axes.axhline(100 * chance, color=PALE, linewidth=1.2, zorder=0)
    for number, (name, figures) in enumerate(entrants.items()):
        gaps = list(figures)
        means = [100 * each.mean for each in figures.values()]
        low = [max(0.0, 100 * f.mean - 100 * f.spread[0]) for f in figures.values()]
        high = [max(0.0, 100 * f.spread[1] - 100 * f.mean) for f in figures.values()]
        axes.errorbar(
            gaps, means, yerr=[low, high], label=name, marker=MARKS[number % 7],
            markersize=7, capsize=3, elinewidth=1.2, **_look(number),
        )  # fmt: skip
    every = sorted({gap for figures in entrants.values() for gap in figures})
    if len(every) > 1:
        axes.set_xscale("log")
    axes.set_xticks(every, [str(gap) for gap in every])
    axes.minorticks_off()
    axes.set_ylim(-3, 104)
    return _finish(made, axes)


Curve: TypeAlias = tuple[Sequence[float], Sequence[float]]
"""Places and heights."""


@style()
def learning(curves: Mapping[str, Sequence[Curve]], across: str, up: str) -> Figure:
    """Draw the mean of the curves of each name, and a band from the least to the greatest.

    Both are of the places that all curves of a name have.

    Args:
        curves: by name, one for each seed.
        across, up: what the axes are.
    """
    made, axes = _canvas(across, up)
    for number, (name, several) in enumerate(curves.items()):
        heights = [dict(zip(*each, strict=True)) for each in several]
        places = sorted(set.intersection(*map(set, heights)))
        rows = [[each[place] for place in places] for each in heights]
        means = [sum(column) / len(column) for column in zip(*rows, strict=True)]
        _banded(axes, number, name, places, means, rows)
    return _finish(made, axes)


def _banded(
    axes: Axes,
    number: int,
    name: str,
    places: Sequence[float],
    middle: Sequence[float],
    rows: Sequence[Sequence[float]],
) -> None:
    """Draw a curve, and a band around it where there are several rows: of one place a mark, and a
    line from the least to the greatest.
    """
    axes.plot(places, middle, label=name, marker=mark(places), markersize=8, **_look(number))
    if len(rows) > 1:
        low, high = ([pick(column) for column in zip(*rows, strict=True)] for pick in (min, max))
        color = stroke(number)["color"]
        if len(places) == 1:
            axes.vlines(places, low, high, color=color, linewidth=1.2)
        else:
            axes.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0)


@style()
def against_distance(
    curves: Mapping[str, Sequence[Sequence[float]]], across: str, up: str
) -> Figure:
    """Draw the size of a gradient against the steps that it has come back.

    Args:
        curves: by name, one for each seed: sizes relative to the last step. The curve is their
            geometric mean, the band goes from the least to the greatest.
        across, up: what the axes are.
    """
    made, axes = _canvas(across, up, NARROW)
    top = 10.0
    for number, (name, several) in enumerate(curves.items()):
        length = min(map(_finite, several))
        rows = [[max(size, TINY) for size in sizes[:length]] for sizes in several]
        top = max([top, *(min(size, 1e12) for sizes in rows for size in sizes)])
        means = [math.exp(sum(map(math.log, c)) / len(c)) for c in zip(*rows, strict=True)]
        _banded(axes, number, name, range(length), means, rows)
    axes.set_yscale("log")
    axes.set_ylim(FLOOR, 3 * top)
    axes.axhline(1.0, color=INK, linewidth=0.8, zorder=0)
    return _finish(made, axes, columns=2)


TINY = 1e-300
"""Stands for 0 where a logarithm is taken; far below the picture."""


def _finite(sizes: Sequence[float]) -> int:
    """Return how many sizes there are before the first infinite one."""
    return next((n for n, size in enumerate(sizes) if not math.isfinite(size)), len(sizes))
