"""Charts of a study: accuracy against gap, learning curves, gradient against distance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...draw.palette import DASHES, INK, PALE, SERIES
from ...draw.type import figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..study.table import Figure as Scores

WIDTH, HEIGHT = 6.4, 4.0
NARROW = 4.6
MARKS = "osD^vPX"
FLOOR = 1e-12
"""Smaller gradients are drawn here: no training can use them."""


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
    return {
        "color": SERIES[number % len(SERIES)],
        "linestyle": DASHES[number % len(DASHES)],
        "linewidth": 2.4,
    }


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


@style()
def learning(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], across: str, up: str, log: bool
) -> Figure:
    """Return one curve for each name: places and heights."""
    made, axes = _canvas(across, up)
    for number, (name, (places, heights)) in enumerate(curves.items()):
        axes.plot(places, heights, label=name, **_look(number))
    if log:
        axes.set_yscale("log")
    return _finish(made, axes)


@style()
def against_distance(curves: Mapping[str, Sequence[float]], across: str, up: str) -> Figure:
    """Return the size of a gradient against the steps that it has come back."""
    made, axes = _canvas(across, up, NARROW)
    top = 10.0
    for number, (name, sizes) in enumerate(curves.items()):
        shown = [min(max(size, FLOOR), 1e12) for size in sizes if math.isfinite(size)]
        top = max([top, *shown])
        axes.plot(range(len(shown)), shown, label=name, **_look(number))
    axes.set_yscale("log")
    axes.set_ylim(FLOOR, 3 * top)
    axes.axhline(1.0, color=INK, linewidth=0.8, zorder=0)
    return _finish(made, axes, columns=2)
