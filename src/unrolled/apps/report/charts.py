"""Charts of a page: of a study's scores and of gradients; `curves` has those of learning."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ...draw.palette import INK, PALE
from ...draw.type import style
from ..curves import banded, canvas, finish, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..study.table import Figure as Scores

NARROW = 4.6
MARKS = "osD^vPX"
FLOOR = 1e-12
"""Where the axis of gradients begins: no training can use smaller ones; their curves leave it."""


@style()
def against_gap(
    entrants: Mapping[str, Mapping[int, Scores]], chance: float, across: str, up: str
) -> Figure:
    """Draw the score against the gap: mean over seeds, with a line from least to greatest."""
    made, axes = canvas(across, up)
    axes.axhline(100 * chance, color=PALE, linewidth=1.2, zorder=0)
    for number, (name, figures) in enumerate(entrants.items()):
        gaps = list(figures)
        means = [100 * each.mean for each in figures.values()]
        low = [max(0.0, 100 * f.mean - 100 * f.spread[0]) for f in figures.values()]
        high = [max(0.0, 100 * f.spread[1] - 100 * f.mean) for f in figures.values()]
        axes.errorbar(
            gaps, means, yerr=[low, high], label=name, marker=MARKS[number % 7],
            markersize=7, capsize=3, elinewidth=1.2, **look(number),
        )  # fmt: skip
    every = sorted({gap for figures in entrants.values() for gap in figures})
    if len(every) > 1:
        axes.set_xscale("log")
    axes.set_xticks(every, [str(gap) for gap in every])
    axes.minorticks_off()
    axes.set_ylim(-3, 104)
    return finish(made, axes)


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
    made, axes = canvas(across, up, NARROW)
    top = 10.0
    for number, (name, several) in enumerate(curves.items()):
        length = min(map(_finite, several))
        rows = [[max(size, TINY) for size in sizes[:length]] for sizes in several]
        top = max([top, *(min(size, 1e12) for sizes in rows for size in sizes)])
        means = [math.exp(sum(map(math.log, c)) / len(c)) for c in zip(*rows, strict=True)]
        banded(axes, number, name, range(length), means, rows)
    axes.set_yscale("log")
    axes.set_ylim(FLOOR, 3 * top)
    axes.axhline(1.0, color=INK, linewidth=0.8, zorder=0)
    return finish(made, axes, columns=2)


TINY = 1e-300
"""Stands for 0 where a logarithm is taken; far below the picture."""


def _finite(sizes: Sequence[float]) -> int:
    """Return how many sizes there are before the first infinite one."""
    return next((n for n, size in enumerate(sizes) if not math.isfinite(size)), len(sizes))
