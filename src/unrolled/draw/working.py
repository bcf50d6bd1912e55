"""A cell at work: what is computed when, and the values of an example on its lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

import numpy

from ..graph.graph import owners
from ..graph.operation import Operation
from ..locks import cached_property
from .example import Example, example
from .motion import Flow, Move, key_under
from .scene import Scene
from .shapes import Box, Strip, text_width
from .ways import parked

if TYPE_CHECKING:
    from numpy import ndarray

    from ..graph.graph import Graph
    from .formulas import Panel
    from .words import Words


FAINT = 0.1
"""Of values that are all smaller, colours up to 1 would be one grey."""


class Stage(NamedTuple):
    """Boxes that are computed at once.

    Attributes:
        row: the value in whose equation they stand, empty where values are only handed on.
        boxes: their ids.
        lines: the ids of the lines that end at them.
    """

    row: str
    boxes: frozenset[str]
    lines: tuple[str, ...]


@final
@dataclass(frozen=True)
class Working:
    """The scene of a cell with the values of an example.

    Attributes:
        graph: of the cell.
        scene: its picture.
    """

    graph: Graph
    scene: Scene

    @property
    def example(self) -> Example:
        """The values of one step."""
        return example(self.graph)

    def stages(self) -> Iterator[Stage]:
        """Yield what is computed, in an order in which it can be: equation by equation.

        Boxes at which no line ends, the inputs and old states, come in none.
        """
        waiting: dict[str, set[str]] = {}
        for line in self.scene.lines:
            waiting.setdefault(line.target, set()).add(line.source)
        rows, names = self._rows(), [*self.graph.lines, ""]
        while waiting:
            ready = [key for key, sources in waiting.items() if not sources & set(waiting)]
            row = min((rows[key] for key in ready), key=names.index)
            boxes = frozenset(key for key in ready if rows[key] == row)
            lines = tuple(line.id for line in self.scene.lines if line.target in boxes)
            yield Stage(row, boxes, lines)
            for key in boxes:
                del waiting[key]

    def _rows(self) -> dict[str, str]:
        """Return for each box the value in whose equation it stands; for a join, the first that
        needs it, maybe through other joins.
        """
        owner, order = owners(self.graph.lines), self.graph.order
        names = [*self.graph.lines, ""]
        rows = {
            key: owner[order[box.nodes[-1]]] if box.nodes else ""
            for key, box in self.scene.boxes.items()
        }
        joins = [key for key, box in self.scene.boxes.items() if box.role == "join"]
        return rows | {
            key: min((rows[end] for end in self._readers(key)), key=names.index) for key in joins
        }

    def _readers(self, key: str) -> Iterator[str]:
        """Yield the boxes that read a join, themselves or through other joins."""
        for target in (line.target for line in self.scene.lines if line.source == key):
            is_join = self.scene.boxes[target].role == "join"
            yield from self._readers(target) if is_join else (target,)

    def value(self, key: str) -> ndarray:
        """Return the value that leaves a box, (units,)."""
        box = self.scene.boxes[key]
        if box.nodes:
            return self.example.values[box.nodes[-1]]
        given = {**self.example.inputs, **self.example.states}
        if key in given:
            return given[key]
        sources = [line.source for line in self.scene.lines if line.target == key]
        return numpy.concatenate([self.value(source) for source in sources])

    def names(self, key: str) -> list[str]:
        """Return the names of the value that leaves a box: an old state is ``c before``."""
        if key in self.graph.inputs:
            return [key]
        if key in self.graph.states:
            return [f"{key} before"]
        box = self.scene.boxes[key]
        if box.role == "join":
            lines = [line for line in self.scene.lines if line.target == key]
            return [name for line in lines for name in self.names(line.source)]
        node = self.graph.order[box.nodes[-1]] if box.nodes else None
        return [name for name, other in self.graph.lines.items() if other is node]

    def shown(self) -> dict[str, ndarray]:
        """Return the values of a picture: inputs, old states as ``c before``, named values."""
        made = self.example
        places = {node: n for n, node in enumerate(self.graph.order)}
        before = {f"{name} before": value for name, value in made.states.items()}
        named = {name: made.values[places[node]] for name, node in self.graph.values.items()}
        return {**made.inputs, **before, **named}

    @property
    def scale(self) -> float:
        """The number that the end of the colours stands for: 1, or what nine of ten values stay
        below where these are larger, or too small to be seen.
        """
        sizes = self._sizes()
        usual = float(numpy.quantile(sizes, 0.9)) if sizes.size else 0.0
        return 1.0 if FAINT < usual < 1 or not usual else usual

    @property
    def beyond(self) -> bool:
        """Whether some values are larger than the scale."""
        sizes = self._sizes()
        return bool(sizes.size and sizes.max() > self.scale * 1.005)

    def _sizes(self) -> ndarray:
        nets = dict.fromkeys(line.source for line in self.scene.lines)
        sizes = numpy.abs(numpy.concatenate([self.value(net) for net in nets]))
        return sizes[numpy.isfinite(sizes)]

    def vectors(self) -> dict[str, tuple[float, ...]]:
        """Return the values that leave each box, from -1 to 1 for the colours."""
        nets = dict.fromkeys(line.source for line in self.scene.lines)
        return {net: tuple(map(float, self.value(net) / self.scale)) for net in nets}

    def parked(self) -> dict[str, Strip]:
        """Return the strips that stay on the lines that leave each box."""
        return parked(
            self.scene, {line.net: self.vectors()[line.source] for line in self.scene.lines}
        )

    @cached_property
    def openings(self) -> dict[str, list[Box]]:
        """Return for each gate, a layer with a sigmoid, how far each unit is open: bars that rise
        in the box.
        """
        found = {}
        for key, box in self.scene.boxes.items():
            root = self.graph.order[box.nodes[-1]] if box.nodes else None
            if box.role == "layer" and root is not None and root.operation is Operation.SIGMOID:
                found[key] = list(bars(box, self.value(key)))
        return found

    # What is lit when.

    def steps(self, text: Panel) -> list[Move]:
        """Return what happens, for the animation of the whole cell."""
        given = {line.source for line in self.scene.lines} - {
            line.target for line in self.scene.lines
        }
        steps = [Move((), self._of(given))]
        for stage in self.stages():
            steps.append(self._step(stage.lines, stage.boxes, stage.row, text))
        return steps

    def part(self, text: Panel, names: Iterable[str]) -> list[Move]:
        """Return what happens where some values are computed: what comes in, the boxes of their
        equations, what goes out.
        """
        lines = {line.id: line for line in self.scene.lines}
        stages, rows = list(self.stages()), set(names)
        inside = {key for stage in stages if stage.row in rows for key in stage.boxes}
        joins = {key for key, box in self.scene.boxes.items() if box.role == "join"}
        for _ in joins:  # what joins in several places, one before the other
            inside |= {line.source for line in lines.values() if line.target in inside} & joins
        kept = [f"{name}'" for name in rows if name in self.graph.states]
        inside |= {*kept, *(["output"] if self.graph.output in rows else [])}
        come = {line.source for line in lines.values() if line.target in inside} - inside
        leaves = come & {*self.graph.inputs, *self.graph.states}
        steps = [Move((), self._of(leaves) | self._around(come))]
        for stage in stages:
            boxes = stage.boxes & inside
            ways = [id_ for id_ in stage.lines if lines[id_].target in boxes]
            if boxes:
                steps.append(self._step(ways, boxes, stage.row, text))
        out = [line.id for line in lines.values() if line.source in inside - joins]
        out = [id_ for id_ in out if lines[id_].target not in inside and not kept]
        return [*steps, Move(out, frozenset())] if out else steps

    def _step(self, lines: Sequence[str], boxes: Set[str], row: str, text: Panel) -> Move:
        """Return the step in which some boxes are computed."""
        moved = [line.source for line in self.scene.lines if line.id in lines]
        names = [name for key in dict.fromkeys(moved) for name in self.names(key)]
        names += [name for key in boxes if key not in self._ends for name in self.names(key)]
        rows = [row] if row else [name for name in self.graph.lines if self._is_alias(name)]
        marks = {id_ for each in rows for id_ in text.row(each) | text.terms(each, names)}
        return Move(lines, self._of(boxes), marks)

    def _of(self, boxes: Set[str]) -> frozenset[str]:
        """Return the shapes that come to life with some boxes."""
        openings = {bar.id for key in boxes for bar in self.openings.get(key, ())}
        return frozenset(boxes | openings | self._around(boxes))

    def _around(self, boxes: Set[str]) -> frozenset[str]:
        """Return names, signs and the strip on the line of some boxes."""
        nets = {line.net for line in self.scene.lines if line.source in boxes}
        labels = {
            label.id
            for label in self.scene.labels
            for key in boxes
            if label.id == f"name {key}" or label.id.startswith(f"sign {key} ")
        }
        return frozenset(labels | {f"at {net}" for net in nets})

    @property
    def _ends(self) -> set[str]:
        return {"output", *(f"{state}'" for state in self.graph.states)}

    def _is_alias(self, name: str) -> bool:
        """Return whether a value is another one under a second name."""
        return self.graph.line_names.get(self.graph.lines[name], name) != name

    def flow(self, whole: Scene, steps: Sequence[Move], words: Words, marks: Sequence[Box]) -> Flow:
        """Return the animation of a picture that holds the scene.

        Args:
            whole: the still picture.
            steps: of the animation.
            words: of the picture.
            marks: behind the text.
        """
        strips = self.parked().values()
        bars = [bar for bars in self.openings.values() for bar in bars]
        come = {id_ for step in steps for id_ in step.arrive}
        late = Scene((*(each for each in (*strips, *bars) if each.id in come), *marks))
        said = words("a small example with random weights")
        key = key_under(whole.bounds, said, self.scale, self.beyond)
        vectors = self.vectors()
        values = {line.id: vectors[line.source] for line in self.scene.lines}
        return Flow(whole, steps, values, late + key)


def bars(box: Box, values: Iterable[float]) -> Iterator[Box]:
    """Yield bars that rise in a box on both sides of its text: how far each unit is open, from 0
    to 1.
    """
    left, down, right, up = box.bounds
    shares = [float(value) for value in values]
    words = max(map(text_width, box.text.split("\n"))) * box.size / 2 + 0.04
    side = max(0.06, (right - left) / 2 - 0.06 - words)
    before = (len(shares) + 1) // 2
    for n, share in enumerate(shares):
        first, count = (0, before) if n < before else (before, len(shares) - before)
        start = left + 0.06 if n < before else right - 0.06 - side
        high = max(0.01, (up - down - 0.06) * min(1.0, max(0.0, share)))
        pitch = side / count
        x = start + (n - first + 0.5) * pitch
        yield Box(
            f"opening {box.id} {n}", "opening", x, down + 0.03 + high / 2, pitch * 0.8, high, 0.02
        )
