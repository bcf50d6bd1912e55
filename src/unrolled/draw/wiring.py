"""The lines of a placement, and what they cost."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, final

from ..errors import DrawError
from .routing import DOWN, FAR, LEFT, RIGHT, UP, Demand, Full, Router, Vertex, side_of

if TYPE_CHECKING:
    from .elements import Elements
    from .placement import Placement, Slot

MOST_TRACKS = 50
CROSSING, BEND, LENGTH, ROW, COLUMN = 3.0, 2.0, 0.5, 0.6, 0.3
"""Prices of a crossing, of a bend or branch, of a unit of length, of a row and a column in use."""
WINDING, JOGGED_END = 0.5, 2.0
"""Prices of each bend of a line after its first; of a line that leaves the cell."""
HOOK = 1.0
"""Price of each bend of the line to the output after it has left its value's line."""
JOGGED_INPUT, FROM_ABOVE = 2.0, 1.0
"""Prices of a bend on the way from a terminal to a join, and of a line that joins from above."""
AGAINST = 1.5
"""Price of a line against the direction of reading: upwards and to the right."""


class Dear(Exception):  # noqa: N818
    """A wiring costs more than one that is known.

    Attributes:
        work: steps of the search for lines until this was seen.
    """

    def __init__(self, work: int) -> None:
        super().__init__(f"too dear after {work} steps")
        self.work = work


def wire(found: Elements, placed: Placement, limit: float = FAR) -> Wiring:
    """Return the lines of a placement, with as many tracks as it takes.

    Raises:
        Dear: they cost more than `limit`.
        DrawError: there are too many.
    """
    tracks = 1
    while True:
        try:
            return Wiring(found, placed, tracks, limit)
        except Full:
            if tracks > MOST_TRACKS:
                name = found.graph.name
                raise DrawError(f"{name} has too many lines for a picture") from None
            tracks *= 2


@final
class Wiring:
    """The lines of a placement, on a grid with some number of tracks between columns and rows.

    Attributes:
        paths: the vertices of the line from a source to a target.
        price: of all lines.

    Raises:
        Full: there are too few tracks.
        Dear: the lines cost more than `limit`.
    """

    def __init__(self, found: Elements, placed: Placement, tracks: int, limit: float) -> None:
        self.found, self.placed = found, placed
        self.scales = tracks + 1, 2 * tracks + 2  # vertices from one cell to the next
        cells = [*placed.cells.values(), placed.output]
        self.left = min(cell.column for cell in cells)
        self.low = min(cell.row for cell in cells)
        columns = max(cell.column for cell in cells) - self.left
        rows = max(cell.row for cell in cells) - self.low
        self.router = Router(
            [0.3, *[0.1] * (tracks - 1), 0.3] * columns,
            [0.4, *[0.1] * (2 * tracks), 0.4] * rows,
            {self.vertex(cell) for cell in cells},
        )
        self.ports = {(wire.source, wire.target) for wire in found.wires if wire.port}
        self.belt = {key for keys in placed.belts.values() for key in keys}
        self.on_belts = {
            wire
            for state, keys in placed.belts.items()
            for wire in pairwise([state, *keys, f"{state}'"])
        }
        self.paths: dict[tuple[str, str], list[Vertex]] = {}
        self._route(limit)
        self.price = self._measured() + self._oddities()

    def vertex(self, cell: Slot) -> Vertex:
        """Return the middle of a cell."""
        across, along = self.scales
        return (cell.column - self.left) * across, (cell.row - self.low) * along

    def _route(self, limit: float) -> None:
        """Route all lines: the shortest first, those on belts before all others."""
        wires = sorted([(wire.source, wire.target) for wire in self.found.wires], key=self._rank)
        onward = f"{self.found.graph.output}'"
        source = self.found.sources(onward)[0]
        place = wires.index((source, onward)) if self.placed.upward else len(wires)
        wires.insert(place, (source, "output"))
        cells = {**self.placed.cells, "output": self.placed.output}
        for source, target in wires:
            ends = self.vertex(cells[source]), self.vertex(cells[target])
            sides = self._leave(source), self._enter(source, target)
            bend = BEND + HOOK * (target == "output")
            self.paths[source, target] = self.router.connect(Demand(source, *ends, *sides, bend))
            if self._measured() > limit:
                raise Dear(self.router.work)

    def _rank(self, wire: tuple[str, str]) -> tuple[float, ...]:
        source, target = wire
        a, b = self.placed.cells[source], self.placed.cells[target]
        length = abs(a.column - b.column) + abs(a.row - b.row)
        if wire in self.on_belts:
            return (0, length, a.column, a.row, b.column, b.row)
        if self.found.elements[source].role in ("join", "input", "state"):
            return (2, -a.row, -length, a.column, b.column, b.row)  # the farthest lays the trunk
        return (1, length, a.column, a.row, b.column, b.row)

    # Sides.

    def _leave(self, source: str) -> dict[int, float]:
        """Return the sides through which a value leaves its element, with prices."""
        element = self.found.elements[source]
        if element.role in ("state", "join") or source in self.belt:
            return {RIGHT: 0.0}
        if element.role == "input":
            return {UP: 0.0}
        if element.role == "layer":
            return {UP: 0.0, RIGHT: 1.0, LEFT: 1.5}
        if self._falls(source):
            return {DOWN: 0.0, RIGHT: 0.5, LEFT: 1.0, UP: 2.0}
        return {UP: 0.0, RIGHT: 0.3, LEFT: 1.0, DOWN: 1.0}

    def _falls(self, key: str) -> bool:
        """Return whether an operation stands after a belt: its value goes down."""
        row = self.placed.cells[key].row
        targets = [self.placed.cells[t].row for t in self.found.targets(key)]
        return bool(targets) and max(targets) < row

    def _enter(self, source: str, target: str) -> dict[int, float]:
        """Return the sides through which a value enters, with prices."""
        if target == "output":
            return {DOWN: 0.0}
        role = self.found.elements[target].role
        if role == "next" or (source, target) in self.on_belts:
            return {LEFT: 0.0}
        if role == "join":
            return self._join(source, target)
        if role == "layer":
            if (source, target) in self.ports:
                return {LEFT: 0.0, RIGHT: 0.2}
            straight = self.found.elements[source].role == "layer"
            return {DOWN: 0.0, LEFT: 0.0} if straight else {DOWN: 0.0}
        if target in self.belt:
            return {DOWN: 0.0, UP: 0.5}
        return {LEFT: 0.1, DOWN: 0.0, UP: 0.1, RIGHT: 0.6}

    def _join(self, source: str, target: str) -> dict[int, float]:
        """Return the same for a join: one line goes straight on, the others come from the side."""
        taken = [side_of(path[-1], path[-2]) for (_, t), path in self.paths.items() if t == target]
        if LEFT in taken:
            return {DOWN: 0.0, UP: 0.5}
        if len(taken) == len(self.found.sources(target)) - 1:
            return {LEFT: 0.0, DOWN: 8.0, UP: 9.0}
        if self.found.elements[source].role == "input":
            return {DOWN: 0.0, LEFT: 0.5, UP: 9.0}
        return {LEFT: 0.0, DOWN: 3.0, UP: 3.0}

    # Price.

    def _measured(self) -> float:
        router = self.router
        return CROSSING * router.crossings + BEND * router.bends + LENGTH * router.length

    def _oddities(self) -> float:
        """Return the price of what a reader stumbles over, and of room."""
        total = HOOK * self._hooks()
        for (source, target), path in self.paths.items():
            turns = len(corners(path)) - 2
            role = "output" if target == "output" else self.found.elements[target].role
            total += (JOGGED_END if role == "next" else WINDING) * max(0, turns - 1)
            if role == "join":
                enters = side_of(path[-1], path[-2])
                terminal = self.found.elements[source].role in ("input", "state")
                total += JOGGED_INPUT * turns * terminal + FROM_ABOVE * (enters == UP)
            elif role not in ("next", "output"):
                total += AGAINST * self._against(source, target)
        slots = self.placed.cells.values()
        rows, columns = {slot.row for slot in slots}, {slot.column for slot in slots}
        return total + ROW * len(rows) + COLUMN * len(columns)

    def _hooks(self) -> int:
        """Return how often the line to the output bends after it has left its value's line."""
        paths = dict(self.paths)
        source, _ = output = next(wire for wire in paths if wire[1] == "output")
        path = paths.pop(output)
        shared = {v for (other, _), line in paths.items() if other == source for v in line}
        own = next(n for n in reversed(range(len(path))) if n == 0 or path[n] in shared)
        return len(corners(path[own:])) - 2

    def _against(self, source: str, target: str) -> int:
        """Return in how many directions a line runs backwards."""
        role = self.found.elements[source].role
        if role in ("input", "state") or self._falls(source):
            return 0
        a, b = self.placed.cells[source], self.placed.cells[target]
        if role == "join":
            return 2 * (b.column <= a.column)
        return (b.row < a.row) + (b.column < a.column)


def corners(path: list[Vertex]) -> list[Vertex]:
    """Return a path without the vertices that it passes straight through."""
    return [
        vertex
        for n, vertex in enumerate(path)
        if n in (0, len(path) - 1) or side_of(path[n - 1], vertex) != side_of(vertex, path[n + 1])
    ]
