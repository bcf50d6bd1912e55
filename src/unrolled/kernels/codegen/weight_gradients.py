"""Weight gradients: sums of outer products over all rows and steps, as large products in registers.

    for each part of the rows n, which fits the nearest cache
      turn the gradients of a thread's units: [unit][n]
      for each source, for each group of vectors of what it holds
        lay it out: [n][vector]
        sums of products, a tile of units at a time, in registers    (tile_...)
    write the sums to where the weights' gradients stand

Threads own units of the gradient: rows of the weights. None waits for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

from ..runtime.abi import ArgumentBlock, Buffer, Role, Rows
from ..tuning import LATE, PART
from . import tile
from .arguments import Arguments
from .ir import Function, Target
from .packing import transposed
from .threads import entries, share


class Outer(NamedTuple):
    """The gradients of one run of learned layers.

    Attributes:
        units: columns of the gradient, rows of the weights.
        lengths: columns of each source, and of its weight.
    """

    units: int
    lengths: tuple[int, ...]


WRITTEN = (Role.WEIGHT, Role.BIAS, Role.WORKSPACE)
"""What these kernels write; they read gradients and sources."""


def names(number: int, outer: Outer) -> list[str]:
    """Return the names of an outer product's sources."""
    return [f"{number}.{place}" for place in range(len(outer.lengths))]


def stride(name: str) -> str:
    """Return the scalar that says how far a row of a gradient or source is from the next."""
    return f"stride {name}"


@final
class Outers:
    """Writes the module that makes the weight gradients of a cell.

    Where no gradient of a weight or bias is asked for, its address is 0.

    Args:
        outers: all of them.
        target: the processor.

    Attributes:
        block: what is handed over: the number of rows, of each outer product the gradient, its
            sources and their strides, the weights' gradients, the bias's, and workspace.
        text: of the module; its functions are ``run`` and ``run_shard``.
    """

    def __init__(self, outers: Sequence[Outer], target: Target) -> None:
        self.outers = tuple(outers)
        self.target = target
        self._functions: dict[str, str] = {}
        self._widths: dict[int, int] = {}
        self.block = self._declared()
        for number, outer in enumerate(self.outers):
            self._functions[f"outer_{number}"] = _Writer(self, number, outer).text
        self.text = "\n\n".join([*self._functions.values(), entries(target, self._entry)])

    def forget_text(self) -> None:
        """Drop the text, which takes ten times the memory of its machine code."""
        self.text = ""
        self._functions.clear()

    def _entry(self, f: Function, part: str, parts: str) -> None:
        """Write a thread's part of all outer products."""
        for number in range(len(self.outers)):
            f.do(f"call void @outer_{number}(ptr %arguments, i64 {part}, i64 {parts})")

    def _declared(self) -> ArgumentBlock:
        """Return the argument block; weights and biases named after their outer product."""
        scalars = ["rows"]
        for number, outer in enumerate(self.outers):
            scalars += [stride(name) for name in (f"{number}", *names(number, outer))]
        block = ArgumentBlock(scalars)
        for number, outer in enumerate(self.outers):
            block.declare(Buffer(Role.GRADIENT, f"{number}"), Rows.BATCH, outer.units, outer.units)
            block.declare(Buffer(Role.BIAS, f"{number}"), Rows.WHOLE, outer.units, outer.units)
            block.declare(Buffer(Role.WORKSPACE, f"{number}"), Rows.WHOLE, 0, 0)
            for name, length in zip(names(number, outer), outer.lengths, strict=True):
                block.declare(Buffer(Role.SOURCE, name), Rows.BATCH, length, length)
                count = outer.units * length
                block.declare(Buffer(Role.WEIGHT, name), Rows.WHOLE, count, count)
        block.written.update(f.buffer for f in block.fields if f.buffer.role in WRITTEN)
        return block

    def memory(self, outer: Outer, threads: int) -> int:
        """Return how many numbers an outer product's own memory is."""
        lanes, part = self.target.lanes, PART[self.target.vector_bytes]
        padded = -(-outer.units // lanes) * lanes
        widths = [self.width(length) for length in outer.lengths]
        sums = sum(-(-length // w) * w for length, w in zip(outer.lengths, widths, strict=True))
        return padded * (part + sums + 2) + threads * part * max(widths, default=0)

    def width(self, length: int) -> int:
        """Return how many numbers of a source are multiplied at a time."""
        if length not in self._widths:
            self._widths[length] = self._width(length)
        return self._widths[length]

    def _width(self, length: int) -> int:
        return tile.shape(1, length, self.target)[1] * self.target.lanes

    def tile(self, length: int) -> str:
        """Return the function that adds up products for a source of that many columns."""
        rows, blocks = tile.shape(1, length, self.target)
        every = tuple(range(blocks))
        wide = blocks * self.target.lanes
        shape = tile.Tile(
            blocks, every, (True,) * blocks, rows, wide, LATE[self.target.vector_bytes]
        )
        self._functions.setdefault(shape.name, tile.tiles(shape, self.target))
        return shape.name


@final
class _Writer:
    """Writes the function of one outer product: for a thread's share of its units."""

    def __init__(self, outers: Outers, number: int, outer: Outer) -> None:
        self.outers, self.outer, self.target = outers, outer, outers.target
        self.lanes = self.target.lanes
        self.part = PART[self.target.vector_bytes]
        head = (
            f"define internal void @outer_{number}(ptr %arguments, i64 %part, i64 %parts) noinline"
        )
        self.f = f = Function(head, self.target)
        self.read = Arguments(f, outers.block)
        groups = -(-outer.units // self.lanes)
        begin, end = share(f, groups, "%part", "%parts")
        self.first = f.mul(begin, self.lanes)
        last = f.mul(end, self.lanes)
        self.padded = f.sub(last, self.first)
        self.valid = f.least(last, outer.units)
        self.valid = f.sub(self.valid, self.first)
        self.number = number
        self.rows = self.read.scalar("rows")
        gradient = self.read.address(Buffer(Role.GRADIENT, f"{number}"))
        self.gradient = f.at(gradient, self.first)
        self.stride = self.read.scalar(stride(f"{number}"))
        memory = self.read.address(Buffer(Role.WORKSPACE, f"{number}"))
        self.turned = f.row(memory, self.first, self.part)
        free = groups * self.lanes * self.part
        self.bias = f.at(f.at(memory, free), self.first)
        free += groups * self.lanes
        self.partial = f.at(f.at(memory, free), self.first)  # of the bias, for some rows
        free += groups * self.lanes
        self.sums = []
        for length in outer.lengths:
            width = outers.width(length)
            wide = -(-length // width) * width
            base = f.at(memory, free)
            self.sums.append(f.row(base, self.first, wide))
            free += groups * self.lanes * wide
        widest = max(map(outers.width, outer.lengths), default=0)
        own = f.mul("%part", self.part * widest)
        self.panel = f.at(f.at(memory, free), own)
        with f.when(f.let(f"icmp sgt i64 {self.padded}, 0")):
            self._body()
        f.do("ret void")
        self.text = f.text()

    def _body(self) -> None:
        f = self.f
        self._clear(self.bias, self.padded)
        for length, sums in zip(self.outer.lengths, self.sums, strict=True):
            width = self.outers.width(length)
            wide = -(-length // width) * width
            self._clear(sums, f.mul(self.padded, wide))
        with f.loop("n", 0, self.rows, self.part) as chunk:
            left = f.sub(self.rows, chunk.at)
            count = f.least(left, self.part)
            at = f.row(self.gradient, chunk.at, self.stride)
            self._turn(at, count)
            for number in range(len(self.outer.lengths)):
                self._source(number, chunk.at, count)
        self._write_bias()
        for number in range(len(self.outer.lengths)):
            self._write(number)

    def _name(self, place: int) -> str:
        return names(self.number, self.outer)[place]

    def _clear(self, base: str, count: str) -> None:
        """Store zeros, whole vectors of them."""
        f, target = self.f, self.target
        with f.loop("z", 0, count, self.lanes) as loop:
            f.store(target.vector, target.splat(0), f.at(base, loop.at))

    def _each_vector(self, action: Callable[[str, str | None], None]) -> None:
        """Do something for each vector of units; the last may be narrower than a register."""
        f = self.f
        rest = self.outer.units % self.lanes
        whole = f.div(self.valid, self.lanes)
        whole = f.mul(whole, self.lanes)
        with f.loop("m", 0, whole, self.lanes) as loop:
            action(loop.at, None)
        if rest:
            with f.when(f.let(f"icmp slt i64 {whole}, {self.valid}")):
                action(whole, f.first_lanes(rest))

    def _turn(self, gradient: str, count: str) -> None:
        """Transpose the gradients of some rows, and add them up.

        As many rows as a vector has lanes are read side by side: each in the order of its memory.
        """
        f = self.f
        self.chunk, self.count = gradient, count
        self._clear(self.partial, self.padded)
        whole = f.div(count, self.lanes)
        whole = f.mul(whole, self.lanes)
        with f.loop("n", 0, whole, self.lanes) as loop:
            self._each_vector(lambda unit, mask: self._square(unit, mask, loop.at, True))
        with f.when(f.let(f"icmp slt i64 {whole}, {count}")):
            self._each_vector(lambda unit, mask: self._square(unit, mask, whole, False))
        self._each_vector(lambda unit, mask: self._add(self.partial, self.bias, unit))

    def _square(self, unit: str, mask: str | None, row: str, is_whole: bool) -> None:
        """Transpose a vector of units of as many rows; beyond the last row there is nothing."""
        f, kind, lanes = self.f, self.target.vector, self.lanes
        column = f.at(self.chunk, unit)
        last = f.sub(self.count, 1)
        rows = []
        for lane in range(lanes):
            n = f.add(row, lane)
            if not is_whole:
                n = f.least(n, last)
            address = f.row(column, n, self.stride)
            rows.append(f.load_lanes(address, mask))
        into = f.at(self.partial, unit)
        total = f.load(kind, into)
        if is_whole:
            total = f.let(f"fadd {kind} {total}, {self._total(rows)}")
        else:
            with f.loop("n", row, self.count, carried=[(kind, total)]) as loop:
                address = f.row(column, loop.at, self.stride)
                value = f.load_lanes(address, mask)
                loop.carried[0] = f.let(f"fadd {kind} {loop.carried[0]}, {value}")
            total = loop.carried[0]
        f.store(kind, total, into)
        into = f.row(self.turned, unit, self.part)
        for lane, vector in enumerate(transposed(f, rows)):
            f.store(kind, vector, f.at(f.at(into, lane * self.part), row))

    def _total(self, vectors: list[str]) -> str:
        """Return their sum, two and two: rounding errors grow slowly."""
        while len(vectors) > 1:
            pairs = zip(vectors[::2], vectors[1::2], strict=True)
            vectors = [self.f.let(f"fadd {self.target.vector} {a}, {b}") for a, b in pairs]
        return vectors[0]

    def _add(self, source: str, into: str, unit: str) -> None:
        """Add one vector of numbers to another."""
        f, kind = self.f, self.target.vector
        place = f.at(into, unit)
        value = f.load(kind, f.at(source, unit))
        f.store(kind, f.let(f"fadd {kind} {f.load(kind, place)}, {value}"), place)

    def _source(self, number: int, row: str, count: str) -> None:
        """Write all products of some rows of one source with the gradients."""
        f, length = self.f, self.outer.lengths[number]
        source = self._name(number)
        base, pitch = (
            self.read.address(Buffer(Role.SOURCE, source)),
            self.read.scalar(stride(source)),
        )
        base = f.row(base, row, pitch)
        width, name = self.outers.width(length), self.outers.tile(length)
        weight = self.read.address(Buffer(Role.WEIGHT, source))
        with f.when(f.let(f"icmp ne ptr {weight}, null")):
            for whole in (True, False):
                begin, end = (
                    (0, length // width) if whole else (length // width, -(-length // width))
                )
                if begin == end:
                    continue
                with f.loop("g", begin, end) as group:
                    column = f.mul(group.at, width)
                    valid = width if whole else length % width
                    self._panel(f.at(base, column), pitch, count, width, valid)
                    size = f.mul(self.padded, width)
                    into = f.row(self.sums[number], group.at, size)
                    f.do(
                        f"call void @{name}(ptr {into}, ptr {into}, i64 {width}, "
                        f"ptr {self.turned}, i64 {self.part}, ptr {self.panel}, i64 {width}, "
                        f"i64 {count}, i64 {self.valid})"
                    )

    def _panel(self, base: str, stride: str, count: str, width: int, valid: int) -> None:
        """Lay out some columns of a source side by side."""
        f, lanes = self.f, self.lanes
        with f.loop("n", 0, count) as loop:
            row = f.row(base, loop.at, stride)
            into = f.row(self.panel, loop.at, width)
            for begin in range(0, width, lanes):
                value = self.target.splat(0)
                if begin < valid:
                    value = f.load_lanes(f.at(row, begin), f.first_lanes(valid - begin))
                f.store(self.target.vector, value, f.at(into, begin))

    def _write_bias(self) -> None:
        f = self.f
        bias = self.read.address(Buffer(Role.BIAS, f"{self.number}"))
        self.into = f.at(bias, self.first)
        with f.when(f.let(f"icmp ne ptr {bias}, null")):
            self._each_vector(self._write_bias_vector)

    def _write_bias_vector(self, unit: str, mask: str | None) -> None:
        value = self.f.load(self.target.vector, self.f.at(self.bias, unit))
        self.f.store_lanes(value, self.f.at(self.into, unit), mask)

    def _write(self, number: int) -> None:
        """Write out the sums of one source, row by row."""
        f, length = self.f, self.outer.lengths[number]
        width = self.outers.width(length)
        start = self.read.address(Buffer(Role.WEIGHT, self._name(number)))
        weight = f.row(start, self.first, length)
        with (
            f.when(f.let(f"icmp ne ptr {start}, null")),
            f.loop("m", 0, self.valid) as unit,
        ):
            into = f.row(weight, unit.at, length)
            row = f.row(self.sums[number], unit.at, width)
            size = f.mul(self.padded, width)
            if length // width:
                with f.loop("g", 0, length // width) as group:
                    start = f.row(row, group.at, size)
                    self._copy(start, f.row(into, group.at, width), width)
            if length % width:
                start = f.row(row, size, length // width)
                self._copy(start, f.at(into, length // width * width), length % width)

    def _copy(self, start: str, into: str, count: int) -> None:
        f = self.f
        for begin in range(0, count, self.lanes):
            value = f.load(self.target.vector, f.at(start, begin))
            f.store_lanes(value, f.at(into, begin), f.first_lanes(count - begin))
