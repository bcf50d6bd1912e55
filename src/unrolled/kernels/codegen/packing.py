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
        """How many vectors stand side by side for one k."""
        return self.blocks * len(self.factor.targets)

    def group_size(self, lanes: int) -> int:
        """The numbers of one group; k is rounded up to whole vectors."""
        return -(-self.length // lanes) * lanes * self.columns() * lanes

    def size(self, lanes: int) -> int:
        """The numbers of the whole."""
        return self.groups * self.group_size(lanes)


def packing(number: int, pack: Pack, target: Target) -> str:
    """Return the function that lays out the groups from %begin to %end."""
    head = (
        f"define internal void @pack_{number}(ptr %to, ptr %weight, i64 %begin, i64 %end) noinline"
    )
    f = Function(head, target)
    with f.loop("g", "%begin", "%end") as group:
        place = f.let(f"sub nsw i64 {group.at}, %begin")
        into = f.at("%to", f.let(f"mul nsw i64 {place}, {pack.group_size(target.lanes)}"))
        unit = f.let(f"mul nsw i64 {group.at}, {pack.blocks * target.lanes}")
        for block in range(pack.blocks):
            first = f.let(f"add nsw i64 {unit}, {block * target.lanes}")
            if pack.factor.transposed:
                _copied(f, pack, into, first, block)
                continue
            for start, count in _runs(pack.factor.rows):
                place = pack.factor.rows.index(start)
                with f.loop("r", "0", str(count)) as row:  # one text for all of them
                    column = f.let(f"add nsw i64 {row.at}, {block * len(pack.factor.rows) + place}")
                    own = f.let(f"add nsw i64 {row.at}, {start}")
                    _turned(f, pack, into, first, own, column)
    f.do("ret void")
    return f.text()


def _runs(rows: tuple[int, ...]) -> list[tuple[int, int]]:
    """Runs of adjoining rows: the first, and how many."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((row, 1))
    return runs


def _turned(f: Function, pack: Pack, into: str, first: str, row: str, column: str) -> None:
    """One column of a group: the weights of a vector of units, which stand in rows."""
    target, lanes, length = f.target, f.target.lanes, pack.length
    last = pack.units - 1
    rows = []
    begin = f.let(f"mul nsw i64 {row}, {pack.units}")
    into = f.at(into, f.let(f"mul nsw i64 {column}, {lanes}"))
    for lane in range(lanes):
        unit = f.let(f"add nsw i64 {first}, {lane}")
        unit = f.let(f"call i64 @llvm.smin.i64(i64 {unit}, i64 {last})")
        at = f.let(f"add nsw i64 {unit}, {begin}")
        rows.append(f.at("%weight", f.let(f"mul nsw i64 {at}, {length}")))
    stride = pack.columns() * lanes

    def square(k: str, count: int) -> None:
        mask = f.first_lanes(count)
        vectors = transposed(f, [f.load_lanes(f.at(address, k), mask) for address in rows])
        base = f.at(into, f.let(f"mul nsw i64 {k}, {stride}"))
        for place, vector in enumerate(vectors):
            f.store(target.vector, vector, f.at(base, str(place * stride)))

    whole = length // lanes * lanes
    if whole:
        with f.loop("k", "0", str(whole), str(lanes)) as loop:
            square(loop.at, lanes)
    if length % lanes:
        square(str(whole), length % lanes)


def _copied(f: Function, pack: Pack, into: str, first: str, block: int) -> None:
    """One column of a group of a transposed matrix: its units stand side by side already."""
    target, lanes = f.target, f.target.lanes
    (row,) = pack.factor.rows
    left = f.let(f"sub nsw i64 {pack.units}, {first}")
    with f.loop("k", "0", str(pack.length)) as loop:
        at = f.let(f"add nsw i64 {loop.at}, {row * pack.length}")
        source = f.at(
            "%weight", f.let(f"add nsw i64 {f.let(f'mul nsw i64 {at}, {pack.units}')}, {first}")
        )
        value = f.load_lanes(source, f.mask(left) if pack.units % (lanes * pack.blocks) else None)
        place = f.let(f"mul nsw i64 {loop.at}, {pack.columns() * lanes}")
        f.store(target.vector, value, f.at(f.at(into, place), str(block * lanes)))


def transposed(f: Function, vectors: list[str]) -> list[str]:
    """The columns of a square whose rows are given: in each round, halves of two rows change."""
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
