"""Charts of recorded values: arrays in, a picture out.

They take what `unrolled.record` and `unrolled.gradient_flow` give, or any arrays of these shapes.
A notebook shows the picture; its `save` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from ..errors import DrawError
from ..printing.latex import symbol
from . import axes as pieces
from .notice import say
from .picture import Picture
from .type import figure
from .words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import ndarray

MOST = 120
"""Steps that fit side by side with their characters readable."""
FLOOR = 1e-12
"""Gradients below this are not told apart in a picture."""
WIDTH = 60
"""Characters in a line of coloured text."""
MOST_LINES = 30


def gates(
    values: Mapping[str, Any], tokens: Sequence[str], title: str = "", language: str = "en"
) -> Picture:
    """Draw gates and states over time: a heat map each, the characters along the axis.

    Units are sorted by their mean. What is never negative is coloured from 0 to 1, the rest from
    minus its greatest size to plus that.

    Args:
        values: by name, arrays or tensors (T, H); more than `MOST` steps are cut to the last ones,
            and it is said.
        tokens: T characters or words.
        title: over the whole.
        language: of the labels: en or zh.

    Raises:
        DrawError: for shapes that do not fit together, or nothing to draw.

    >>> import torch, unrolled
    >>> from unrolled.draw import charts
    >>> layer = unrolled.LSTM(3, 5)
    >>> with unrolled.record(layer) as recording:
    ...     _ = layer(torch.randn(4, 1, 3))
    >>> shown = {name: recording[f"l0.{name}"][:, 0] for name in ("f", "c")}
    >>> picture = charts.gates(shown, "four")
    >>> picture.values["f"].shape
    (4, 5)
    """
    Words(language)
    arrays = _arrays("gates", values, "nothing")
    for name, array in arrays.items():
        if len(array) != len(tokens):
            raise DrawError(
                f"gates: {name} has {len(array)} steps, but there are {len(tokens)} characters"
            )
    start = _start(len(tokens), MOST)
    arrays = {name: array[start:] for name, array in arrays.items()}
    return Picture(lambda: _gates(arrays, tokens[start:], title), values=dict(arrays))


def spectrum(values: Any, name: str = "f", title: str = "", language: str = "en") -> Picture:
    """Draw a gate's mean for every unit, sorted, and where 80 % of the steps lie.

    Args:
        values: (T, H), of a forget or update gate.
        name: what the gate is called.
        title: what the numbers are from.
        language: of the labels: en or zh.

    Raises:
        DrawError: for an array of another shape.

    >>> import numpy
    >>> from unrolled.draw import charts
    >>> charts.spectrum(numpy.full((9, 4), 0.5)).values["f"].shape
    (9, 4)
    """
    words, array = Words(language), _array("spectrum", name, values, 2)
    return Picture(lambda: _spectrum(array, name, title, words), values={name: array})


def distance(curves: Mapping[str, Any], language: str = "en") -> Picture:
    """Draw gradients against distance, several models side by side.

    Args:
        curves: by name of the model, (K + 1,): the size of dh_T/dh_{T-k} for k = 0, 1, ... as
            `GradientFlow.distance` gives it. A curve ends where it falls below `FLOOR`.
        language: of the labels: en or zh.

    Raises:
        DrawError: for an array of another shape, or without a number above `FLOOR`.

    >>> from unrolled.draw import charts
    >>> picture = charts.distance({"lstm": [1, 0.9, 0.8], "rnn": [1, 0.5, 0.25]})
    >>> sorted(picture.values)
    ['lstm', 'rnn']
    """
    words, found = Words(language), curves_of(curves)
    return Picture(lambda: faded(found, words), values=dict(found))


def saturation(values: Mapping[str, Any], title: str = "", language: str = "en") -> Picture:
    """Draw how often each unit of each gate is nearly closed (below 0.1) or open (above 0.9).

    Args:
        values: by name, gates (T, H).
        title: what the numbers are from.
        language: of the labels: en or zh.

    Raises:
        DrawError: for an array of another shape, or none.

    >>> import numpy
    >>> from unrolled.draw import charts
    >>> picture = charts.saturation({"f": numpy.linspace(0, 1, 20).reshape(10, 2)})
    >>> picture.values["f"].shape
    (10, 2)
    """
    words = Words(language)
    arrays = _arrays("saturation", values, "no gate")
    return Picture(lambda: _saturation(arrays, title, words), values=dict(arrays))


def text(tokens: Sequence[str], values: Any, title: str = "", language: str = "en") -> Picture:
    """Draw a text, every character on the colour of its value: dark is negative, light positive.

    Args:
        tokens: T characters; more than fit are cut to the last ones, and it is said.
        values: (T,): one number for each, coloured relative to the greatest.
        title: over the text.
        language: of the labels: en or zh.

    Raises:
        DrawError: for shapes that do not fit together.

    >>> from unrolled.draw import charts
    >>> charts.text("abc", [0.1, -0.2, 0.3]).values["text"]
    array([ 0.1, -0.2,  0.3])
    """
    words, array = Words(language), _array("text", "values", values, 1)
    if len(array) != len(tokens):
        raise DrawError(f"text: {len(tokens)} characters, but {len(array)} values")
    start = _start(len(tokens), WIDTH * MOST_LINES)
    shown = array[start:]
    return Picture(lambda: _text(tokens[start:], shown, title, words), values={"text": shown})


# What is given.


def _array(chart: str, name: str, value: Any, dimensions: int) -> ndarray:
    """Return a tensor or array as an array of float64, of so many dimensions."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        array = numpy.asarray(value, dtype=float)
    except (TypeError, ValueError) as error:
        raise DrawError(f"{chart}: {name} is not an array of numbers: {error}") from error
    if array.ndim != dimensions or array.size == 0:
        shape = "(T, H): one row for each step" if dimensions == 2 else "(T,)"
        raise DrawError(f"{chart}: {name} should have the shape {shape}, got {array.shape}")
    return array


def _arrays(chart: str, values: Mapping[str, Any], none: str) -> dict[str, ndarray]:
    """Return arrays (T, H); `none` says what is missing if there are none."""
    if not values:
        raise DrawError(f"{chart}: there is {none} to draw")
    return {name: _array(chart, name, value, 2) for name, value in values.items()}


def _start(steps: int, limit: int) -> int:
    """Return the first step that is shown."""
    if steps > limit:
        say(f"the text has {steps} characters: the drawing shows the last {limit}")
    return max(0, steps - limit)


def curves_of(curves: Mapping[str, Any]) -> dict[str, ndarray]:
    """Return curves up to where they fall below what is told apart.

    Raises:
        DrawError: for an array of another shape, or nothing to draw.
    """
    if not curves:
        raise DrawError("distance: there is no curve to draw")
    found = {}
    for name, sizes in curves.items():
        array = _array("distance", name, sizes, 1)
        low = numpy.flatnonzero(~(array >= FLOOR))
        found[name] = array[: low[0]] if len(low) else array
        if len(found[name]) == 0:
            raise DrawError(f"distance: {name} begins with {array[0]}: nothing can be seen of it")
    return found


def label(name: str) -> str:
    """Return a value's name as a formula, where it can be one.

    >>> label("m_new"), label("layer 1")
    ('$m^{\\\\mathrm{new}}_t$', 'layer 1')
    """
    return f"${symbol(name, 't')}$" if name.isidentifier() else name.replace("$", "\\$")


# Figures.


def _gates(arrays: Mapping[str, ndarray], tokens: Sequence[str], title: str) -> Figure:
    made = figure(12.0, 1.2 + 1.5 * len(arrays))
    grid = made.subplots(len(arrays), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values) in zip(grid, arrays.items(), strict=True):
        _panel(made, axes, label(name), values)
    pieces.letters(grid[-1], tokens)
    made.suptitle(title, x=0.06, ha="left", fontsize=14)
    height = made.get_figheight()
    made.subplots_adjust(
        left=0.06, right=0.985, top=1 - 0.6 / height, bottom=0.5 / height, hspace=0.12
    )
    return made


def _panel(made: Figure, axes: Axes, name: str, values: ndarray) -> None:
    signed = bool((values < 0).any())
    scale = max(1.0, float(numpy.nanmax(numpy.abs(values)))) if signed else 1.0
    image = pieces.heat(axes, pieces.by_mean(values) / scale, name, signed)
    bar = made.colorbar(image, ax=axes, pad=0.012, aspect=9, fraction=0.03, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(length=0, labelsize=10)
    if signed:
        ends = [f"{v * scale:.2g}".replace("-", "−") for v in (-1, 0, 1)]
        bar.set_ticks([-1, 0, 1], labels=ends)


def _spectrum(values: ndarray, name: str, title: str, words: Words) -> Figure:
    made = figure(9, 5)
    axes = made.subplots()
    pieces.spectrum(axes, values)
    said = words("mean of every unit, and where 80 % of steps lie")
    axes.set_title(f"{label(name)}: {said}", fontsize=14)
    axes.set_xlabel(f"{words('units, sorted')}        {title}", fontsize=12)
    made.subplots_adjust(left=0.07, right=0.98, bottom=0.13, top=0.9)
    return made


def faded(curves: Mapping[str, ndarray], words: Words, upto: int | None = None) -> Figure:
    """Draw the curves of `distance`, up to a number of steps back."""
    made = figure(11, 5.6)
    axes = made.subplots()
    longest = max(len(sizes) for sizes in curves.values()) - 1
    low, high = (pick(pick(each) for each in curves.values()) for pick in (min, max))
    axes.set_yscale("log")
    axes.set_ylim(max(FLOOR, low) / 3, high * 3)
    pieces.fading(axes, list(curves.items()), upto)
    axes.set_xlabel(words("steps back") + " $k$")
    said = words("relative to that at $k = 0$")
    axes.set_title(f"$\\|\\partial h_T / \\partial h_{{T-k}}\\|$, {said}", pad=16)
    # Time runs to the right, so the way back runs to the left; names stand left of the ends.
    step = max(1, round(longest / 6, -1) if longest > 30 else round(longest / 6))
    axes.set_xticks(numpy.arange(0, longest + 1, step))
    axes.set_xlim(longest * 1.32 + 0.5, -longest * 0.02)
    axes.yaxis.tick_right()
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)
    made.subplots_adjust(left=0.03, right=0.92, bottom=0.13, top=0.9)
    return made


def _saturation(arrays: Mapping[str, ndarray], title: str, words: Words) -> Figure:
    made = figure(6.6, 7)
    axes = made.subplots()
    points = {label(n): ((v < 0.1).mean(0), (v > 0.9).mean(0)) for n, v in arrays.items()}
    pieces.saturation(axes, points)
    axes.set_xlabel(words("share of steps below 0.1: closed"))
    axes.set_ylabel(words("share of steps above 0.9: open"))
    axes.set_title(title, fontsize=13)
    made.subplots_adjust(left=0.13, right=0.97, bottom=0.1, top=0.93)
    return made


def _text(tokens: Sequence[str], values: ndarray, title: str, words: Words) -> Figure:
    scale = max(1e-9, float(numpy.nanmax(numpy.abs(values))))
    made = figure(12, 0.7 + 0.38 * -(-len(values) // WIDTH))
    axes = made.subplots()
    pieces.colored_text(axes, tokens, values / scale, WIDTH)
    said = words("from {low} (dark) to {high} (light)")
    ends = {"low": f"−{scale:.2f}", "high": f"{scale:.2f}"}
    axes.set_title(f"{title + ', ' if title else ''}{said.format(**ends)}", fontsize=12)
    made.subplots_adjust(left=0.01, right=0.99, bottom=0.02, top=1 - 0.5 / made.get_figheight())
    return made
