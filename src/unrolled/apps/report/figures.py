"""Figures inside a page: charts of a study, and SVG in the page's colours.

Each has a title for who cannot see it.
"""

from __future__ import annotations

import colorsys
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from markupsafe import Markup

from ...draw.contrast import BLACK, WHITE
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
    if light > 0.6:  # grounds of words
        turned_light = min(turned_light, 0.22 if depth > 0.02 else 0.5)
    if color in SERIES and depth > 0.4:  # curves stay bright
        turned_light = 0.64 if light < 0.5 else 0.78
    turned = colorsys.hls_to_rgb(hue, turned_light, soft)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in turned)


def variables() -> dict[str, tuple[str, str]]:
    """Return the CSS variables of the themed colours: on a light page and on a dark one."""
    return {f"--f{color[1:]}": (color, dark(color)) for color in _themed()}


def inline(figure: Figure, about: str, more: str = "") -> Markup:
    """Return a figure as an SVG element, with a title that screen readers read.

    Args:
        figure: of matplotlib.
        about: what it shows, and what can be seen there.
        more: its description; empty: the words in it.
    """
    with style():
        body = element(figure, about, more, transparent=True)
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
    return inline(made.figure(), about, made.about)


def inches(svg: str) -> float:
    """Return how wide an SVG element is, in inches of its own letters' points."""
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    return round(float(box[0].removesuffix('"').split()[2]) / 72, 3)


WHOLE = {"chart": 5.3, "wide": 6.0, "gate": 5.2, "cell": 8.6}
"""Of kinds of figures, how many inches a page of 360 pixels shows without scrolling: the rest of
them shrinks there, as the style sheet says, as far as its letters can be read."""


def scrolls(svg: str, kind: str) -> bool:
    """Return True if a figure is wider than a phone even when it is at its smallest."""
    return inches(svg) > WHOLE.get(kind, 7.4)


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
    """Draw a curve, and a band around it where there are several rows."""
    axes.plot(places, middle, label=name, **_look(number))
    if len(rows) > 1:
        low, high = ([pick(column) for column in zip(*rows, strict=True)] for pick in (min, max))
        color = SERIES[number % len(SERIES)]
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


NOTHING = 1e-290
"""Smaller gradients stand for 0."""


def scientific(value: float) -> str:
    """Return a small number in two digits.

    >>> scientific(3.2e-31), scientific(0.25), scientific(1e-299)
    ('3.2·10⁻³¹', '0.25', '0')
    """
    if math.isnan(value):
        return "?"
    if not math.isfinite(value):
        return "∞"
    if value < NOTHING:
        return "0"
    if 0.01 <= value < 1000 or value == 0:
        return f"{value:.2g}"
    digits, _, power = f"{value:.1e}".partition("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}·10{raised}"
