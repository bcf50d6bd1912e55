"""Weights laid out in the order in which tiles read them: [group][k][column][lane].

A matrix is turned in squares of lanes by lanes, in registers. What is beyond the last unit is never
used: it may hold anything.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, final

from ..planning.schedule import Factor
from .ir import Function, Target


class Layout(Enum):
    """How a kernel reads its weights."""

    HELD = "held"  # as the module holds them: for few rows
    WHOLE = "whole"  # laid out before the loop: for many steps
    PANEL = "panel"  # laid out for each group of units as its turn comes: for one step of many rows

    def lays_out(self, factor: Factor) -> bool:
        """Return whether a matrix is laid out.

        For one step it is not worth it if its units stand side by side already.
        """
        if self is Layout.PANEL:
            return not factor.transposed
        return self is Layout.WHOLE


@final
class Pack(NamedTuple):
    """One matrix of a pass, as it is laid out.

    Attributes:
        factor: which rows of which weight.
        length: k, how many numbers of the source are multiplied.
        units: of the result.
        blocks: vectors of units in one group.
        groups: of blocks.
    """

    factor: Factor
    length: int
    units: int
    blocks: int
    groups: int

    def columns(self) -> int:
        """Return how many vectors stand side by side for one k."""
        return self.blocks * len(self.factor.targets)

    def group_size(self, lanes: int) -> int:
        """Return how many numbers a group is; k is rounded up to whole vectors."""
        return -(-self.length // lanes) * lanes * self.columns() * lanes

    def size(self, lanes: int) -> int:
        """Return how many numbers all groups are."""
        return self.groups * self.group_size(lanes)


def packing(number: int, pack: Pack, target: Target) -> str:
    """Return the function that lays out the groups from %begin to %end."""
    head = (
        f"define internal void @pack_{number}(ptr %to, ptr %weight, i64 %begin, i64 %end) noinline"
    )
    f = Function(head, target)
    with f.loop("g", "%begin", "%end") as group:
        place = f.sub(group.at, "%begin")
        into = f.row("%to", place, pack.group_size(target.lanes))
        unit = f.mul(group.at, pack.blocks * target.lanes)
        for block in range(pack.blocks):
            first = f.add(unit, block * target.lanes)
            if pack.factor.transposed:
                _copied(f, pack, into, first, block)
                continue
            for start, count in _runs(pack.factor.rows):
                place = pack.factor.rows.index(start)
                with f.loop("r", 0, count) as row:  # one text for all of them
                    column = f.add(row.at, block * len(pack.factor.rows) + place)
                    own = f.add(row.at, start)
                    _turned(f, pack, into, first, own, column)
    f.do("ret void")
    return f.text()


def _runs(rows: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return runs of adjoining rows: the first, and how many."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((row, 1))
    return runs


def _turned(f: Function, pack: Pack, into: str, first: str, row: str, column: str) -> None:
    """Lay out one column of a group: the weights of a vector of units, which stand in rows."""
    target, lanes, length = f.target, f.target.lanes, pack.length
    last = pack.units - 1
    rows = []
    begin = f.mul(row, pack.units)
    into = f.row(into, column, lanes)
    for lane in range(lanes):
        unit = f.add(first, lane)
        unit = f.least(unit, last)
        at = f.add(unit, begin)
        rows.append(f.row("%weight", at, length))
    stride = pack.columns() * lanes

    def square(k: str, count: int) -> None:
        mask = f.first_lanes(count)
        vectors = transposed(f, [f.load_lanes(f.at(address, k), mask) for address in rows])
        base = f.row(into, k, stride)
        for place, vector in enumerate(vectors):
            f.store(target.vector, vector, f.at(base, place * stride))

    whole = length // lanes * lanes
    if whole:
        with f.loop("k", 0, whole, lanes) as loop:
            square(loop.at, lanes)
    if length % lanes:
        square(str(whole), length % lanes)


def _copied(f: Function, pack: Pack, into: str, first: str, block: int) -> None:
    """Lay out one column of a transposed matrix: its units stand side by side already."""
    target, lanes = f.target, f.target.lanes
    (row,) = pack.factor.rows
    left = f.sub(pack.units, first)
    with f.loop("k", 0, pack.length) as loop:
        at = f.add(loop.at, row * pack.length)
        source = f.at("%weight", f.add(f.mul(at, pack.units), first))
        value = f.load_lanes(source, f.mask(left) if pack.units % (lanes * pack.blocks) else None)
        place = f.mul(loop.at, pack.columns() * lanes)
        f.store(target.vector, value, f.at(f.at(into, place), block * lanes))


def transposed(f: Function, vectors: list[str]) -> list[str]:
    """Return the columns of a square of given rows: in each round, halves of two rows change."""
    lanes, kind = f.target.lanes, f.target.vector
    size = lanes // 2
    while size:
        for a in range(lanes):
            if a & size:
                continue
            pair = vectors[a], vectors[a + size]
            low, high = [], []
            for lane in range(lanes):
                other = bool(lane & size)
                low.append(lane - size + lanes if other else lane)
                high.append(lane + lanes if other else lane + size)
            for place, lanes_of in ((a, low), (a + size, high)):
                mask = ", ".join(f"i32 {lane}" for lane in lanes_of)
                vectors[place] = f.let(
                    f"shufflevector {kind} {pair[0]}, {kind} {pair[1]}, <{lanes} x i32> <{mask}>"
                )
        size //= 2
    return vectors
