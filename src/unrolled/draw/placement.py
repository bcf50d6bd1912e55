"""The placement of elements: a grid of columns along time and rows above the learned layers.

Row 0 holds the learned layers, in every other column, so that there is a free one between two of
them. States whose next value comes from the old one by pointwise operations run along belts, one
row each, above; the operations on the way stand on the belt. What leads up to a belt stands
between it and the layers, what comes down from one stands behind. Lines join in rows below the
layers; inputs enter from under them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count, permutations
from typing import TYPE_CHECKING, NamedTuple, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .elements import Elements


class Slot(NamedTuple):
    """A place in the grid; rows are counted upwards from that of the learned layers."""

    column: int
    row: int


@final
@dataclass
class Placement:
    """The place of every element.

    Attributes:
        belts: for each state with a belt, the keys of the operations on it.
        inside: the first and last column and row of the cell's frame.
        output: where the line to the output leaves at the top.
        upward: whether that line is laid before the one to the state's next value, which then
            branches off.
    """

    belts: dict[str, list[str]]
    cells: dict[str, Slot] = field(default_factory=dict)
    inside: tuple[int, int, int, int] = (0, 0, 0, 0)
    output: Slot = field(default=Slot(0, 0))
    upward: bool = False


MANY = 6
"""Learned layers whose orders are all tried; of more, only their own order."""


def placements(grid: Grid) -> list[Placement]:
    """Return placements by rising cost, of the orders in which the learned layers can stand."""
    layers = [key for key, each in grid.elements.items() if each.role == "layer"]
    placed = [grid.place(order) for order in _orders(grid, layers)]
    costs = [grid.cost(each) for each in placed]
    return [placed[n] for n in sorted(range(len(placed)), key=lambda n: (costs[n], n))]


def _orders(grid: Grid, layers: list[str]) -> Iterable[Sequence[str]]:
    """Return the orders of the layers in which none stands before one that it depends on."""
    if len(layers) > MANY:
        return [layers]
    return [
        order
        for order in permutations(layers)
        if not any(
            order[late] in grid.above[order[early]]
            for early in range(len(order))
            for late in range(early + 1, len(order))
        )
    ]


@final
class Grid:
    """The rows and columns in which the elements of a cell can stand."""

    def __init__(self, found: Elements) -> None:
        self.found = found
        self.elements = found.elements
        self.sources = {key: found.sources(key) for key in self.elements}
        self.targets = {key: found.targets(key) for key in self.elements}
        self.above = self._above()  # everything that an element depends on
        self.belts = self._belts()
        self.belt_of = {key: s for s, keys in self.belts.items() for key in keys}
        self.falling = self._falling()
        self.levels = self._levels()

    def _above(self) -> dict[str, set[str]]:
        above: dict[str, set[str]] = {}
        for key in self._order():
            sources = self.sources[key]
            above[key] = set(sources).union(*(above[source] for source in sources))
        return above

    def _order(self, layers: Sequence[str] = ()) -> list[str]:
        """Return the elements, sources before targets, layers in the given order."""
        order: dict[str, None] = {}

        def visit(key: str) -> None:
            if key not in order:
                for source in self.sources[key]:
                    visit(source)
                order[key] = None

        for key in [*layers, *self.elements]:
            visit(key)
        return list(order)

    def _belts(self) -> dict[str, list[str]]:
        """Return for each state the shortest chain of operations from its old value to its next
        one.
        """
        belts: dict[str, list[str]] = {}
        taken: set[str] = set()
        for state in self.found.graph.states:
            (end,) = self.sources[f"{state}'"]
            paths, seen = [[state]], {state}
            while paths:
                path = paths.pop(0)
                if path[-1] == end:
                    belts[state] = path[1:]
                    taken.update(path)
                    break
                for target in self.targets[path[-1]]:
                    free = target not in taken and target not in seen
                    if free and self.elements[target].role in ("operation", "learned"):
                        seen.add(target)
                        paths.append([*path, target])
        return {state: keys for state, keys in belts.items() if keys}

    def _falling(self) -> dict[str, int]:
        """Return the operations that come down from a belt and lead to none, with their depth."""
        leads = set(self.belt_of)
        for key in self.belt_of:
            leads |= self.above[key]
        falling: dict[str, int] = {}
        for key in self._order():
            above = self.above[key]
            if self._operates(key) and key not in leads and above & set(self.belt_of):
                falling[key] = 1 + max(falling.get(source, 0) for source in self.sources[key])
        return falling

    def _operates(self, key: str) -> bool:
        return self.elements[key].role in ("operation", "learned", "constant")

    def _levels(self) -> dict[str, int]:
        """Return the row of every operation; a belt is one."""
        levels: dict[str, int] = {}
        open_: set[str] = set()

        def level(key: str) -> int:
            group = self.belt_of.get(key, key)
            if group in levels:
                return levels[group]
            if group in open_ or not self._operates(key) or key in self.falling:
                return 0
            open_.add(group)
            members = self.belts[group] if key in self.belt_of else [key]
            below = [
                level(source)
                for member in members
                for source in self.sources[member]
                if self.belt_of.get(source) != group or key not in self.belt_of
            ]
            open_.discard(group)
            levels[group] = 1 + max(below, default=0)
            return levels[group]

        operations = [k for k in self.elements if self._operates(k) and k not in self.falling]
        rows = {key: level(key) for key in operations}
        self._separate(rows)
        self._lower(rows)
        return rows

    def _separate(self, rows: dict[str, int]) -> None:
        """Give every belt a row of its own, the first state's the highest; lift what is above."""
        # What does not lead to a belt but stands in its row or above moves under nothing: it has
        # columns of its own. So only belts and the rows of operations on the way to belts matter.
        used = {row for key, row in rows.items() if key not in self.belt_of}
        last_first = list(self.belts.values())[::-1]
        for belt in sorted(last_first, key=lambda belt: rows[belt[0]]):
            wanted = next(row for row in count(rows[belt[0]]) if row not in used)
            used.add(wanted)
            rows.update(dict.fromkeys(belt, wanted))

    def _lower(self, rows: dict[str, int]) -> None:
        """Set the rows of what comes down from belts; lift belts where there is too little room."""
        if not self.falling:
            return
        depth = max(self.falling.values())
        read = {source for key in self.falling for source in self.sources[key]}
        lowest = min((rows[key] for key in read if key in self.belt_of), default=depth + 1)
        lift = max(0, depth + 1 - lowest)
        for key in rows:
            if rows[key] >= lowest:
                rows[key] += lift
        for key, deep in self.falling.items():
            rows[key] = lowest + lift - deep

    # Columns.

    def place(self, order: Sequence[str]) -> Placement:
        """Put everything into columns, with the layers in this order from left to right."""
        cells: dict[str, Slot] = {}
        layers = 0  # the last column with a layer or a join
        for key in self._order(order):
            role = self.elements[key].role
            if role in ("input", "state", "next"):  # they come at last
                continue
            before = [cells[source] for source in self.sources[key] if source in cells]
            after = max((cell.column + 1 for cell in before), default=0)
            if role == "layer":
                cell = Slot(max(layers + 2, after), 0)
            elif role == "join":
                cell = _free(Slot(max(layers + bool(layers), after), -1), (0, -1), cells)
            else:
                cell = _free(Slot(self._column(key, cells), self.levels[key]), (1, 0), cells)
            if role in ("layer", "join"):
                layers = cell.column
            cells[key] = cell
        self._align(cells)
        return self._terminals(cells)

    def _column(self, key: str, cells: Mapping[str, Slot]) -> int:
        """Return the first column in which an operation can stand, given those of its sources."""
        known = [source for source in self.sources[key] if source in cells]
        if key in self.falling:
            columns = [cells[s].column + (s not in self.falling) for s in known]
        else:
            columns = [cells[s].column + (cells[s].row == self.levels[key]) for s in known]
        if key in self.belt_of:
            belt = self.belts[self.belt_of[key]]
            columns += [cells[earlier].column + 1 for earlier in belt if earlier in cells]
        return max([1, *columns])

    def _align(self, cells: dict[str, Slot]) -> None:
        """Move what comes down from a belt over what it leads to."""
        for key in reversed(list(self.falling)):
            users = [t for t in self.targets[key] if t in cells and t in self.falling]
            if len(users) != 1:
                continue
            wanted = Slot(cells[users[0]].column, cells[key].row)
            if wanted.column > cells[key].column and wanted not in cells.values():
                cells[key] = wanted

    def _terminals(self, cells: dict[str, Slot]) -> Placement:
        """Add the joins' rows, the terminals and the frame."""
        states = list(self.found.graph.states)
        first = min((c.column for c in cells.values()), default=0)
        last = max((c.column for c in cells.values()), default=0) + 1
        lowest = min([-1, *(c.row for c in cells.values())])
        top = max([1 if self.belts else 0, *(c.row for c in cells.values())])
        rows = {state: cells[self.belts[state][0]].row for state in self.belts}
        for state in states:
            if state not in rows:
                rows[state] = next(row for row in count(-1, -1) if row not in rows.values())
        lowest = min(lowest, *rows.values())
        for state in states:
            cells[state] = Slot(first - 1, rows[state])
            cells[f"{state}'"] = Slot(last + 1, rows[state])
        for name in self.found.graph.inputs:
            column = min((cells[t].column for t in self.targets[name] if t in cells), default=first)
            cells[name] = _free(Slot(column, lowest - 1), (1, 0), cells)
        return Placement(self.belts, cells, (first, last, lowest, top), Slot(last, top + 1))

    # Cost.

    def cost(self, placed: Placement) -> float:
        """Return an estimate of length, crossings and lines that have to go round something."""
        cells = placed.cells
        filled = set(cells.values())
        total = 0.0
        paths = []
        for source, target, *_ in self.found.wires:
            a, b = cells[source], cells[target]
            if self.elements[source].role == "join" or self.elements[target].role == "join":
                total += 0.1 * abs(a.column - b.column)
                continue
            total += abs(a.column - b.column) + 0.6 * abs(a.row - b.row)
            across = b.row if a.row < b.row else a.row
            upright = a.column if a.row < b.row else b.column
            paths.append((source, a, b, across, upright))
            low, high = sorted((a.row, b.row))
            total += 1.5 * sum(Slot(upright, row) in filled for row in range(low + 1, high))
            left, right = sorted((a.column, b.column))
            total += 1.5 * sum(Slot(c, across) in filled for c in range(left + 1, right))
        for one in paths:
            for other in paths:
                total += 2.0 * (one[0] != other[0] and _crosses(one, other))
        return total + 0.3 * len({c.row for c in cells.values()})


def opened(placed: Placement, row: int) -> Placement:
    """Return a placement with a free row more: what stands there or farther out moves outwards."""
    away = 1 if row > 0 else -1

    def moved(slot: Slot) -> Slot:
        return slot._replace(row=slot.row + away) if slot.row * away >= row * away else slot

    first, last, lowest, top = placed.inside
    return replace(
        placed,
        cells={key: moved(slot) for key, slot in placed.cells.items()},
        inside=(first, last, lowest - (away < 0), top + (away > 0)),
        output=moved(placed.output),
    )


def closed(placed: Placement) -> Placement:
    """Return a placement without the rows in which nothing stands."""
    used = {0, *(slot.row for slot in placed.cells.values())}
    first, last, lowest, top = placed.inside
    above = [row for row in range(1, top + 1) if row in used]
    below = [row for row in range(-1, lowest - 1, -1) if row in used]
    new = {0: 0}
    new |= {row: n for n, row in enumerate([*above, top + 1], 1)}
    new |= {row: -n for n, row in enumerate([*below, lowest - 1], 1)}
    return replace(
        placed,
        cells={key: slot._replace(row=new[slot.row]) for key, slot in placed.cells.items()},
        inside=(first, last, -len(below), len(above)),
        output=placed.output._replace(row=new[placed.output.row]),
    )


def _free(cell: Slot, step: tuple[int, int], cells: Mapping[str, Slot]) -> Slot:
    """Return the first cell from this one on in which nothing stands."""
    while cell in cells.values():
        cell = Slot(cell.column + step[0], cell.row + step[1])
    return cell


def _crosses(
    one: tuple[str, Slot, Slot, int, int], other: tuple[str, Slot, Slot, int, int]
) -> bool:
    """Return whether the level part of one path crosses the upright part of another."""
    _, a, b, across, _ = one
    _, c, d, _, upright = other
    left, right = sorted((a.column, b.column))
    low, high = sorted((c.row, d.row))
    return left < upright < right and low < across < high
