"""The text of a kernel: loops over steps, passes, units and rows around a few vector instructions.

    for each step
      for each pass
        for each group of blocks of units
          for each chunk of rows
            for each matrix, a part of its k at a time
              sums of products, a tile of rows at a time, in registers    (tile_... or dot_...)
            everything else, row by row and unit by unit                  (point_...)

The group of units is outside, so that its part of the weights stays in the cache for all rows.
Threads own rows for the whole sequence; where rows are few they own units, and wait
for each other after every pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, final

from ...graph.learned import Size
from ...locks import cached_property
from ..planning.schedule import Pass, Schedule
from ..runtime.abi import Buffer, Field, Role, Rows
from ..tuning import CHUNK, FAR, PANEL, STACK
from . import mathematics, threads, tile
from .arguments import Arguments
from .fields import Fields
from .ir import Function, Target
from .packing import Layout, Pack, packing
from .pointwise import Point
from .threads import share


@final
@dataclass
class Work:
    """A pass as it is written: how units are grouped, and what its matrices are read from."""

    number: int
    work: Pass
    rows: int  # of a tile
    blocks: int
    groups: int
    valid: int  # units of the last group
    first: int  # of its matrices, among all
    packs: list[Pack] = field(default_factory=list)
    slots: int = 0  # values that wait for a later loop over the rows
    points: dict[int, list[str]] = field(default_factory=dict)  # functions, by units of a group


@final
class Chunk(NamedTuple):
    """Some rows and one group of units of a pass, as they are written.

    Attributes:
        work: the pass.
        group, unit: the number of the group and of its first unit.
        row, rows: the number of the first row, and how many there are.
        valid: units that the group has.
    """

    work: Work
    group: str
    unit: str
    row: str
    rows: str
    valid: int


@final
class Source:
    """Writes the kernel of a schedule.

    Args:
        schedule: the passes.
        units: how many units I, H and P are.
        strides: of buffers that stand in wider rows, those rows' width; 0 if all rows are one.
        target: the processor.
        layout: how weights are read.

    Attributes:
        fields: the argument block, as its buffers are declared.
        packs: the matrices of all passes.
        works: the passes.
        text: of the whole module; its functions are ``run`` and ``run_shard``.
    """

    def __init__(
        self,
        schedule: Schedule,
        units: Mapping[Size, int],
        strides: Mapping[Buffer, int],
        target: Target,
        layout: Layout,
    ) -> None:
        self.schedule = schedule
        self.units = units
        self.target = target
        self.layout = layout
        self.fields = fields = Fields(schedule, units, strides)
        self.packs: list[Pack] = []
        self._functions: dict[str, str] = {}
        self._routines: set[str] = set()
        self.works = [self._work(number, work) for number, work in enumerate(schedule.passes)]
        for work in self.works:  # all buffers have to be known before one is read
            self._points(work)
            for pack in work.packs:
                fields.source(pack.factor)
        self.moving = len(fields.block.fields)  # the buffers that have rows
        for number, pack in enumerate(self.packs):
            fields.matrix(number, pack, target.lanes, layout)
        for work in self.works:
            count = work.groups * work.blocks * len(work.work.products) * target.lanes
            fields.start_values(work.number, work.work, count)
        for work in self.works:
            self._functions[f"pass_{work.number}"] = self._pass(work)
        self.text = self._module()

    def forget_text(self) -> None:
        """Drop the text, which takes ten times the memory of its machine code."""
        self.text = ""
        self._functions.clear()

    # Functions.

    def _work(self, number: int, work: Pass) -> Work:
        units = self.units[work.size]
        rows, blocks = tile.shape(len(work.products), units, self.target)
        width = blocks * self.target.lanes
        groups = -(-units // width)
        found = Work(
            number, work, rows, blocks, groups, units - (groups - 1) * width, len(self.packs)
        )
        for factor in work.factors:
            length = self.units[self.schedule.sizes[factor.source]]
            found.packs.append(Pack(factor, length, units, blocks, groups))
        self.packs += found.packs
        return found

    def _points(self, work: Work) -> None:
        """Write what a pass computes unit by unit, for a full group and for the last one."""
        full = work.blocks * self.target.lanes
        for valid in {full, work.valid} if work.groups > 1 else {work.valid}:
            name = f"point_{work.number}_{valid}"
            point = Point(self.fields, self.target, name, work.work, work.blocks, valid)
            self._functions |= point.texts
            self._routines |= point.routines
            work.points[valid] = list(point.texts)
            work.slots = len(point.slots)

    def _module(self) -> str:
        main = _Main(self)
        routines = [mathematics.routine(name, self.target) for name in sorted(self._routines)]
        packings = [
            packing(number, pack, self.target)
            for number, pack in enumerate(self.packs)
            if self.layout.lays_out(pack.factor)
        ]
        bodies = list(self._functions.values())
        return "\n\n".join(
            [
                *routines,
                *packings,
                *bodies,
                main.prepare(),
                main.work(),
                threads.kernel(self.fields.block, self.target),
            ]
        )

    def _pass(self, work: Work) -> str:
        """Write one pass over the groups of units from %from to %to, for the rows of a thread."""
        f = Function(
            f"define internal void @pass_{work.number}(ptr %arguments, ptr %frame, ptr %tile, "
            "i64 %begin, i64 %end, i64 %from, i64 %to) noinline",
            self.target,
        )
        full = work.blocks * self.target.lanes
        whole = work.groups if work.valid == full else work.groups - 1
        stop = f.least("%to", whole)
        if whole:
            with f.loop("g", "%from", stop) as group:
                self._group(f, work, group.at, full)
        if whole < work.groups:
            with f.when(f.let(f"icmp eq i64 %to, {work.groups}")):
                self._group(f, work, str(whole), work.valid)
        f.do("ret void")
        return f.text()

    def _group(self, f: Function, work: Work, group: str, valid: int) -> None:
        """Write all rows of one group of units, a chunk at a time."""
        unit = f.mul(group, work.blocks * self.target.lanes)
        slots = f.at("%tile", self._sums())
        if self.layout is Layout.PANEL:
            self._lay_out(f, work, group)
        with f.loop("c", "%begin", "%end", self.chunk) as loop:
            rows = f.least(f.sub("%end", loop.at), self.chunk)
            chunk = Chunk(work, group, unit, loop.at, rows, valid)
            for number in range(len(work.packs)):
                factor = work.packs[number].factor
                if factor.transposed or self.layout.lays_out(factor):
                    self._tiles(f, chunk, number)
                else:
                    self._dots(f, chunk, number)
            for name in work.points[valid]:
                f.do(
                    f"call void @{name}(ptr %frame, ptr %tile, ptr {slots}, "
                    f"i64 {loop.at}, i64 {rows}, i64 {unit})"
                )

    def _lay_out(self, f: Function, work: Work, group: str) -> None:
        """Lay out the weights of one group, for all rows of a thread."""
        after = f.add(group, 1)
        read = Arguments(f, self.fields.block)
        for number, pack in enumerate(work.packs, work.first):
            if not self.layout.lays_out(pack.factor):
                continue
            panel = f.load("ptr", f.at("%frame", self.matrix(number), "ptr"))
            weight = read.address(Buffer(Role.WEIGHT, f"weight_{pack.factor.group}"))
            f.do(f"call void @pack_{number}(ptr {panel}, ptr {weight}, i64 {group}, i64 {after})")

    @cached_property
    def chunk(self) -> int:
        """The number of rows of a chunk: fewer if very many values of each have to be held."""
        rows = CHUNK
        while rows > 1 and rows * self._held() * self.target.vector_bytes > STACK:
            rows //= 2
        return rows

    def _held(self) -> int:
        """Return how many vectors are held of a row: sums of the largest pass, values that wait."""
        return self._columns_held() + max(work.slots for work in self.works)

    def _columns_held(self) -> int:
        return max(work.blocks * len(work.work.products) for work in self.works)

    def _sums(self) -> int:
        """Return how many numbers the largest pass's sums are, for all rows of a chunk."""
        return self.chunk * self._columns_held() * self.target.lanes

    def buffer(self) -> int:
        """Return how many numbers sums and waiting values are, for all rows of a chunk."""
        return max(1, self.chunk * self._held() * self.target.lanes)

    def _columns(self, work: Work, number: int) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """Return the sums that a matrix adds to, block by block, and whether it is the first to."""
        targets = work.packs[number].factor.targets
        before = {t for pack in work.packs[:number] for t in pack.factor.targets}
        products = len(work.work.products)
        used = tuple(b * products + t for b in range(work.blocks) for t in targets)
        return used, tuple(t not in before for _ in range(work.blocks) for t in targets)

    def _row(self, f: Function, work: Work, number: int, row: str) -> tuple[str, int]:
        """Return the address of a row that a matrix reads, and how far the next is from it."""
        field = self.fields.source(work.packs[number].factor)
        base = f.load("ptr", f.at("%frame", field.place, "ptr"))
        return f.row(base, row, field.stride), field.stride

    def _bias(self, f: Function, work: Work, group: str) -> str:
        """Return where the start values of a group's sums stand."""
        columns = work.blocks * len(work.work.products)
        base = f.load("ptr", f.at("%frame", self.bias(work), "ptr"))
        return f.row(base, group, columns * self.target.lanes)

    def bias(self, work: Work) -> int:
        """Return the place in the frame of a pass's start values: after the matrices."""
        return self.moving + len(self.packs) + work.number

    def matrix(self, number: int) -> int:
        """Return the place in the frame of a matrix."""
        return self.moving + number

    def _tiles(self, f: Function, chunk: Chunk, number: int) -> None:
        """Write the product of one matrix and the rows of a chunk."""
        work, group, unit, row, rows, valid = chunk
        pack, lanes = work.packs[number], self.target.lanes
        used, first = self._columns(work, number)
        columns = work.blocks * len(work.work.products)
        source, stride = self._row(f, work, number, row)
        base = f.load("ptr", f.at("%frame", self.matrix(work.first + number), "ptr"))
        readable = len(used) * lanes
        if self.layout.lays_out(pack.factor):
            pitch, weight = len(used) * lanes, base
            if self.layout is Layout.WHOLE:
                weight = f.row(base, group, pack.group_size(lanes))
        else:  # transposed: a row of the matrix holds the units side by side
            pitch, readable = pack.units, valid
            begin = f.add(unit, pack.factor.rows[0] * pack.length * pitch)
            weight = f.at(base, begin)
        bias = self._bias(f, work, group)
        part = self._part(len(used), pack.length)
        ahead = self._next(f, work, number, group, row) if self.fetches else ""
        for begin in range(0, pack.length, part):
            begins = tuple(is_first and begin == 0 for is_first in first)
            # Where all sums begin at once, one text serves both: what they start from tells.
            text = first if not any(begins) and all(first) else begins
            text = text if any(text) else (True,) * len(used)
            shape = tile.Tile(columns, used, text, work.rows, readable, ahead=self.fetches)
            self._functions.setdefault(shape.name, tile.tiles(shape, self.target))
            start, step = (bias, 0) if any(begins) else ("%tile", columns * lanes)
            length = min(part, pack.length - begin)
            fetched = f"ptr {f.at(ahead, begin * pitch)}, " if self.fetches else ""
            f.do(
                f"call void @{shape.name}(ptr %tile, ptr {start}, i64 {step}, "
                f"ptr {f.at(source, begin)}, i64 {stride}, "
                f"ptr {f.at(weight, begin * pitch)}, i64 {pitch}, i64 {length}, "
                f"{fetched}i64 {rows})"
            )

    def _next(self, f: Function, work: Work, number: int, group: str, row: str) -> str:
        """Return where the weights stand that are read once all rows have read a group.

        Only the first chunk of rows fetches them; for the others it is where they read already.
        """
        lanes = self.target.lanes
        following = (number + 1) % len(work.packs)
        if following <= number:
            group = f.add(group, 1)
        found = []
        for place, at in ((following, group), (number, group)):
            base = f.load("ptr", f.at("%frame", self.matrix(work.first + place), "ptr"))
            size = work.packs[place].group_size(lanes)
            found.append(f.row(base, at, size))
        is_first = f.let(f"icmp eq i64 {row}, %begin")
        return f.let(f"select i1 {is_first}, ptr {found[0]}, ptr {found[1]}")

    @property
    def fetches(self) -> bool:
        """Whether tiles fetch what is going to be read: if the weights are in no near cache."""
        size = sum(pack.size(self.target.lanes) for pack in self.packs) * self.target.bytes
        return self.layout is Layout.WHOLE and size >= FAR[self.target.vector_bytes]

    def _part(self, columns: int, length: int) -> int:
        """Return how much of k is read at a time: parts of equal length."""
        room = PANEL[self.target.vector_bytes] // (columns * self.target.vector_bytes)
        parts = -(-length // max(room, 1))
        return -(-length // parts)

    def _dots(self, f: Function, chunk: Chunk, number: int) -> None:
        """Write the product of one matrix as PyTorch holds it and the few rows of a chunk."""
        work, group, unit, row, rows, valid = chunk
        pack, lanes = work.packs[number], self.target.lanes
        used, first = self._columns(work, number)
        products = len(work.work.products)
        columns = work.blocks * products
        source, stride = self._row(f, work, number, row)
        base = f.load("ptr", f.at("%frame", self.matrix(work.first + number), "ptr"))
        bias = self._bias(f, work, group)
        for place, (column, is_first) in enumerate(zip(used, first, strict=True)):
            block, target = divmod(place, len(pack.factor.targets))
            units = min(lanes, valid - block * lanes)
            if units <= 0:
                continue
            name = tile.dot_name(pack.length, units)
            self._functions.setdefault(name, tile.dot(pack.length, units, self.target))
            begin = pack.factor.rows[target] * pack.units + block * lanes
            weight = f.row(base, f.add(unit, begin), pack.length)
            into = f.at("%tile", column * lanes)
            start, step = (bias, 0) if is_first else ("%tile", columns * lanes)
            f.do(
                f"call void @{name}(ptr {into}, i64 {columns * lanes}, "
                f"ptr {f.at(start, column * lanes)}, i64 {step}, ptr {source}, i64 {stride}, "
                f"ptr {weight}, i64 {rows})"
            )


@final
class _Main:
    """Writes ``prepare`` and ``work``, which lay out weights and call the passes."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.target = source.target

    def prepare(self) -> str:
        """Return the function that lays out a thread's shard of all matrices and biases."""
        source = self.source
        f = Function(
            "define internal void @prepare(ptr %arguments, i64 %part, i64 %parts) noinline",
            self.target,
        )
        read = Arguments(f, source.fields.block)
        for work in source.works:
            begin, end = share(f, work.groups, "%part", "%parts")
            for place, pack in enumerate(work.packs) if source.layout is Layout.WHOLE else ():
                number = work.first + place
                weight, base = self._weight(read, pack), self._packed(read, number)
                size = pack.group_size(self.target.lanes)
                into = f.row(base, begin, size)
                f.do(f"call void @pack_{number}(ptr {into}, ptr {weight}, i64 {begin}, i64 {end})")
            self._biases(f, read, work, begin, end)
        f.do("ret void")
        return f.text()

    def _weight(self, read: Arguments, pack: Pack) -> str:
        return read.address(Buffer(Role.WEIGHT, f"weight_{pack.factor.group}"))

    def _packed(self, read: Arguments, number: int) -> str:
        return read.address(Buffer(Role.PACKED, str(number)))

    def _biases(self, f: Function, read: Arguments, work: Work, begin: str, end: str) -> None:
        """Write the start values of a pass's sums: of each product the sum of its biases."""
        source, lanes, kind = self.source, self.target.lanes, self.target.vector
        products = work.work.products
        if not products:
            return
        into = read.address(Buffer(Role.BIAS, str(work.number)))
        units = source.units[work.work.size]
        bases = {
            group: read.address(Buffer(Role.WEIGHT, f"bias_{group}"))
            for parts in work.work.biases
            for group, _ in parts
        }
        with f.loop("g", begin, end) as group:
            first = f.mul(group.at, work.blocks * lanes)
            for block in range(work.blocks):
                unit = f.add(first, block * lanes)
                mask = f.mask(f.sub(units, unit))
                for product, parts in enumerate(work.work.biases):
                    total = self.target.splat(0)
                    for name, row in parts:
                        at = f.add(unit, row * units)
                        value = f.load_lanes(f.at(bases[name], at), mask)
                        total = f.let(f"fadd {kind} {total}, {value}")
                    column = block * len(products) + product
                    at = f.mul(group.at, work.blocks * len(products) * lanes)
                    f.store(kind, total, f.at(f.at(into, at), column * lanes))

    def work(self) -> str:
        """Return the function of all steps: rows from %begin to %end, units of one part."""
        source = self.source
        f = Function(
            "define internal void @work(ptr %arguments, i64 %begin, i64 %end, i64 %part, "
            "i64 %parts, i64 %thread, ptr %counter)",
            self.target,
        )
        buffer = f.let(f"alloca [{source.buffer()} x {self.target.dtype}], align 64")
        read, fields = (
            Arguments(f, source.fields.block),
            source.fields.block.fields[: source.moving],
        )
        fixed = source.moving + len(source.packs) + len(source.works)
        frame = f.let(f"alloca [{fixed + 1} x ptr], align 8")
        steps, counts = read.scalar("steps"), read.scalar("counts", "ptr")
        bases = [read.address(field.buffer) for field in fields]
        offsets = [read.starts(f) if f.rows is Rows.STEP else "" for f in fields]
        for number, pack in enumerate(source.packs):
            base = self._weight(read, pack)
            if source.layout.lays_out(pack.factor):
                field = source.fields.block.field(Buffer(Role.PACKED, str(number)))
                base = self._now(f, field, read.address(field.buffer), "", "")
            f.store_pointer(base, f.at(frame, source.matrix(number), "ptr"))
        for work in source.works:
            if work.work.products:
                base = read.address(Buffer(Role.BIAS, str(work.number)))
                f.store_pointer(base, f.at(frame, source.bias(work), "ptr"))
        shares = [share(f, work.groups, "%part", "%parts") for work in source.works]
        with f.loop("t", 0, steps) as time:
            count = f.load("i64", f.at(counts, time.at, "i64"))
            last = f.least(count, "%end")
            for field, base, offset in zip(fields, bases, offsets, strict=True):
                now = self._now(f, field, base, offset, time.at)
                f.store_pointer(now, f.at(frame, field.place, "ptr"))
            for work, (begin, end) in zip(source.works, shares, strict=True):
                f.do(
                    f"call void @pass_{work.number}(ptr %arguments, ptr {frame}, ptr {buffer}, "
                    f"i64 %begin, i64 {last}, i64 {begin}, i64 {end})"
                )
                f.do("call void @barrier(ptr %counter, i64 %parts)")
        f.do("ret void")
        return f.text()

    def _now(self, f: Function, field: Field, base: str, starts: str, t: str) -> str:
        """Return where a buffer's rows of this step begin."""
        if field.rows is Rows.THREAD:
            return f.row(base, "%thread", field.stride)
        if field.rows is not Rows.STEP:
            return base
        row = f.load("i64", f.at(starts, t, "i64"))
        return f.row(base, row, field.stride)
