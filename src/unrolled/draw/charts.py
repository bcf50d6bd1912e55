"""Charts of recorded values: arrays in, a picture out.

They take what `unrolled.record` and `unrolled.gradient_flow` give, or any arrays of these shapes.
A notebook shows the picture; its `save` writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from ..display import number
from ..errors import DrawError
from ..printing.latex import symbol
from ..printing.unicode import readable
from . import plots, timeline
from .notice import say
from .picture import Picture
from .scale import SIGNS, Scale, heat, unfinite
from .type import figure
from .words import Words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy import ndarray

MOST = 120
"""Steps that fit side by side with their characters readable."""
WIDTH = 60
"""Characters in a line of coloured text."""
MOST_LINES = 30


def gates(
    values: Mapping[str, Any],
    tokens: Sequence[str],
    title: str = "",
    language: str = "en",
    *,
    first: int = 1,
    total: int | None = None,
) -> Picture:
    """Draw gates and states over time: a heat map each, the characters along the axis.

    A row is the same unit in every panel of as many units: they are in the order of the mean of
    the gate f, else z, else of what is first. What lies between 0 and 1 is coloured on that scale,
    the rest from minus its greatest size to plus that.

    Args:
        values: by name, arrays or tensors (T, H); more than `MOST` steps are cut to the last ones,
            and it is said.
        tokens: T characters or words.
        title: over the whole.
        language: of the labels: en or zh.
        first: the number that the first step has in a longer sequence.
        total: how many steps that sequence has; without, it ends with these.

    Raises:
        DrawError: for shapes that do not fit together, nothing to draw, or steps that a sequence
            of `total` steps does not have.

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
    words = Words(language)
    arrays = _arrays("gates", values, "nothing")
    for name, array in arrays.items():
        if len(array) != len(tokens):
            raise DrawError(
                f"gates: {name} has {len(array)} steps, but there are {len(tokens)} characters"
            )
    start = _start("gates", len(tokens), MOST, first, total)
    arrays = {name: array[start:] for name, array in arrays.items()}
    about = _heading(words, title, start + first, len(tokens) - start, total)
    return Picture(
        lambda: _gates(arrays, tokens[start:], about, words),
        values=dict(arrays),
        language=words.language,
    )


def spectrum(values: Any, name: str = "f", title: str = "", language: str = "en") -> Picture:
    """Draw a gate's mean over all steps for every unit, in falling order.

    A band shows where 80 % of a unit's steps lie: between its 10 % and 90 % quantiles.

    Args:
        values: (T, H), of a forget or update gate, or of another factor.
        name: what it is called.
        title: what the numbers are from.
        language: of the labels: en or zh.

    Raises:
        DrawError: for an array of another shape, or without a unit whose values are all finite.

    >>> import numpy
    >>> from unrolled.draw import charts
    >>> charts.spectrum(numpy.full((9, 4), 0.5)).values["f"].shape
    (9, 4)
    """
    words, array = Words(language), _array("spectrum", name, values, 2)
    if not numpy.isfinite(array).all(0).any():
        raise DrawError(f"spectrum: every unit of {name} has a value that is no finite number")
    return Picture(
        lambda: _spectrum(array, name, title, words), values={name: array}, language=words.language
    )


def distance(curves: Mapping[str, Any], language: str = "en", title: str = "") -> Picture:
    """Draw gradients against distance, several models side by side.

    Every curve is shown relative to its value at k = 0. It ends where it comes to 0, or below the
    smallest normal number of its dtype, where rounding takes over; a triangle says so.

    Args:
        curves: by name of the model, (K + 1,): the size of dh_T/dh_{T-k} for k = 0, 1, ... as
            `GradientFlow.distance` gives it.
        language: of the labels: en or zh.
        title: what the curves are, if not that.

    Raises:
        DrawError: for an array of another shape, or that begins with no positive number.

    >>> from unrolled.draw import charts
    >>> picture = charts.distance({"lstm": [2, 1.8, 1.6], "rnn": [1, 0.5, 0.25]})
    >>> picture.values["lstm"]
    array([1. , 0.9, 0.8])
    """
    words, found = Words(language), curves_of(curves)
    about = title or f"$\\|\\partial h_T / \\partial h_{{T-k}}\\|$, {words(RELATIVE)}"
    return Picture(
        lambda: faded(found, words, about), values=sizes_of(found), language=words.language
    )


RELATIVE = "relative to that at $k = 0$"


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
    return Picture(
        lambda: _saturation(arrays, title, words), values=dict(arrays), language=words.language
    )


def text(
    tokens: Sequence[str],
    values: Any,
    title: str = "",
    language: str = "en",
    *,
    first: int = 1,
    total: int | None = None,
) -> Picture:
    """Draw a text, every character on the colour of its value: dark is negative, light positive.

    Lines begin with the number of their first step.

    Args:
        tokens: T characters; more than fit are cut to the last ones, and it is said.
        values: (T,): one number for each, coloured relative to the greatest.
        title: over the text.
        language: of the labels: en or zh.
        first: the number that the first step has in a longer sequence.
        total: how many steps that sequence has; without, it ends with these.

    Raises:
        DrawError: for shapes that do not fit together, or steps that a sequence of `total` steps
            does not have.

    >>> from unrolled.draw import charts
    >>> charts.text("abc", [0.1, -0.2, 0.3]).values["text"]
    array([ 0.1, -0.2,  0.3])
    """
    words, array = Words(language), _array("text", "values", values, 1)
    if len(array) != len(tokens):
        raise DrawError(f"text: {len(tokens)} characters, but {len(array)} values")
    if not numpy.isfinite(array).any():
        raise DrawError("text: none of the values is a finite number: nothing can be seen of them")
    start = _start("text", len(tokens), WIDTH * MOST_LINES, first, total)
    shown = array[start:]
    about = _heading(words, title, start + first, len(shown), total)
    return Picture(
        lambda: _text(tokens[start:], shown, about, words),
        values={"text": shown},
        language=words.language,
    )


# What is given.


def _array(chart: str, name: str, value: Any, dimensions: int) -> ndarray:
    """Return a tensor or array as an array of float64, of so many dimensions."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value if value.is_complex() else value.double()  # numpy has no bfloat16
    try:
        array = numpy.asarray(value)
        if numpy.iscomplexobj(array):  # else what is imaginary would be left out
            raise TypeError(f"its numbers are complex ({array.dtype}): give .real or .imag of them")
        array = array.astype(float)
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


class Heading(NamedTuple):
    """What is said over a chart, and where its steps begin.

    Attributes:
        title: as given.
        steps: which steps are shown, in words.
        start: how many steps come before the first one that is shown.
    """

    title: str
    steps: str
    start: int


def _heading(words: Words, title: str, first: int, count: int, total: int | None) -> Heading:
    """Return what is said over a chart of so many steps, the first of which has this number."""
    last = first + count - 1
    said = timeline.span(words, first, count, last if total is None else total)
    return Heading(title, said, first - 1)


def _start(chart: str, steps: int, limit: int, first: int, total: int | None) -> int:
    """Return the place of the first step that is shown, and say if that is not the first.

    Raises:
        DrawError: for steps that such a sequence does not have.
    """
    for name, value in (("first", first), ("total", total)):
        if not (isinstance(value, int) or (name == "total" and value is None)) or value is True:
            raise DrawError(f"{chart}: {name} should be a whole number, got {value!r}")
    if first < 1:
        raise DrawError(f"{chart}: first is the number of a step, from 1: got {first}")
    last = first + steps - 1
    if total is not None and total < last:
        raise DrawError(
            f"{chart}: {steps} steps from first={first} on end with step {last}, but the whole "
            f"sequence should have total={total} steps"
        )
    if steps > limit:
        start = steps - limit
        say(
            f"the text has {steps} characters: the drawing shows the last {limit}, "
            f"steps {start + first} to {steps + first - 1}"
        )
    return max(0, steps - limit)


class Curve(NamedTuple):
    """A curve of gradients, as far as it can be told.

    Attributes:
        sizes: relative to the first.
        stops: "low" if what was given goes on, with 0 or what its dtype cannot tell from that,
            "lost" if it goes on with what is no finite number, else empty.
    """

    sizes: ndarray
    stops: str


def curves_of(curves: Mapping[str, Any]) -> dict[str, Curve]:
    """Return curves relative to their beginnings, up to where they fall below what can be told.

    Raises:
        DrawError: for an array of another shape, or nothing to draw.
    """
    if not curves:
        raise DrawError("distance: there is no curve to draw")
    found = {}
    for name, sizes in curves.items():
        array = _array("distance", name, sizes, 1)
        if not (array[0] > 0 and numpy.isfinite(array[0])):
            raise DrawError(f"distance: {name} begins with {array[0]}: nothing can be seen of it")
        below = numpy.flatnonzero(~(array >= _least(sizes)) | ~numpy.isfinite(array))
        end = below[0] if len(below) else len(array)
        if end == 0:
            raise DrawError(f"distance: {name} begins with {array[0]}: nothing can be seen of it")
        stops = ("low" if numpy.isfinite(array[end]) else "lost") if len(below) else ""
        found[name] = Curve(array[:end] / array[0], stops)
    return found


def sizes_of(curves: Mapping[str, Curve]) -> dict[str, ndarray]:
    """Return the sizes of some curves."""
    return {name: curve.sizes for name, curve in curves.items()}


def _least(value: Any) -> float:
    """Return the smallest number that the dtype of an array or tensor holds in full precision."""
    if hasattr(value, "detach"):
        if "bfloat16" in str(value.dtype):  # which numpy has not; its exponents are float32's
            return float(numpy.finfo("float32").tiny)
        value = value.detach().cpu()
    kind = numpy.asarray(value).dtype
    return float(numpy.finfo(kind if kind.kind == "f" else float).tiny)


def label(name: str) -> str:
    """Return a value's name as a formula, where it can be one.

    >>> label("m_new"), label("layer 1")
    ('$m^{\\\\mathrm{new}}_t$', 'layer 1')
    """
    return f"${symbol(name, 't')}$" if name.isidentifier() else name.replace("$", "\\$")


# Figures.


def _gates(
    arrays: Mapping[str, ndarray], tokens: Sequence[str], about: Heading, words: Words
) -> Figure:
    scales = {name: Scale.of(values) for name, values in arrays.items()}
    notes = {name: _notes(values, scales[name], words) for name, values in arrays.items()}
    gap = 0.17 if not any(notes.values()) else 0.3
    high = 1.75 + (1.23 + gap) * len(arrays)
    names = {name: label(name) for name in arrays}
    left = max(0.72, 0.3 + 17 / 72 * max(map(_letters, names.values())))
    made = figure(11.28 + left, high)
    wide = made.get_figwidth()
    grid = made.subplots(len(arrays), 1, sharex=True, squeeze=False)[:, 0]
    keys = _keys(arrays)
    longest = max(len(text) for scale in scales.values() for text in scale.ticks.values())
    right = 1 - max(1.0, 0.4 + 0.56 * 11 / 72 * longest) / wide
    top, bottom = 1 - (0.6 if gap < 0.2 else 0.8) / high, 0.95 / high
    space = {"left": left / wide, "right": right, "hspace": gap / 1.23}
    made.subplots_adjust(**space, top=top, bottom=bottom)
    for axes, (name, values) in zip(grid, arrays.items(), strict=True):
        order = plots.by_mean(arrays[keys[values.shape[1]]])
        _panel(made, axes, names[name], values[:, order], scales[name])
        said = timeline.joined(words, *notes[name])
        axes.set_title(said, fontsize=11, pad=3, loc="right")
    timeline.letters(grid[-1], tokens, about.start)
    heading = timeline.joined(words, about.title, about.steps)
    made.text(left / wide, 1 - 0.2 / high, heading, ha="left", va="top", fontsize=14)
    ordered = ", ".join(label(name) for name in keys.values())
    said = words("rows: units, the same in every panel, in the order of the mean of {name}")
    made.text(left / wide, 0.12 / high, said.format(name=ordered), fontsize=12)
    made.text(right, 0.12 / high, words("step") + " $t$", fontsize=12, ha="right")
    return made


def _letters(name: str) -> float:
    """Return about how many widths of a letter a panel's name takes."""
    return 0.55 * len(readable(name))


def _notes(values: ndarray, scale: Scale, words: Words) -> list[str]:
    """Return in words what cannot be read off a panel's colours."""
    finite = values[numpy.isfinite(values)]
    found = unfinite(values, words, SIGNS)
    if not finite.size:
        return [words("no finite value"), *found]
    if finite.min() == finite.max():
        return [words("all finite values: {value}").format(value=number(finite[0])), *found]
    return [*found, *scale.said(words)]


def _keys(arrays: Mapping[str, ndarray]) -> dict[int, str]:
    """Return by number of units the name of the values whose means their order follows."""
    found: dict[int, str] = {}
    for name in sorted(arrays, key=lambda name: name not in ("f", "z")):
        found.setdefault(arrays[name].shape[1], name)
    return found


def _panel(made: Figure, axes: Axes, name: str, values: ndarray, scale: Scale) -> None:
    """Draw a heat map and the scale of its colours; without a finite value there is none."""
    image = heat(axes, values, name, scale)
    if not numpy.isfinite(values).any():
        return
    wide, box = made.get_figwidth(), axes.get_position()
    place = made.add_axes((box.x1 + 0.12 / wide, box.y0, 0.13 / wide, box.height))
    bar = made.colorbar(image, cax=place)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.minorticks_off()
    ticks = dict(sorted(scale.ticks.items()))
    bar.set_ticks(list(ticks), labels=list(ticks.values()))
    bar.ax.tick_params(length=0, labelsize=11)
    ends = bar.ax.get_yticklabels()
    ends[0].set_verticalalignment("bottom")
    ends[-1].set_verticalalignment("top")


def _spectrum(values: ndarray, name: str, title: str, words: Words) -> Figure:
    made = figure(10, 5.4)
    axes = made.subplots()
    plots.spectrum(axes, values[:, numpy.isfinite(values).all(0)])
    title = "\n".join(filter(None, (*unfinite(values, words), title)))
    said = words(
        "{name}: mean over {steps} of every unit; band: 10th to 90th percentile of its steps"
    )
    steps = timeline.span(words, 1, len(values), len(values))
    axes.set_title(said.format(name=label(name), steps=steps), fontsize=15)
    axes.set_xlabel(words("rank of the unit by this mean"), fontsize=13)
    made.text(0.07, 0.02, title, fontsize=12)
    bottom = 0.19 + 0.01 * title.count("\n") if title else 0.13
    made.subplots_adjust(left=0.07, right=0.98, bottom=bottom, top=0.9)
    return made


def faded(
    curves: Mapping[str, Curve],
    words: Words,
    title: str,
    about: str = "",
    upto: int | None = None,
) -> Figure:
    """Draw the curves of `distance`, up to a number of steps back.

    Args:
        curves: by name.
        words: of the language of the labels.
        title: what the curves are.
        about: what the numbers are from.
        upto: how far back is shown; all of it if left out.
    """
    made = figure(11, 6)
    axes = made.subplots()
    longest = max(len(curve.sizes) for curve in curves.values()) - 1
    low, high = (pick(pick(c.sizes) for c in curves.values()) for pick in (min, max))
    axes.set_yscale("log")
    axes.set_ylim(low / 4 * (low / high) ** 0.03, high * 4)
    stopped = {name: curve.stops for name, curve in curves.items() if curve.stops}
    plots.fading(axes, list(sizes_of(curves).items()), stopped, upto)
    axes.set_xlabel(words("steps back") + " $k$")
    axes.set_title(title, pad=14, x=0.0)
    # Time runs to the right, so the way back runs to the left; names stand left of the ends.
    step = max(1, round(longest / 6, -1) if longest > 30 else round(longest / 6))
    axes.set_xticks(numpy.arange(0, longest + 1, step))
    share = plots.room(list(curves), made.get_figwidth() * 72 * 0.89)
    axes.set_xlim(longest / (1 - share) + 0.5, -longest * 0.02)
    axes.yaxis.tick_right()
    axes.spines["right"].set_visible(True)
    axes.spines["left"].set_visible(False)
    notes = {
        "low": words("triangle: 0, or too small for its number format, from there on"),
        "lost": words("cross: infinite, or no number, from there on"),
    }
    lines = [*about.split("\n"), *(note for why, note in notes.items() if why in stopped.values())]
    said = "\n".join(filter(None, lines))
    made.text(0.03, 0.02, said, fontsize=12, va="bottom", linespacing=1.4)
    bottom = 0.13 + 0.04 * max(1, said.count("\n") + 1)
    made.subplots_adjust(left=0.03, right=0.92, bottom=bottom, top=0.91)
    return made


def _saturation(arrays: Mapping[str, ndarray], title: str, words: Words) -> Figure:
    columns = min(3, len(arrays))
    rows = -(-len(arrays) // columns)
    whole = numpy.concatenate([numpy.ravel(array) for array in arrays.values()])
    title = "\n".join(filter(None, (*unfinite(whole, words), title)))
    under = 0.85 + 0.24 * (title.count("\n") + 1)
    wide, high = max(8.2, 0.85 + 4.0 * columns), 0.95 + under + 4.3 * rows
    made = figure(wide, high)
    grid = made.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    always = words("closed or open at every step")
    for place, (axes, (name, values)) in enumerate(zip(grid, arrays.items(), strict=False)):
        plots.saturation(axes, (values < 0.1).mean(0), (values > 0.9).mean(0), place, always)
        units = words.counted(values.shape[1], "units")
        axes.set_title(timeline.joined(words, label(name), units), fontsize=14)
        axes.tick_params(labelbottom=True, labelsize=12)
    for axes in grid[len(arrays) :]:
        axes.axis("off")
    made.supxlabel(words("share of steps below 0.1: closed"), y=(under - 0.45) / high, fontsize=13)
    made.supylabel(words("share of steps above 0.9: open"), x=0.12 / wide, fontsize=13)
    count = len(next(iter(arrays.values())))
    said = words(
        "one mark for each unit of a gate, over {steps}; "
        "darker, with a number: so many at one place"
    )
    heading = said.format(steps=timeline.span(words, 1, count, count))
    made.text(0.85 / wide, 1 - 0.3 / high, heading, fontsize=14, va="center")
    made.text(0.85 / wide, 0.1 / high, title, fontsize=12)
    made.subplots_adjust(
        left=0.85 / wide, right=1 - 0.12 / wide, bottom=under / high, top=1 - 0.85 / high,
        wspace=0.08, hspace=0.25,
    )  # fmt: skip
    return made


def _text(tokens: Sequence[str], values: ndarray, about: Heading, words: Words) -> Figure:
    scale = Scale.signed(values)
    notes = timeline.joined(words, *scale.said(words), *unfinite(values, words))
    over = 0.72 + 0.26 * bool(notes)
    made = figure(12, over + 0.23 + 0.38 * -(-len(values) // WIDTH))
    axes = made.subplots()
    plots.colored_text(axes, tokens, scale.placed(values), WIDTH, about.start)
    said = words("colours: {low} (dark) to {high} (light)")
    colors = said.format(low=scale.ends[0], high=scale.ends[1])
    height = made.get_figheight()
    lines = filter(None, (about.title, timeline.joined(words, colors, about.steps), notes))
    made.text(0.0367, 1 - 0.1 / height, "\n".join(lines), fontsize=13, va="top", linespacing=1.4)
    made.subplots_adjust(left=0.032, right=0.99, bottom=0.06 / height, top=1 - over / height)
    return made
