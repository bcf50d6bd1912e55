"""Curves of several seeds: the middle one, and a band from the least to the greatest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..draw.palette import stroke
from ..draw.plots import mark
from ..draw.type import figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 5.2, 3.7
"""Inches: as wide as letters of 12 points are read on a phone."""


def canvas(across: str, up: str, width: float = WIDTH) -> tuple[Figure, Axes]:
    """Return a figure and its axes, with names of what goes across and up."""
    made = figure(width, HEIGHT)
    axes = made.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    return made, axes


def finish(made: Figure, axes: Axes, columns: int | None = None) -> Figure:
    """Put the names of the curves over them, and return the figure."""
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


def look(number: int) -> dict[str, Any]:
    """Return how the curve of a number looks: the same in every chart."""
    return {**stroke(number), "linewidth": 2.4}


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
    made, axes = canvas(across, up)
    for number, (name, several) in enumerate(curves.items()):
        heights = [dict(zip(*each, strict=True)) for each in several]
        places = sorted(set.intersection(*map(set, heights)))
        rows = [[each[place] for place in places] for each in heights]
        means = [sum(column) / len(column) for column in zip(*rows, strict=True)]
        banded(axes, number, name, places, means, rows)
    return finish(made, axes)


def banded(
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
    axes.plot(places, middle, label=name, marker=mark(places), markersize=8, **look(number))
    if len(rows) > 1:
        low, high = ([pick(column) for column in zip(*rows, strict=True)] for pick in (min, max))
        color = stroke(number)["color"]
        if len(places) == 1:
            axes.vlines(places, low, high, color=color, linewidth=1.2)
        else:
            axes.fill_between(places, low, high, color=color, alpha=0.2, linewidth=0)
