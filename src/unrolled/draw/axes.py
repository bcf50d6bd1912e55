"""Pieces of charts: arrays drawn into the axes of a figure."""

from __future__ import annotations

from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from ..printable import printable
from .contrast import READABLE, contrast, ink_on
from .palette import BLUE, DASHES, PALE, SERIES
from .type import MONOSPACE
from .words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from numpy import ndarray

COLORS = "cividis"
"""From dark blue to light yellow: everyone can tell it apart, in grey as well."""

GREY = "#5a6673"
"""Of what is said aside; readable on white."""


def letters(axes: Axes, tokens: Sequence[str], start: int = 0) -> None:
    """Write characters or words along the axis of time, and below some the number of their step.

    Args:
        axes: of a figure that is filled to its edges, about.
        tokens: that are shown.
        start: how many steps of the sequence come before them.
    """
    texts = [visible(token) for token in tokens]
    numbers = step_numbers(start, len(texts))
    wide = axes.figure.get_figwidth()  # pyright: ignore[reportAttributeAccessIssue]
    pitch = wide * 72 * 0.88 / len(texts)
    longest = max(len(text.replace("\\$", "$")) for text in texts)
    size = min(12.0, pitch / 0.62 / longest)
    if size < 8 and longest > 1:  # words that do not fit beside each other
        labels = [f"{text} {start + n + 1}" for n, text in enumerate(texts)]
        axes.set_xticks(range(len(texts)), labels, rotation=90)
        axes.tick_params(axis="x", length=0, pad=5)
        size = min(12.0, max(7.0, pitch * 0.9))
    else:
        axes.set_xticks(range(len(texts)), texts, va="baseline")
        axes.set_xticks(list(numbers), list(numbers.values()), minor=True, va="baseline")
        axes.xaxis.remove_overlapping_locs = False
        axes.tick_params(axis="x", length=0, pad=16)
        axes.tick_params(axis="x", which="minor", length=0, pad=30)
    for label in axes.get_xticklabels(which="both"):
        label.set_fontfamily([MONOSPACE])
        label.set_fontsize(size)


BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 1}
"""Of a text over lines of a grid."""


def step_numbers(start: int, count: int) -> dict[int, str]:
    """Return by place the numbers of the steps that are named, the first step being 1.

    >>> step_numbers(17, 13)
    {0: '18', 2: '20', 7: '25', 12: '30'}
    """
    every = 1 if count <= 12 else 5 if count <= 60 else 10
    found = {n: str(start + n + 1) for n in range(count) if (start + n + 1) % every == 0}
    if min(found, default=count) > 1:
        found[0] = str(start + 1)
    return dict(sorted(found.items()))


def joined(words: Words, *parts: str) -> str:
    """Return what is said side by side, without what is empty.

    >>> joined(Words(), "lstm", "", "9 steps")
    'lstm; 9 steps'
    """
    return words("; ").join(filter(None, parts))


def span(words: Words, first: int, count: int, total: int) -> str:
    """Return which steps of a sequence are shown, in words.

    Args:
        words: of a language.
        first: the number of the first one, from 1.
        count: how many are shown.
        total: how many there are.

    >>> span(Words(), 24, 31, 54), span(Words(), 1, 9, 9)
    ('steps 24 to 54 of 54', '9 steps')
    """
    if count >= total:
        return words("1 step") if total == 1 else words("{count} steps").format(count=total)
    if count == 1:
        return words("step {first} of {total}").format(first=first, total=total)
    said = words("steps {first} to {last} of {total}")
    return said.format(first=first, last=first + count - 1, total=total)


def read(words: Words, tokens: Sequence[str]) -> str:
    """Return how a text begins, for a picture in which it is not seen.

    >>> read(Words(), "to be or not"), read(Words(), "to be or not to be, that is the question")
    ('text: “to be or not”', 'text: “to be or not to be, tha…”')
    """
    start, cut = plain("".join(tokens[:BEGINNING])), len(tokens) > BEGINNING
    return words("text: “{start}”").format(start=start.rstrip() + "…" if cut else start)


BEGINNING = 23
"""Characters of a text that name it."""


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
    """Return the order of units (H,) of values (T, H) in which their means fall."""
    return numpy.argsort(-values.mean(0), kind="stable")


class Scale(NamedTuple):
    """Colours of numbers: fractions from 0 to 1 on one map, everything else on another.

    Attributes:
        top: the greatest size.
        is_fraction: whether the values are from 0 to 1.
    """

    top: float
    is_fraction: bool

    @classmethod
    def of(cls, *arrays: ndarray) -> Scale:
        """Return one scale for some arrays; that of numbers with signs is the same on both sides of
        0.
        """
        low = min(float(numpy.nanmin(array)) for array in arrays)
        high = max(float(numpy.nanmax(array)) for array in arrays)
        is_fraction = low >= 0 and high <= 1
        return cls(1.0 if is_fraction else max(abs(low), abs(high)), is_fraction)

    @property
    def look(self) -> dict[str, Any]:
        """How matplotlib draws an image; beyond ±1, colours follow the logarithm, so that most
        units are not grey because some are large.
        """
        from matplotlib.colors import AsinhNorm, Normalize

        if self.is_fraction:
            return {"cmap": dark(), "norm": Normalize(0, 1)}
        kind = AsinhNorm if self.top > 2 else Normalize
        return {"cmap": COLORS, "norm": kind(vmin=-self.top, vmax=self.top)}

    @property
    def ticks(self) -> dict[float, str]:
        """What is written at the scale, by the value."""
        if self.is_fraction:
            return {0.0: "0", 0.5: "0.5", 1.0: "1"}
        found = {value: signed(value) for value in (-self.top, 0.0, self.top)}
        middle = 3.0 if self.top > 10 else 1.0
        between = {value: signed(value) for value in (-middle, middle)}
        return found | (between if self.top > 4 else {})


def signed(value: float) -> str:
    """Return a number in short, with a true minus sign.

    >>> signed(-18.23), signed(0.0)
    ('−18', '0')
    """
    return f"{value:.2g}".replace("-", "−")


def heat(axes: Axes, values: ndarray, name: str, scale: Scale) -> Any:
    """Draw units (rows) over steps (columns)."""
    image = axes.imshow(values.T, aspect="auto", **scale.look)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=14, fontsize=17)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return image


def fading(
    axes: Axes,
    curves: Sequence[tuple[str, ndarray]],
    stopped: Mapping[str, str] = MappingProxyType({}),
    upto: int | None = None,
) -> None:
    """Draw gradient sizes against steps back, one curve for each model, named at its end.

    Args:
        axes: with their limits set and a logarithmic scale upwards.
        curves: names and sizes, each from 0 steps back on.
        stopped: names of those that go on "low", below what can be told: they end in a triangle;
            "lost", with what is no finite number: in a cross.
        upto: the last step back that is shown.
    """
    ends = []
    for number, (name, sizes) in enumerate(curves):
        shown = sizes if upto is None else sizes[: upto + 1]
        places = numpy.arange(len(shown))
        color, dashes = SERIES[number % len(SERIES)], DASHES[number % len(DASHES)]
        axes.plot(places, shown, color=color, linestyle=dashes, linewidth=2.8)
        is_end = places[-1] == len(sizes) - 1 and name in stopped
        mark = {"low": "v", "lost": "X"}[stopped[name]] if is_end else "o"
        axes.plot(places[-1], shown[-1], mark, color=color, markersize=8)
        ends.append((float(shown[-1]), float(places[-1]), name, color))
    axes.grid(axis="y", linewidth=0.6)
    floor, ceiling = numpy.log10(axes.get_ylim())
    falling = spaced([-float(numpy.log10(end[0])) for end in ends], float(ceiling - floor) / 15)
    bold: dict[str, Any] = {"va": "center", "ha": "right", "fontsize": 13, "fontweight": "bold"}
    bold["bbox"] = BEHIND
    longest = max(len(sizes) for _, sizes in curves) - 1
    for (_, step, name, color), fallen in zip(ends, falling, strict=True):
        color = darker(color)
        axes.text(step + longest * 0.018 + 0.05, 10.0**-fallen, name, color=color, **bold)


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


def saturation(axes: Axes, points: Mapping[str, tuple[ndarray, ndarray]], always: str = "") -> None:
    """Draw, for every unit of some gates, how often it is nearly closed and nearly open.

    Args:
        axes: to draw into.
        points: by name, two arrays (H,): the shares of steps below 0.1 and above 0.9.
        always: what is written along the line on which both add up to 1.
    """
    marks = "osD^v"
    for number, (name, (closed, opened)) in enumerate(points.items()):
        axes.scatter(
            closed, opened, s=46, alpha=0.75, label=name, color=SERIES[number % len(SERIES)],
            marker=marks[number % len(marks)], edgecolors="white", linewidths=0.6, zorder=3,
        )  # fmt: skip
    axes.plot([0, 1], [1, 0], color=PALE, linewidth=1.2, zorder=0)
    axes.text(0.52, 0.52, always, color=GREY, fontsize=12, rotation=-45, ha="center", va="center")
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.legend(loc="upper right", fontsize=13)


def spectrum(axes: Axes, factors: ndarray) -> None:
    """Draw the mean factor of every unit, in falling order, and the span of 80 % of its steps."""
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
        axes.text(
            x + 0.5, y + 0.5, visible(token), ha="center", va="center", color=ink_on(fill),
            fontsize=14, family=MONOSPACE,
        )  # fmt: skip
    for row in range(rows if rows > 1 or start else 0):
        number = str(start + row * width + 1)
        axes.text(-0.4, 0.5 - row, number, ha="right", va="center", fontsize=11, color=GREY)
    axes.set_xlim(-0.3, width)
    axes.set_ylim(1 - rows, 1)
    axes.axis("off")


def triangle(axes: Axes, shares: ndarray, tokens: Sequence[str], upto: int, start: int = 0) -> None:
    """Draw how much of each input (columns) is in the state after each step (rows), as shares.

    Args:
        axes: to draw into.
        shares: (T, T).
        tokens: T of them.
        upto: the last row that is shown.
        start: how many steps of the sequence come before these.
    """
    from matplotlib.colors import PowerNorm

    rows = numpy.arange(len(shares))[:, None]
    shown = numpy.ma.masked_where(~numpy.tri(len(shares), dtype=bool) | (rows > upto), shares)
    image = axes.imshow(shown, cmap=dark(), norm=PowerNorm(0.5, 0, 1), aspect="auto")
    inset = axes.inset_axes((0.66, 0.9, 0.3, 0.022))
    bar = axes.figure.colorbar(image, cax=inset, orientation="horizontal", ticks=[0, 0.1, 0.5, 1])
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


def dark() -> Any:
    """Return colours from white to a deep blue, evenly, so that they can be read in grey."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("dark", ["#f4f7fa", "#9cc9e6", BLUE, "#08264a"])


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
