"""The charts of `charts`, of a run or a small model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import DrawError
from ...graph.operation import Operation
from .. import charts
from ..drawing import CHARTS, drawing
from .measured import LONG

if TYPE_CHECKING:
    from numpy import ndarray

    from ..picture import Picture
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
    return charts.gates(shown, story.tokens, story.model)


@drawing(
    CHARTS + 1, "spectrum", "chart: the mean forget gate of every unit, sorted", "run text cell"
)
def spectrum(subject: Subject) -> Picture:
    """Draw which units keep, which forget."""
    story = subject.numbers.story(MANY)
    name = next((n for n in ("f", "z") if n in story.values), None)
    if name is None:
        raise DrawError(
            f"spectrum shows a forget gate f or an update gate z: {story.graph.name} has none"
        )
    return charts.spectrum(story.values[name], name, story.model, subject.words.language)


@drawing(
    CHARTS + 2,
    "distance",
    "chart: gradient against distance, several models side by side",
    "run text",
)
def distance(subject: Subject) -> Picture:
    """Draw the curves of `shrinking`, without the walk."""
    curves = {fade.model: fade.sizes for fade in subject.numbers.fades()}
    return charts.distance(curves, subject.words.language)


@drawing(
    CHARTS + 3,
    "saturation",
    "chart: how often each gate is nearly closed or nearly open",
    "run text cell",
)
def saturation(subject: Subject) -> Picture:
    """Draw one mark for each unit of each gate."""
    story = subject.numbers.story(MANY)
    found = _gates(story)
    if not found:
        raise DrawError(f"saturation shows gates: {story.graph.name} has no value between 0 and 1")
    return charts.saturation(found, story.model, subject.words.language)


@drawing(
    CHARTS + 4,
    "text",
    "chart: the text, coloured by the unit of h that moves most",
    "run text cell",
)
def text(subject: Subject) -> Picture:
    """Draw every character on the colour of one unit's value."""
    story = subject.numbers.story(charts.WIDTH * 8)
    states = story.values[story.graph.output]
    unit = int(states.std(0).argmax())
    title = subject.words("{model}: unit {unit} of $h_t$").format(model=story.model, unit=unit)
    return charts.text(story.tokens, states[:, unit], title, subject.words.language)
