"""The search for a good layout: placements are wired, and the cheapest is improved step by step.

A step moves one element to another slot, or exchanges two columns. Which slots look promising is
estimated from the element's own lines; what counts is the price of all lines, laid anew.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from .elements import alternatives
from .placement import Grid, Placement, Slot, closed, opened, placements
from .wiring import Dear, Wiring, wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .elements import Elements

STARTS = 12
"""Placements that are wired as they come; of a cell with more than `LARGE` lines, one."""
LARGE = 45
IMPROVED = 6
"""The cheapest of these, which are improved, each until nothing near it is cheaper."""
NEAR = 4
"""Slots, and columns to change places with, that are tried for an element in each round."""
OPENED = 2
"""Slots of a row of its own, between two others, that are tried for an element."""
WORK, MOST_WORK = 40_000, 1_000_000
"""Steps of the search for lines while layouts are improved: for each of a cell's lines, and at
most. An LSTM takes about a second on one core, the greatest cells four."""
FILLED = 1.5
"""How much longer a line seems for each element that stands in its way."""


def best(found: Elements) -> Wiring:
    """Return the cheapest wiring that is found, of the elements or of an alternative to them."""
    large = len(found.wires) > LARGE
    starts: list[tuple[Grid, Wiring]] = []
    for each in [found] if large else alternatives(found):
        grid = Grid(each)
        placed = placements(grid)[: 1 if large else STARTS]
        starts += [(grid, wire(each, start)) for start in placed]
    starts.sort(key=lambda start: start[1].price)
    left, improved = min(WORK * len(found.wires), MOST_WORK), []
    for grid, start in starts[:IMPROVED]:
        descent = _Descent(grid, start, left)
        improved.append(descent.run())
        left = descent.left
    return min(improved, key=lambda wiring: wiring.price)


@final
@dataclass
class _Descent:
    """The improvement of one wiring, as long as there is a cheaper one near it.

    Attributes:
        left: steps of the search for lines that may still be made.
    """

    grid: Grid
    wiring: Wiring
    left: int

    def run(self) -> Wiring:
        """Return the cheapest wiring on the way."""
        still = 0  # elements since the last move
        for key in self._around():
            if self.left <= 0 or still > len(self.grid.elements):
                break
            still = 0 if any(map(self._cheaper, self._neighbours(key))) else still + 1
        lower = wire(self.grid.found, closed(self.wiring.placed))
        return min(self.wiring, lower, key=lambda wiring: wiring.price)

    def _around(self) -> Iterator[str]:
        """Yield the elements, again and again."""
        while True:
            yield from self.grid.elements

    def _cheaper(self, placed: Placement) -> bool:
        """Take a placement if its wiring costs less, and return whether it does."""
        if self.left <= 0:
            return False
        try:
            other = wire(self.grid.found, placed, self.wiring.price)
        except Dear as dear:
            self.left -= dear.work
            return False
        self.left -= other.router.work
        cheaper = other.price < self.wiring.price - 1e-6
        if cheaper:
            self.wiring = other
        return cheaper

    # Neighbours.

    def _neighbours(self, key: str) -> Iterator[Placement]:
        """Yield the placements near the present one in which an element stands elsewhere."""
        placed, role = self.wiring.placed, self.grid.elements[key].role
        if key == f"{self.grid.found.graph.output}'":
            yield replace(placed, upward=not placed.upward)
        if role in ("state", "next"):
            yield from self._rows(key)
            return
        old, filled = placed.cells[key], set(placed.cells.values())
        slots = [slot for slot in self._slots(key, role) if slot not in filled]
        for slot in sorted(slots, key=lambda slot: self._promise(placed, key, slot, filled))[:NEAR]:
            yield from self._valid({**placed.cells, key: slot})
        if role == "join" or self._free(key, role):
            yield from self._opened(key, role)
        if role == "layer":
            yield from self._exchanges(old.column)

    def _exchanges(self, column: int) -> list[Placement]:
        """Return the most promising placements in which a column changes places with another."""
        placed = self.wiring.placed
        others = [
            other for other in range(placed.inside[0], placed.inside[1] + 1) if other != column
        ]
        found = [
            each for other in others for each in self._valid(_exchanged(placed, column, other))
        ]
        return sorted(found, key=self.grid.cost)[:NEAR]

    def _slots(self, key: str, role: str) -> Iterable[Slot]:
        """Return the slots in which an element may stand."""
        placed = self.wiring.placed
        first, last, lowest, top = placed.inside
        rows: Iterable[int] = (placed.cells[key].row,)
        if role == "join":
            rows = range(lowest, 0)
        elif self._free(key, role):
            belts = {placed.cells[state].row for state in self.grid.belts}
            rows = (row for row in range(1, top + 1) if row not in belts)
        return [Slot(column, row) for row in rows for column in range(first, last + 1)]

    def _free(self, key: str, role: str) -> bool:
        """Return whether an element may stand in any row above the learned layers."""
        return role in ("operation", "learned", "constant") and key not in self.grid.belt_of

    def _opened(self, key: str, role: str) -> list[Placement]:
        """Return the most promising placements with an element in a new row, all others apart."""
        placed = self.wiring.placed
        first, last, lowest, top = placed.inside
        rows = range(lowest - 1, 0) if role == "join" else range(1, top + 2)
        found = []
        for row in rows:
            wider = opened(placed, row)
            filled = set(wider.cells.values())
            for column in range(first, last + 1):
                slot = Slot(column, row)
                cost = self._promise(wider, key, slot, filled)
                found.append((cost, closed(replace(wider, cells={**wider.cells, key: slot}))))
        return [each for _, each in sorted(found, key=lambda pair: pair[0])[:OPENED]]

    def _promise(self, placed: Placement, key: str, slot: Slot, filled: set[Slot]) -> float:
        """Return about how long the lines of an element would be in a slot."""
        cells, total = placed.cells, 0.0
        for other in (*self.grid.sources[key], *self.grid.targets[key]):
            away = cells[other]
            total += abs(away.column - slot.column) + 0.6 * abs(away.row - slot.row)
            low, high = sorted((away.row, slot.row))
            total += FILLED * sum(Slot(slot.column, row) in filled for row in range(low + 1, high))
            left, right = sorted((away.column, slot.column))
            total += FILLED * sum(Slot(x, slot.row) in filled for x in range(left + 1, right))
        return total

    def _rows(self, key: str) -> Iterator[Placement]:
        """Yield the placements in which a state without a belt runs along another row."""
        placed, states = self.wiring.placed, self.grid.found.graph.states
        if key not in states or key in self.grid.belts:
            return
        cells, onward = placed.cells, f"{key}'"
        taken = {cells[state].row for state in states}
        for row in range(placed.inside[2], 1):
            if row not in taken:
                ends = {name: cells[name]._replace(row=row) for name in (key, onward)}
                yield replace(placed, cells={**cells, **ends})

    def _valid(self, cells: dict[str, Slot]) -> Iterator[Placement]:
        """Yield the placement with these slots, unless what stands on a belt is out of order."""
        for chain in self.grid.belts.values():
            columns = [cells[key].column for key in chain]
            if columns != sorted(set(columns)):
                return
        yield replace(self.wiring.placed, cells=cells)


def _exchanged(placed: Placement, one: int, other: int) -> dict[str, Slot]:
    """Return the slots after two columns have been exchanged."""
    columns = {one: other, other: one}
    return {
        key: slot._replace(column=columns.get(slot.column, slot.column))
        for key, slot in placed.cells.items()
    }
