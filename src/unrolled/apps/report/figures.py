"""Figures inside a page: charts of a study, and SVG in the page's colours.

Each has a title for who cannot see it.
"""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ...draw.palette import DASHES, DIM, INK, LOOKS, PALE, PAPER, SERIES, TEXT_LIT, WIRE_DIM
from ...draw.svg import element
from ...draw.type import figure, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ...draw.picture import Picture
    from ..study.table import Figure as Scores

COLOR = re.compile(r"#[0-9a-f]{6}\b")
ATTRIBUTE = re.compile(r' (fill|stroke)="(#[0-9a-f]{6})"')
THREAD, GROUND = "#8d99a6", "#f2f4f6"
BLACK, WHITE = "#000000", "#ffffff"


def _themed() -> list[str]:
    """Return the colours that turn with the page; those that stand for numbers do not."""
    looks = [each for look in (*LOOKS.values(), *DIM.values()) for each in look[:3]]
    found = [BLACK, WHITE, INK, PALE, PAPER, THREAD, GROUND, TEXT_LIT, WIRE_DIM, *SERIES, *looks]
    return list(dict.fromkeys(color.lower() for color in found))


def dark(color: str) -> str:
    """Return the colour of a dark page: as light as this one is dark, of the same hue.

    >>> dark("#ffffff"), dark("#000000")
    ('#14181d', '#eceef0')
    """
    r, g, b = (int(color[n : n + 2], 16) / 255 for n in (1, 3, 5))
    hue, light, depth = colorsys.rgb_to_hls(r, g, b)
    soft = depth * (0.55 if light > 0.7 else 0.85)
    if depth < 0.02:
        hue, soft = 0.58, 0.18 if light > 0.5 else 0.12
    turned_light = 0.095 + (1 - light) * 0.838
    if color in SERIES and depth > 0.4:  # curves stay bright
        turned_light = 0.64 if light < 0.5 else 0.78
    turned = colorsys.hls_to_rgb(hue, turned_light, soft)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in turned)


def variables() -> dict[str, tuple[str, str]]:
    """Return the CSS variables of the themed colours: on a light page and on a dark one."""
    return {f"--f{color[1:]}": (color, dark(color)) for color in _themed()}


def inline(figure: Figure, about: str) -> Markup:
    """Return a figure as an SVG element, with a title that screen readers read.

    Args:
        figure: of matplotlib.
        about: what it shows.
    """
    with style():
        body = element(figure, about, transparent=True)
    body = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", body, count=1)
    body = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", body, count=1)
    themed = set(_themed())
    # Only in a style can a colour be a variable.
    body = COLOR.sub(
        lambda found: f"var(--f{found[0][1:]})" if found[0].lower() in themed else found[0],
        ATTRIBUTE.sub(r' style="\1: \2"', body),
    )
    return Markup(body.rstrip())


def picture(made: Picture, about: str) -> Markup:
    """Return one of the drawings as an SVG element."""
    return inline(made.figure(), about)


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
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], across: str, up: str
) -> Figure:
    """Return one curve for each name: places and heights."""
    made, axes = _canvas(across, up)
    for number, (name, (places, heights)) in enumerate(curves.items()):
        axes.plot(places, heights, label=name, **_look(number))
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
