"""The text of a kernel: loops over steps, passes, units and rows around a few vector instructions.

One kernel computes all steps for the rows of one thread:

    for each step
      for each pass
        for each block of units
          for each tile of rows
            sums of matrix products, in registers      (tile_...)
            for each row of the tile
              everything else, unit by unit            (point_...)

The block of units is outside, so that its part of the weights stays in the cache for all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, final

from ...equations import Node
from ...equations.node import Size
from ...equations.operation import Operation
from . import mathematics
from .point import Point
from .schedule import Factor, Pass, Schedule
from .text import Function, Target


class Array(NamedTuple):
    """A place in memory that a kernel reads or writes."""

    name: str
    kind: str  # how the rows of a step are found: "step", "vector", "rows", "thread"
    stride: int  # numbers from one row to the next


class Pack(NamedTuple):
    """A matrix laid out in the order in which a pass reads it: [group][k][block][target][lane]."""

    factor: Factor
    length: int  # k: how many numbers of the source are multiplied
    units: int  # of the result
    blocks: int  # of lanes, in one group
    groups: int


def tile_shape(products: int, target: Target) -> tuple[int, int]:
    """How many rows and blocks of units one tile holds, so that its sums stay in registers."""
    if products == 0:
        return 8, 1
    blocks = max(1, 4 // products) if target.registers >= 32 else max(1, 2 // products)
    columns = blocks * products
    rows = (target.registers - 2 - columns) // columns
    return max(1, min(8, rows)), blocks


@final
class Source:
    """Writes the kernel of a schedule.

    Args:
        schedule: the passes.
        units: how many units I, H and P are.
        strides: for arrays of inputs and stored values that stand in wider rows, those rows' width.
        target: the processor.

    Attributes:
        arrays: in the order in which the kernel takes them.
        packs: likewise, after the arrays.
        shapes: of each pass, the rows and blocks of its tiles, and how many groups of blocks.
        text: of the whole module; its functions are ``rows`` and ``threads``.
    """

    def __init__(
        self,
        schedule: Schedule,
        units: Mapping[Size, int],
        strides: Mapping[str, int],
        target: Target,
    ) -> None:
        self.schedule = schedule
        self.units = units
        self.strides = strides
        self.target = target
        self.arrays: list[Array] = []
        self.packs: list[Pack] = []
        self._places: dict[str, int] = {}
        self._functions: list[str] = []
        self._routines: set[str] = set()
        self.shapes = [self._pass(number, p) for number, p in enumerate(schedule.passes)]
        self.text = self._module()

    # Arrays.

    def array(self, name: str, kind: str, size: Size) -> int:
        """The number of an array; it is listed on first use."""
        if name not in self._places:
            self._places[name] = len(self.arrays)
            stride = self.strides.get(name, self.units[size])
            self.arrays.append(Array(name, kind, 0 if kind == "vector" else stride))
        return self._places[name]

    def step_array(self, name: str, node: Node) -> int:
        """The array of a value that every step writes."""
        return self.array(name, "step", self.schedule.sizes[node])

    def leaf(self, node: Node) -> int:
        """The array from which a leaf is read."""
        size = self.schedule.sizes[node]
        if node.operation is Operation.LEARNED:
            return self.array(f"learned {node.attribute.name}", "vector", size)
        if node.operation is Operation.STATE:
            return self.array(f"old {node.attribute}", "step", size)
        kind = "vector" if self.strides.get(node.attribute) == 0 else "step"
        return self.array(node.attribute, kind, size)

    def memory(self, node: Node) -> int | None:
        """The array in which a computed value is kept, if it is kept."""
        schedule = self.schedule
        for name, stored in schedule.stored.items():
            if stored is node:
                return self.array(name, "step", schedule.sizes[node])
        for state in schedule.graph.states:
            if schedule.graph.values[state] is node:
                return self.array(f"new {state}", "step", schedule.sizes[node])
        for number, kept in enumerate(schedule.kept):
            if kept is node:
                return self.array(f"kept {number}", "rows", schedule.sizes[node])
        return None

    # One pass.

    def _pass(self, number: int, work: Pass) -> tuple[int, int, int]:
        """Write the functions of a pass; rows and blocks of its tile, and groups of blocks."""
        rows, blocks = tile_shape(len(work.products), self.target)
        width = blocks * self.target.lanes
        groups = -(-self.units[work.size] // width)
        first = len(self.packs)
        for factor in work.factors:
            length = self.units[self.schedule.sizes[factor.source]]
            self.packs.append(Pack(factor, length, self.units[work.size], blocks, groups))
        if work.products:
            for count in self.tile_heights(rows):
                self._functions.append(self._tile(number, work, count, blocks, first))
        self._functions.append(Point(self, number, work, blocks).text)
        return rows, blocks, groups

    @staticmethod
    def tile_heights(rows: int) -> list[int]:
        """Tiles of fewer rows for what is left over: 6, 4, 2, 1."""
        return [*range(rows, 1, -2), 1]

    def _tile(self, number: int, work: Pass, rows: int, blocks: int, first: int) -> str:
        """Sums of matrix products for some rows and one group of blocks, into %tile."""
        target = self.target
        columns = blocks * len(work.products)
        sources = "".join(f", ptr %source{i}, ptr %pack{i}" for i in range(len(work.factors)))
        f = Function(
            f"define internal void @tile_{number}_{rows}(ptr %tile, ptr %bias{sources}) noinline",
            target,
        )
        start = [
            f.load(target.vector, f.at("%bias", str(c * target.lanes))) for c in range(columns)
        ]
        sums = [start[c] for _ in range(rows) for c in range(columns)]
        for i, factor in enumerate(work.factors):
            pack = self.packs[first + i]
            stride = self._source_array(factor).stride
            used = [b * len(work.products) + t for b in range(blocks) for t in factor.targets]
            carried = [(target.vector, sums[r * columns + c]) for r in range(rows) for c in used]
            with f.loop("k", "0", str(pack.length), carried=carried) as loop:
                at = f.let(f"mul nuw nsw i64 {loop.at}, {len(used) * target.lanes}")
                base = f.at(f"%pack{i}", at)
                weights = [
                    f.load(target.vector, f.at(base, str(c * target.lanes)))
                    for c in range(len(used))
                ]
                for r in range(rows):
                    row = f.at(f"%source{i}", str(r * stride))
                    x = f.broadcast(f.load(target.dtype, f.at(row, loop.at)))
                    for c, weight in enumerate(weights):
                        place = r * len(used) + c
                        loop.carried[place] = mathematics.fma(f, x, weight, loop.carried[place])
            for r in range(rows):
                for place, c in enumerate(used):
                    sums[r * columns + c] = loop.carried[r * len(used) + place]
        for place, total in enumerate(sums):
            f.store(target.vector, total, f.at("%tile", str(place * target.lanes)))
        f.do("ret void")
        return f.text()

    def _source_array(self, factor: Factor) -> Array:
        return self.arrays[self._source_place(factor)]

    def _source_place(self, factor: Factor) -> int:
        node = factor.source
        place = self.memory(node) if node.arguments else self.leaf(node)
        assert place is not None, "what a product reads is kept"
        return place

    # The whole.

    def _module(self) -> str:
        main = self._main()  # last, so that all arrays are known
        parts = [mathematics.routine(name, self.target) for name in sorted(self._routines)]
        return "\n\n".join([*parts, *self._functions, main, _threads(self.target)])

    def routine(self, name: str) -> None:
        """Note that a routine of `mathematics` is called."""
        self._routines.add(name)

    def _main(self) -> str:
        """All steps for the rows from %begin to %end."""
        f = Function(
            "define void @rows(ptr %arguments, i64 %begin, i64 %end, i64 %thread)", self.target
        )
        lanes = self.target.lanes
        largest = max(
            (rows * blocks * len(p.products) * lanes)
            for (rows, blocks, _), p in zip(self.shapes, self.schedule.passes, strict=True)
        )
        tile = f.let(f"alloca [{max(largest, 1)} x {self.target.dtype}], align 64")
        frame = f.let(f"alloca [{len(self.arrays) + 1} x ptr], align 8")
        steps = f.load("i64", "%arguments")
        counts = f.load("ptr", f.at("%arguments", "1", "ptr"))
        bases = [
            f.load("ptr", f.at("%arguments", str(2 + 2 * i), "ptr"))
            for i in range(len(self.arrays))
        ]
        offsets = [
            f.load("ptr", f.at("%arguments", str(3 + 2 * i), "ptr"))
            for i in range(len(self.arrays))
        ]
        start = 2 + 2 * len(self.arrays)
        packs = [
            f.load("ptr", f.at("%arguments", str(start + i), "ptr")) for i in range(len(self.packs))
        ]
        start += len(self.packs)
        biases = [
            f.load("ptr", f.at("%arguments", str(start + i), "ptr"))
            for i in range(len(self.shapes))
        ]
        with f.loop("t", "0", steps) as time:
            count = f.load("i64", f.at(counts, time.at, "i64"))
            fewer = f.let(f"icmp slt i64 {count}, %end")
            last = f.let(f"select i1 {fewer}, i64 {count}, i64 %end")
            now = [self._now(f, i, bases[i], offsets[i], time.at) for i in range(len(self.arrays))]
            for i, base in enumerate(now):
                f.store_pointer(base, f.at(frame, str(i), "ptr"))
            first = 0
            for number, work in enumerate(self.schedule.passes):
                mine = packs[first : first + len(work.factors)]
                first += len(work.factors)
                self._run(f, number, work, tile, frame, now, mine, biases[number], last)
        f.do("ret void")
        return f.text()

    def _now(self, f: Function, place: int, base: str, offsets: str, t: str) -> str:
        """Where an array's rows of this step begin."""
        array = self.arrays[place]
        if array.kind == "thread":
            return f.at(base, f.let(f"mul nsw i64 %thread, {array.stride}"))
        if array.kind != "step":
            return base
        row = f.load("i64", f.at(offsets, t, "i64"))
        return f.at(base, f.let(f"mul nsw i64 {row}, {array.stride}"))

    def _run(
        self,
        f: Function,
        number: int,
        work: Pass,
        tile: str,
        frame: str,
        now: list[str],
        packs: list[str],
        bias: str,
        last: str,
    ) -> None:
        """One pass over all units of the rows."""
        rows, blocks, groups = self.shapes[number]
        lanes = self.target.lanes
        width = blocks * lanes
        columns = blocks * len(work.products)
        sizes = [
            pack.length * blocks * len(pack.factor.targets) * lanes
            for pack in self.packs
            if any(pack.factor is factor for factor in work.factors)
        ]
        with f.loop("u", "0", str(groups)) as group:
            mine = [
                f.at(pack, f.let(f"mul nsw i64 {group.at}, {size}"))
                for pack, size in zip(packs, sizes, strict=True)
            ]
            offset = f.at(bias, f.let(f"mul nsw i64 {group.at}, {columns * lanes}"))
            unit = f.let(f"mul nsw i64 {group.at}, {width}")
            row = "%begin"
            for count in self.tile_heights(rows):
                stop = f.let(f"sub nsw i64 {last}, {count - 1}")
                with f.loop("r", row, stop, str(count)) as tiles:
                    if work.products:
                        sources = ""
                        for factor, pack in zip(work.factors, mine, strict=True):
                            place = self._source_place(factor)
                            stride = self.arrays[place].stride
                            at = f.let(f"mul nsw i64 {tiles.at}, {stride}")
                            sources += f", ptr {f.at(now[place], at)}, ptr {pack}"
                        f.do(f"call void @tile_{number}_{count}(ptr {tile}, ptr {offset}{sources})")
                    with f.loop("q", "0", str(count)) as inner:
                        this = f.let(f"add nsw i64 {tiles.at}, {inner.at}")
                        here = f.at(tile, f.let(f"mul nsw i64 {inner.at}, {columns * lanes}"))
                        f.do(
                            f"call void @point_{number}(ptr {frame}, ptr {here}, i64 {this}, "
                            f"i64 {unit})"
                        )
                row = tiles.at


OPENMP = ("omp_get_thread_num", "omp_get_num_threads")
"""The functions that tell a thread its share."""


def _threads(target: Target) -> str:
    """The function that each thread of a team runs: its share of the rows, in whole tiles."""
    f = Function("define void @threads(ptr %job)", target)
    arguments = f.load("ptr", "%job")
    rows = f.load("i64", f.at("%job", "1", "i64"))
    thread = f.let(f"sext i32 {f.let('call i32 @omp_get_thread_num()')} to i64")
    team = f.let(f"sext i32 {f.let('call i32 @omp_get_num_threads()')} to i64")
    less = f.let(f"add nsw i64 {team}, -1")
    share = f.let(f"sdiv i64 {f.let(f'add nsw i64 {rows}, {less}')}, {team}")
    begin = f.let(f"mul nsw i64 {thread}, {share}")
    stop = f.let(f"add nsw i64 {begin}, {share}")
    beyond = f.let(f"icmp sgt i64 {stop}, {rows}")
    end = f.let(f"select i1 {beyond}, i64 {rows}, i64 {stop}")
    f.do(f"call void @rows(ptr {arguments}, i64 {begin}, i64 {end}, i64 {thread})")
    f.do("ret void")
    declared = [f"declare i32 @{name}()" for name in OPENMP]
    return "\n".join([*declared, "", f.text()])
