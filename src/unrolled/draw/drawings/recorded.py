"""The charts of `charts`, of a run or a small model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...errors import DrawError
from ...graph.operation import Operation
from ...printing.latex import symbol
from .. import charts
from ..drawing import CHARTS, drawing
from ..picture import Picture
from ..timeline import joined, read, span
from .gradients import headings
from .measured import LONG

if TYPE_CHECKING:
    from numpy import ndarray

    from ..subject import Story, Subject

MANY = 2000
"""Steps that statistics are taken over."""


def _gates(story: Story) -> dict[str, ndarray]:
    """Return the named values between 0 and 1 of a recording."""
    return {
        name: story.values[name]
        for name, node in story.graph.values.items()
        if node.operation is Operation.SIGMOID and name in story.values
    }


@drawing(
    CHARTS, "gates", "chart: gates and states over time, characters along the axis", "run text cell"
)
def gates(subject: Subject) -> Picture:
    """Draw a heat map for every gate and state."""
    story = subject.numbers.story(LONG)
    shown = {**_gates(story), **{s: story.values[s] for s in story.graph.states}}
    return charts.gates(
        shown,
        story.tokens,
        story.model,
        subject.words.language,
        first=story.start + 1,
        total=story.total,
    )


@drawing(
    CHARTS + 1,
    "spectrum",
    "chart: the mean factor of each unit's direct path (its forget gate), sorted",
    "run text cell",
    cells="a factor on its memory's direct path",
)
def spectrum(subject: Subject) -> Picture:
    """Draw which units keep, which forget: what a step multiplies their old value by."""
    words, found = subject.words, subject.numbers.direct(MANY)
    steps = span(words, found.start + 1, len(found.values), found.total)
    said = words("a step multiplies the old {state} by it; 1: kept, 0: forgotten")
    about = said.format(state=f"${symbol(found.state, 't-1')}$")
    title = f"{joined(words, found.model, steps, read(words, found.tokens))}\n{about}"
    return charts.spectrum(found.values, found.factor, title, words.language)


@drawing(
    CHARTS + 2,
    "distance",
    "chart: gradient against distance, several models side by side",
    "run text",
)
def distance(subject: Subject) -> Picture:
    """Draw the curves of runs; without runs, of small models before, while and after training."""
    fades = subject.numbers.trainings()
    curves = charts.curves_of({fade.name: fade.sizes for fade in fades})
    make = partial(charts.faded, curves, subject.words, *headings(subject.words, fades))
    return Picture(make, values=dict(charts.sizes_of(curves)))


@drawing(
    CHARTS + 3,
    "saturation",
    "chart: how often each gate is nearly closed or nearly open",
    "run text cell",
    cells="gates",
)
def saturation(subject: Subject) -> Picture:
    """Draw one mark for each unit of each gate."""
    story = subject.numbers.story(MANY)
    found = _gates(story)
    if not found:
        raise DrawError(f"saturation shows gates: {story.graph.name} has no value between 0 and 1")
    steps = span(subject.words, story.start + 1, len(story.tokens), story.total)
    return charts.saturation(
        found,
        f"{read(subject.words, story.tokens)}\n{joined(subject.words, story.model, steps)}",
        subject.words.language,
    )


@drawing(
    CHARTS + 4,
    "text",
    "chart: the text, coloured by the unit of the state that moves most",
    "run text cell",
)
def text(subject: Subject) -> Picture:
    """Draw every character on the colour of one unit's value."""
    story = subject.numbers.story(charts.WIDTH * 8)
    states = story.values[story.graph.output]
    unit = int(states.std(0).argmax())
    said = subject.words("{model}: unit {unit} of {state}, whose standard deviation is greatest")
    state = charts.label(story.graph.output)
    title = said.format(model=story.model, unit=unit, state=state)
    return charts.text(
        story.tokens,
        states[:, unit],
        title,
        subject.words.language,
        first=story.start + 1,
        total=story.total,
    )
