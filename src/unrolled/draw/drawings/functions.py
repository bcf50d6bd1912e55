"""Curves and surfaces of the functions inside a cell."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy

from ...display import number
from ...errors import DrawError
from ...graph.operation import Operation
from ...printing.latex import symbol
from ..drawing import drawing
from ..palette import BLUE, GREEN, GREY, INK, ORANGE, PALE, RED
from ..picture import Picture, animated
from ..plots import BEHIND, darker, spaced
from ..scale import dark
from ..timeline import joined, read, span
from ..type import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import ndarray

    from ...graph.graph import Graph
    from ..subject import Story, Subject
    from ..words import Words


def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x)), also where exp(-x) is beyond all numbers."""
    return (1 + numpy.tanh(x / 2)) / 2


BROWN = darker(ORANGE)
MARK = darker(RED)
CURVES: tuple[tuple[str, Any, Any, str, tuple[float, float]], ...] = (
    ("\\mathrm{tanh}", numpy.tanh, lambda x: 1 - numpy.tanh(x) ** 2, BLUE, (-1, 1)),
    ("\\sigma", sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)), BROWN, (0, 1)),
)
"""Symbol, function, derivative, colour, limits."""


@drawing(8, "activations", "tanh and σ squashing values; each with its derivative", moves=True)
def activations(subject: Subject) -> Picture:
    """Draw both functions and their derivatives; in the animation a value wanders through them."""
    turn = numpy.linspace(0, 2 * numpy.pi, 37)
    sweep = 1 + numpy.where(numpy.sin(turn) > 0, 3, 5) * numpy.sin(turn)  # to 4, to -4, to 1
    return animated(_activations, sweep.round(1).tolist(), 0.13)


def _activations(at: float) -> Figure:
    made = figure(11, 4.8)
    x = numpy.linspace(-5, 5, 401)
    for axes, curve in zip(made.subplots(1, 2), CURVES, strict=True):
        symbol, function, slope, color, limits = curve
        axes.axhline(0, color=PALE, linewidth=1)
        axes.axvline(0, color=PALE, linewidth=1)
        for limit in limits:
            axes.axhline(limit, color=PALE, linewidth=1, linestyle=(0, (4, 3)))
        y, rise = float(function(at)), float(slope(at))
        written = f"$x =$ {at:.1f}".replace("-", "−")
        values = (f"{value:.2f}".replace("-", "−") for value in (y, rise))
        names = f"{symbol}(x)", f"{symbol}'(x)"
        said = (f"${name} =$ {value}" for name, value in zip(names, values, strict=True))
        axes.plot(x, function(x), color=color, linewidth=3.2, label=next(said))
        dashed = {"color": INK, "linewidth": 2, "linestyle": (0, (4, 2))}
        axes.plot(x, slope(x), **dashed, label=next(said))
        axes.plot([at, at, -5], [-1.3, y, y], color=MARK, linewidth=1.5)
        axes.plot(at, y, "o", color=MARK, markersize=9, zorder=5)
        axes.plot(at, rise, "o", color=INK, markersize=6, zorder=5)
        side = ("left", 0.12) if at < 3 else ("right", -0.12)
        place = {"va": "bottom", "ha": side[0]}
        axes.text(at + side[1], -1.28, written, color=MARK, fontsize=14, **place)
        axes.set_xlim(-5, 5)
        axes.set_ylim(-1.3, 1.3)
        axes.set_yticks([-1, 0, 1])
        axes.set_xlabel("$x$")
        above = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)}
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
    between = [n + part for n in range(TIMES) for part in STAYS]
    return animated(make, [*between, TIMES], 0.15, values)


def _squash(words: Words, free: ndarray, kept: ndarray, upto: float) -> Figure:
    """Draw the values up to a step; on their way to the next, a line without mark or number."""
    made = figure(11, 5.6)
    panels = ((free, words("times 3")), (kept, words("times 3, then tanh")))
    grid = made.subplots(1, 2, sharey=True)
    for axes, (values, title) in zip(grid, panels, strict=True):
        axes.set_yscale("symlog", linthresh=LINEAR)
        axes.set_ylim(-20_000, 20_000)
        axes.set_yticks(TICKS, [f"{tick:,g}".replace("-", "−") for tick in TICKS])
        axes.minorticks_off()
        axes.grid(axis="y", linewidth=0.6)
        axes.axhline(0, color=GREY, linewidth=1)
        lines = [_until(line, upto) for line in values]
        heights = spaced([_height(line[-1]) for line in lines], 0.7)
        for start, line, color, mark, height in zip(
            START, lines, (BLUE, GREEN, RED), "osD", heights, strict=True
        ):
            steps = [*range(int(upto) + 1), upto][: len(line)]
            label = f"{start:g}".replace("-", "−")
            marks = {"marker": mark, "markersize": 7, "markevery": slice(int(upto) + 1)}
            axes.plot(steps, line, color=color, label=label, **marks)
            if upto != int(upto):
                continue
            bold = {"fontsize": 14, "fontweight": "bold", "color": darker(color), "bbox": BEHIND}
            place = (upto + 0.3, numpy.sign(height) * LINEAR * 10 ** (abs(height) - 1))
            axes.text(*place, _number(line[int(upto)]), va="center", **bold)
        axes.set_title(title)
        axes.set_xlim(-0.3, TIMES + 2.7)
        axes.set_xticks(range(TIMES + 1))
        axes.set_xlabel(words("step"))
    grid[0].set_ylabel(words("value, symmetric logarithmic axis"), fontsize=13)
    grid[0].legend(title=words("start"), loc="lower left", fontsize=13, title_fontsize=13)
    made.subplots_adjust(left=0.125, right=0.985, bottom=0.12, top=0.92, wspace=0.05)
    return made


STAYS = (0, 0, 0, 1 / 3, 2 / 3)
"""From one step to the next: its numbers stand, then the lines go on."""
LINEAR = 0.01
"""Up to this the axis of values is even, beyond it logarithmic."""
TICKS = (-10_000, -1000, -100, -10, -1, -0.1, 0, 0.1, 1, 10, 100, 1000, 10_000)


def _height(value: float) -> float:
    """Return where a value of at least `LINEAR` stands on the axis, in powers of ten."""
    return float(numpy.sign(value) * (1 + numpy.log10(abs(value) / LINEAR)))


def _until(line: ndarray, upto: float) -> list[float]:
    """Return values up to a step; one between two steps is on its way by equal factors."""
    whole, part = int(upto), upto - int(upto)
    found = line[: whole + 1].tolist()
    if part:
        ratio = abs(line[whole + 1] / line[whole])
        found.append(float(line[whole] * ratio**part))
    return found


def _number(value: float) -> str:
    """Return a value with about four digits."""
    digits = 1 if abs(value) >= 1000 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}".replace("-", "−")


@drawing(
    25,
    "surface",
    "tanh'(x)·σ(y) over the plane, with the model's own points on it",
    "run text cell",
    cells="c, an output gate o and h = o·tanh(c)",
)
def surface(subject: Subject) -> Picture:
    """Draw the factor by which h_t passes a gradient to c_t: claimed 0 or 1, and as measured."""
    story = subject.numbers.story(400)
    state, gate = _readout(story.graph)
    x, y = story.values[state].ravel(), story.values[f"{gate}_pre"].ravel()
    factor = (1 - numpy.tanh(x) ** 2) * sigmoid(y)
    return Picture(
        lambda: _surface(subject.words, story, (state, gate), x, y),
        values={"x": x, "y": y, "factor": factor, "shares": shares_of(factor)},
    )


def _readout(graph: Graph) -> tuple[str, str]:
    """Return the state and the gate of σ(y) · tanh(state).

    Raises:
        DrawError: the cell has no such product.
    """
    states = {graph.values[state]: state for state in graph.states}
    for node in graph.order:
        kinds = {argument.operation: argument for argument in node.arguments}
        if node.operation is not Operation.MUL or set(kinds) != {Operation.SIGMOID, Operation.TANH}:
            continue
        inside, gate = kinds[Operation.TANH].arguments[0], kinds[Operation.SIGMOID]
        if inside in states and gate in graph.names:
            return states[inside], graph.names[gate]
    raise DrawError(
        f"surface shows tanh'(c)·σ(o) of a cell with a cell state c and an output gate o whose "
        f"output is o·tanh(c): {graph.name} has none; take a run of lstm"
    )


def shares_of(factor: ndarray, weights: ndarray | None = None) -> ndarray:
    """Return which shares of factors are below 0.1, between, and above 0.9, (3,)."""
    weights = numpy.ones_like(factor) if weights is None else weights
    low, high = factor < 0.1, factor > 0.9
    parts = numpy.array([weights[low].sum(), weights[~low & ~high].sum(), weights[high].sum()])
    return parts / weights.sum()


def _normal() -> ndarray:
    """Return these shares of tanh'(x)·σ(y) for independent x and y ~ N(0, 1)."""
    grid = numpy.linspace(-8, 8, 1001)
    density = numpy.exp(-(grid**2) / 2)
    factor = (1 - numpy.tanh(grid) ** 2)[:, None] * sigmoid(grid)
    return shares_of(factor, density[:, None] * density)


NORMAL = _normal()
DOTS = 250
"""Points that are drawn, of all that there are: more would hide the surface."""


def _surface(words: Words, story: Story, names: tuple[str, str], x: ndarray, y: ndarray) -> Figure:
    made = figure(12, 5.8)
    left, right = made.subplots(1, 2, width_ratios=(1.2, 1))
    state, gate = (symbol(name, "t") for name in names)
    high = max(4.0, float(abs(y).max()) * 1.05)
    wide = max(4.0, float(abs(x).max()) * 1.05)
    across, up = (
        numpy.sinh(numpy.linspace(-1, 1, 321) * numpy.arcsinh(wide)),
        numpy.linspace(-high, high, 161),
    )
    heights = (1 - numpy.tanh(across) ** 2)[None, :] * sigmoid(up)[:, None]
    image = left.pcolormesh(
        across, up, heights, cmap=dark(), vmin=0, vmax=1, shading="nearest", rasterized=True
    )
    lines = left.contour(across, up, heights, levels=[0.1, 0.5, 0.9], colors=INK, linewidths=1.1)
    chosen = numpy.random.default_rng(0).permutation(len(x))[:DOTS]
    dots = {"s": 13, "color": RED, "edgecolors": "white", "linewidths": 0.5, "zorder": 3}
    left.scatter(x[chosen], y[chosen], **dots)
    left.set_xscale("asinh", linear_width=1)
    marks = [v for v in (-100, -10, -3, -1, 0, 1, 3, 10, 100) if abs(v) <= wide]
    left.set_xticks(marks, [number(v) for v in marks])
    left.minorticks_off()
    left.yaxis.get_major_locator().set_params(integer=True, nbins=5)
    left.set_xlim(-wide, wide)
    left.set_ylim(-high, high)
    left.set_xlabel(f"$x = {state}$")
    left.set_ylabel(f"$y$,  ${gate} = \\sigma(y)$", labelpad=2)
    left.set_title("$\\mathrm{tanh}′(x)\\,\\sigma(y)$", fontsize=16)
    bar = made.colorbar(image, ax=left, pad=0.02, ticks=[0, 0.1, 0.5, 0.9, 1])
    bar.ax.set_yticklabels(["0", "0.1", "0.5", "0.9", "1"])
    bar.add_lines(lines)
    factor = (1 - numpy.tanh(x) ** 2) * sigmoid(y)
    _shares(right, words, shares_of(factor), f"$\\mathrm{{tanh}}′({state})\\,{gate}$")
    steps = span(words, story.start + 1, len(story.tokens), story.total)
    shown = words("dots: {some} of {all} points").format(some=len(chosen), all=f"{len(x):,}")
    made.text(0.08, 0.02, joined(words, story.model, steps, shown), fontsize=12)
    made.text(0.08, 0.065, read(words, story.tokens), fontsize=12)
    made.subplots_adjust(left=0.08, right=0.985, bottom=0.21, top=0.87, wspace=0.1)
    return made


def _percent(share: float) -> str:
    """Return a share in percent; what is little is not called nothing."""
    return "< 1 %" if 0 < share < 0.005 else f"{100 * share:.0f} %"


def _shares(axes: Axes, words: Words, shares: ndarray, name: str) -> None:
    """Draw how many factors are near 0, near 1 and between: the claim, and what is measured."""
    places = numpy.arange(3)
    normal = words("independent $x, y \\sim N(0, 1)$")
    solid: dict[str, Any] = {"color": BLUE}
    hatched: dict[str, Any] = {"facecolor": "white", "edgecolor": INK, "hatch": "///"}
    for shift, heights, look, label in (
        (-0.2, shares, solid, words("this model")),
        (0.2, NORMAL, hatched, normal),
    ):
        drawn = axes.bar(places + shift, heights, 0.38, label=label, **look)
        axes.bar_label(drawn, list(map(_percent, heights)), fontsize=13, padding=2)
    axes.set_xticks(places, ["< 0.1", "0.1 – 0.9", "> 0.9"], fontsize=14)
    axes.set_ylim(0, 1.25)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.legend(fontsize=13, loc="upper right")
    axes.set_xlabel(name)
    said = words(
        "often said: this factor is 0 or 1\nhere {share} of its values are neither (0.1 to 0.9)"
    )
    axes.set_title(said.format(share=_percent(shares[1])), fontsize=14, linespacing=1.4)
