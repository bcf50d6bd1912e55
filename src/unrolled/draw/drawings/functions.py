"""Curves and surfaces of the functions inside a cell."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy

from ...errors import DrawError
from ..axes import dark, spaced
from ..drawing import drawing
from ..palette import BLUE, GREEN, INK, ORANGE, PALE, RED
from ..picture import Picture, animated
from ..type import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import ndarray

    from ..subject import Subject
    from ..words import Words


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + numpy.exp(-x))


CURVES: tuple[tuple[str, Any, Any, str, tuple[float, float]], ...] = (
    ("\\mathrm{tanh}", numpy.tanh, lambda x: 1 - numpy.tanh(x) ** 2, BLUE, (-1, 1)),
    ("\\sigma", sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)), ORANGE, (0, 1)),
)
"""Symbol, function, derivative, colour, limits."""


@drawing(8, "activations", "tanh and σ squashing values; each with its derivative", moves=True)
def activations(subject: Subject) -> Picture:
    """Draw both functions and their derivatives; in the animation a value wanders through them."""
    sweep = [*numpy.linspace(-4, 4, 17), *numpy.linspace(4, -4, 17)[1:-1]]
    picture = animated(_activations, [*sweep, 1.0], 0.16)
    frames = list(picture.frames)
    frames[16] = replace(frames[16], seconds=0.6)
    return replace(picture, frames=frames)


def _activations(at: float) -> Figure:
    made = figure(11, 4.8)
    x = numpy.linspace(-5, 5, 401)
    for axes, curve in zip(made.subplots(1, 2), CURVES, strict=True):
        symbol, function, slope, color, limits = curve
        axes.axhline(0, color=PALE, linewidth=1)
        axes.axvline(0, color=PALE, linewidth=1)
        for limit in limits:
            axes.axhline(limit, color=PALE, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(x, function(x), color=color, linewidth=3.2, label=f"${symbol}(x)$")
        dashed = {"color": INK, "linewidth": 2, "linestyle": (0, (4, 2))}
        axes.plot(x, slope(x), **dashed, label=f"${symbol}'(x)$")
        y = float(function(at))
        axes.plot([at, at, -5], [-1.3, y, y], color=RED, linewidth=1.5)
        axes.plot(at, y, "o", color=RED, markersize=9, zorder=5)
        axes.plot(at, float(slope(at)), "o", color=INK, markersize=6, zorder=5)
        for place, text in (((-4.9, y + 0.05), f"{y:.2f}"), ((at + 0.12, -1.28), f"{at:.1f}")):
            axes.text(*place, text.replace("-", "−"), color=RED, fontsize=14, va="bottom")
        axes.set_xlim(-5, 5)
        axes.set_ylim(-1.3, 1.3)
        axes.set_yticks([-1, 0, 1])
        axes.set_xlabel("$x$")
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
        axes.legend(**above, ncols=2, fontsize=16, handlelength=1.8)
    made.subplots_adjust(left=0.05, right=0.98, bottom=0.13, top=0.88, wspace=0.15)
    return made


START, TIMES = (0.5, 0.02, -0.1), 8


@drawing(9, "squash", "values multiplied by 3 again and again, with and without tanh", moves=True)
def squash(subject: Subject) -> Picture:
    """Draw how values explode without tanh, and stay between -1 and 1 with it."""
    free = numpy.array([[v * 3.0**n for n in range(TIMES + 1)] for v in START])
    held = [numpy.array(START)]
    for _ in range(TIMES):
        held.append(numpy.tanh(3 * held[-1]))
    kept = numpy.array(held).T
    values = {"free": free, "held": kept}
    make = partial(_squash, subject.words, free, kept)
    return animated(make, range(TIMES + 1), 0.5, values)


def _squash(words: Words, free: ndarray, kept: ndarray, upto: int) -> Figure:
    made = figure(11, 4.8)
    panels = (
        (free, words("times 3"), (-800, 3600)),
        (kept, words("times 3, then tanh"), (-1.25, 1.25)),
    )
    for axes, (values, title, span) in zip(made.subplots(1, 2), panels, strict=True):
        now = [float(line[upto]) for line in values]
        places = spaced(now, (span[1] - span[0]) / 14)
        marked = zip(values, (BLUE, GREEN, RED), "osD", places, strict=True)
        for line, color, mark, place in marked:
            axes.plot(range(upto + 1), line[: upto + 1], color=color, marker=mark, markersize=7)
            number = f"{line[upto]:,.2f}".replace("-", "−")
            bold = {"fontsize": 14, "fontweight": "bold"}
            axes.text(upto + 0.25, place, number, color=color, va="center", **bold)
        axes.set_title(title)
        axes.set_xlim(-0.3, TIMES + 2.3)
        axes.set_ylim(*span)
        axes.set_xticks(range(TIMES + 1))
        axes.axhline(0, color=PALE, linewidth=1)
        axes.set_xlabel(words("step"))
    made.subplots_adjust(left=0.07, right=0.98, bottom=0.13, top=0.9, wspace=0.18)
    return made


@drawing(
    25,
    "surface",
    "tanh'(x)·σ(y) over the plane, with the model's own points on it",
    "run text cell",
)
def surface(subject: Subject) -> Picture:
    """Draw the factor by which h_t passes a gradient to c_t: claimed 0 or 1, and as measured."""
    story = subject.numbers.story(400)
    if "o_pre" not in story.values or "c" not in story.values:
        raise DrawError(
            f"surface shows tanh'(c)·σ(o) of a cell with a cell state c and an output gate o: "
            f"{story.graph.name} has none; take a run of lstm"
        )
    x, y = story.values["c"].ravel(), story.values["o_pre"].ravel()
    factor = (1 - numpy.tanh(x) ** 2) * sigmoid(y)
    return Picture(
        lambda: _surface(subject, story.model, x, y, factor),
        values={"x": x, "y": y, "factor": factor},
    )


def _surface(subject: Subject, model: str, x: ndarray, y: ndarray, factor: ndarray) -> Figure:
    made = figure(12, 5.2)
    left, right = made.subplots(1, 2, width_ratios=(1.25, 1))
    wide, high = (min(12.0, max(3.0, float(numpy.quantile(abs(v), 0.97)))) for v in (x, y))
    across, up = numpy.linspace(-wide, wide, 241), numpy.linspace(-high, high, 201)
    heights = (1 - numpy.tanh(across) ** 2)[None, :] * sigmoid(up)[:, None]
    extent = (-wide, wide, -high, high)
    colors = {"cmap": dark(), "vmin": 0, "vmax": 1}
    image = left.imshow(heights, extent=extent, origin="lower", aspect="auto", **colors)
    lines = left.contour(across, up, heights, levels=[0.1, 0.5, 0.9], colors=INK, linewidths=1.1)
    left.scatter(x, y, s=7, color=RED, alpha=0.45, linewidths=0)
    left.set_xlim(-wide, wide)
    left.set_ylim(-high, high)
    left.set_xlabel("$x = c_t$")
    left.set_ylabel("$y$: $o_t = \\sigma(y)$")
    left.set_title("$\\mathrm{tanh}′(x)\\,\\sigma(y)$")
    bar = made.colorbar(image, ax=left, pad=0.02, ticks=[0, 0.1, 0.5, 0.9, 1])
    bar.add_lines(lines)
    _histogram(right, subject, factor)
    beyond = float(((abs(x) > wide) | (abs(y) > high)).mean())
    outside = subject.words("; {share} of the points lie outside").format(share=f"{beyond:.0%}")
    made.text(0.06, 0.015, model + (outside if beyond > 0.005 else ""), fontsize=11)
    made.subplots_adjust(left=0.06, right=0.98, bottom=0.17, top=0.88, wspace=0.12)
    return made


def _normal() -> float:
    """Return the share of tanh'(x)·σ(y) between 0.1 and 0.9 for independent normal x and y."""
    grid = numpy.linspace(-8, 8, 1001)
    density = numpy.exp(-(grid**2) / 2)
    weights = density[:, None] * density
    factor = (1 - numpy.tanh(grid) ** 2)[:, None] * sigmoid(grid)
    return float(weights[(factor > 0.1) & (factor < 0.9)].sum() / weights.sum())


NORMAL = _normal()


def _histogram(axes: Axes, subject: Subject, factor: ndarray) -> None:
    """Draw how often the factor is near 0, near 1 and between: the claim against the model."""
    w = subject.words
    counts, edges = numpy.histogram(factor, bins=40, range=(0, 1))
    share = counts / counts.sum()
    near = (edges[:-1] < 0.0999) | (edges[:-1] >= 0.8999)
    axes.bar(edges[:-1], share, width=0.024, align="edge", color=[RED if n else BLUE for n in near])
    between = float(((factor > 0.1) & (factor < 0.9)).mean())
    axes.set_title(
        f"{w('claim: 0 or 1; between 0.1 and 0.9:')}\n"
        f"{w('this model')} {between:.0%},  $x, y \\sim N(0, 1)$ {NORMAL:.0%}",
        fontsize=13,
    )
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, 1)
    axes.set_xlabel("$\\mathrm{tanh}′(c_t)\\, o_t$")
