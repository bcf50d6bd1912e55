"""Values that flow along the lines of a picture, in the order in which they are computed.

The picture is drawn three times by matplotlib: put back, as it is in the end, and lit. A frame
shows parts of the three and the fields of the vectors that are on their way (see `frames`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, final

from ..display import number
from .frames import Cutout, Frame
from .picture import FIRST, HOLD, Picture
from .render import figure
from .scene import Scene
from .shapes import Bounds, Label, Line, Point, Shape, Strip, hull, text_width
from .strokes import HEAD, towards
from .ways import FIELD, length, outline, track, train, until

if TYPE_CHECKING:
    from .frames import Make

TICK = 0.08
"""Seconds of a frame in which something moves."""
LONGEST, SLOWEST = 10.0, 1.2
"""Seconds of all steps of an animation together, and of one step, at most."""
STANDS = frozenset(
    {"frame", "note", "title", "equation", "code", "row", "term", "caption", "scale"}
)
"""Roles of shapes whose light does not change: what stands around the picture."""


class Move(NamedTuple):
    """What happens at once.

    Attributes:
        lines: ids of the lines that values run along.
        arrive: ids of the shapes that come to life when they have arrived.
        marks: ids of what is shown as long as the step lasts.
    """

    lines: Sequence[str]
    arrive: Set[str]
    marks: Set[str] = frozenset()


@final
@dataclass(frozen=True)
class Flow:
    """The animation of a scene.

    Attributes:
        scene: the still picture.
        steps: what happens, one after the other.
        values: the vector that runs along each line, by its id, from -1 to 1; nothing is seen on
            the others.
        late: shapes that only the animation has: those of `STANDS` and of no step from its
            beginning, the others when their step brings them.
        settled: whether what has happened is shown as in the still picture, rather than lit.
    """

    scene: Scene
    steps: Sequence[Move]
    values: Mapping[str, Sequence[float]]
    late: Scene = field(default_factory=Scene)
    settled: bool = True

    def picture(self, **values: Any) -> Picture:
        """Return the picture with its animation."""
        shown = partial(figure, self.scene.shapes, self.scene.bounds)
        return Picture(shown, self.frames(), self.scene, values or None)

    def frames(self) -> list[Frame]:
        """Return the frames; the first one is the still picture."""
        whole = _Plates(self)
        return [Frame(whole.still, FIRST), *whole.steps(), whole.last()]

    @property
    def bounds(self) -> Bounds:
        """Those of every frame: the still picture alone is cropped to what it shows."""
        return hull(
            [self.scene.bounds, self.late.bounds] if self.late.shapes else [self.scene.bounds]
        )


@final
class _Plates:
    """The figures that the frames are put together from."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        scene, late = flow.scene, flow.late
        stays = {shape.id for shape in scene.shapes if shape.role in STANDS}
        brought = {id_ for step in flow.steps for id_ in (*step.arrive, *step.marks)}
        self.always = [shape for shape in late.shapes if shape.id not in brought]
        self.shapes = {shape.id: shape for shape in (*scene.shapes, *late.shapes)}
        self.tracks = {line.id: track(line) for line in scene.lines}

        def in_light(light: Any) -> Callable[[Shape], Shape]:
            return lambda shape: shape if shape.id in stays else replace(shape, light=light)

        draw = partial(self._drawn, bounds=flow.bounds)
        marks = {id_ for step in flow.steps for id_ in step.marks}
        self.late = {shape.id for shape in late.shapes}
        self.kept = self.late - marks
        plain = [shape for shape in scene.shapes if shape.id not in marks]
        self.still = draw(scene.shapes)
        self.faint = draw([*map(in_light("dim"), plain), *self.always])
        self.lit = draw(lit := [*map(in_light("lit"), scene.shapes), *late.shapes])
        self.unmarked = draw([shape for shape in lit if shape.role != "term"])

    @staticmethod
    def _drawn(shapes: Sequence[Shape], bounds: Bounds) -> Make:
        return partial(figure, tuple(shapes), bounds)

    def last(self) -> Frame:
        """Return the finished picture with all values in it."""
        return Frame(self.still, HOLD, tuple(self._cutouts(self.kept, self.lit)))

    def steps(self) -> Iterator[Frame]:
        """Return the frames in which something happens."""
        flow = self.flow
        happened: set[str] = set()
        each = min(SLOWEST, LONGEST / max(1, len(flow.steps)))
        travel, arrival = max(2, round(each * 0.55 / TICK)), max(1, round(each * 0.2 / TICK))
        rest = max(TICK, each - (travel + arrival) * TICK)
        for step in flow.steps:
            before = self._cutouts(happened, self.still if flow.settled else self.lit)
            marks = self._cutouts(step.marks, self.lit)
            if step.lines:
                for tick in range(1, travel + 1):
                    yield self._travelling(step, [*before, *marks], eased(tick / travel))
            moved = self._cutouts(set(step.lines), self.lit)
            for tick in range(1, arrival + 1):
                come = self._cutouts(step.arrive, self.lit, tick / arrival)
                seconds = rest if tick == arrival else TICK
                yield Frame(self.faint, seconds, (*before, *marks, *moved, *come))
            happened |= {*step.lines, *step.arrive}

    def _travelling(self, step: Move, cutouts: list[Cutout], share: float) -> Frame:
        """Return the frame in which values have gone a share of their ways."""
        strips: list[Strip] = []
        for id_ in step.lines:
            way, vector = self.tracks[id_], self.flow.values.get(id_, ())
            front = share * (length(way) + len(vector) * FIELD)
            cutouts = [*cutouts, *_run(self.lit, way, self.shapes[id_], front)]
            strips += train(id_, way, vector, front)
        return Frame(self.faint, TICK, tuple(cutouts), tuple(strips))

    def _cutouts(self, ids: Set[str], make: Make, share: float = 1.0) -> list[Cutout]:
        """Return the places of some shapes in a figure, lines first; of boxes the lower share.

        Only the lit figure has the shapes that come late. A row shows none of the terms in it: each
        is cut out by itself, on top of it.
        """
        known = [shape for id_, shape in self.shapes.items() if id_ in ids]
        known.sort(key=lambda shape: shape.role == "term")
        found: list[Cutout] = []
        for shape in known:
            if isinstance(shape, Line):
                found += _run(make, self.tracks[shape.id], shape, math.inf)
        for shape in known:
            if not isinstance(shape, Line):
                source = self.lit if shape.id in self.late else make
                source = self.unmarked if shape.role == "row" else source
                found.append(Cutout(source, outline(shape, share)))
        return found


def eased(share: float) -> float:
    """Return how far something has come that starts and ends gently.

    >>> eased(0.0), eased(0.5), eased(1.0)
    (0.0, 0.5, 1.0)
    """
    return share * share * (3 - 2 * share)


STROKE, TIP = 0.085, 0.18
"""How wide what is shown of a line is, and of its head."""


def _run(make: Make, way: Sequence[Point], line: Shape, distance: float) -> list[Cutout]:
    """Return the first part of a line, with its head once it is reached."""
    if distance <= 0:
        return []
    found = [Cutout(make, tuple(until(way, distance)), STROKE)]
    if isinstance(line, Line) and line.arrow and distance >= length(way):
        found.append(Cutout(make, (towards(way[-1], way[-2], HEAD * 1.1), way[-1]), TIP))
    return found


# The scale.


def key_under(
    bounds: Bounds, words: str, scale: float, beyond: bool = False, gap: float = 0.5
) -> Scene:
    """Return words and the scale of the colours, to stand under something.

    Args:
        bounds: of what they stand under.
        words: what is shown.
        scale: the number at the end of the colours.
        beyond: whether some values are larger.
        gap: how far under it.
    """
    left, down, right, _ = bounds
    y, steps = down - gap, 9
    least, most = number(-scale), number(scale)
    if beyond:
        least, most = f"≤ {least}", f"≥ {most}"
    wide, end = text_width(words) * 0.75, text_width(least) * 0.75
    start = (left + right) / 2 - (wide + 2 * end + 2.3) / 2
    bar = start + wide + end + 0.5
    colors = tuple(2 * n / (steps - 1) - 1 for n in range(steps))
    return Scene(
        (
            Label("under", words, start, y, "caption", "left", 0.7),
            Label("least", least, bar - 0.1, y, "caption", "right", 0.7),
            Strip("scale", bar + steps * 0.09, y, colors, "scale", 0.18, True),
            Label("most", most, bar + steps * 0.18 + 0.1, y, "caption", "left", 0.7),
        )
    )
