"""The text of a kernel: loops over steps, passes, units and rows around a few vector instructions.

    for each step
      for each pass
        for each group of blocks of units
          for each chunk of rows
            for each matrix, a part of its k at a time
              sums of products, a tile of rows at a time, in registers    (tile_... or dot_...)
            everything else, row by row and unit by unit                  (point_...)

The group of units is outside, so that its part of the weights stays in the cache for all rows.
Threads own rows for the whole sequence; where rows are few they own units, and meet after every
pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from ...graph.learned import Size
from ...locks import cached_property
from ..planning.schedule import Pass, Schedule
from ..runtime.abi import Buffer, Field, Role, Rows
from ..tuning import CHUNK, FAR, PANEL, STACK
from . import mathematics, tile
from .arguments import Arguments
from .fields import Fields
from .ir import Function, Target
from .packing import Pack, packing
from .pointwise import Point
from .threads import threads


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
class Source:
    """Writes the kernel of a schedule.

    Args:
        schedule: the passes.
        units: how many units I, H and P are.
        strides: of buffers that stand in wider rows, those rows' width; 0 if all rows are one.
        target: the processor.
        packed: whether weights are laid out for tiles of many rows, or read as they are.

    Attributes:
        block: what the kernel is handed.
        packs: the matrices of all passes.
        works: the passes.
        text: of the whole module; its functions are ``run`` and ``team``.
    """

    def __init__(
        self,
        schedule: Schedule,
        units: Mapping[Size, int],
        strides: Mapping[Buffer, int],
        target: Target,
        packed: bool,
    ) -> None:
        self.schedule = schedule
        self.units = units
        self.target = target
        self.packed = packed
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
            fields.matrix(number, pack.factor, pack.size(target.lanes) if packed else 0)
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
        """What a pass computes unit by unit, for a full group and for the last one."""
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
        packings = [packing(i, p, self.target) for i, p in enumerate(self.packs) if self.packed]
        bodies = list(self._functions.values())
        return "\n\n".join(
            [
                *routines,
                *packings,
                *bodies,
                main.prepare(),
                main.work(),
                threads(self.fields.block, self.target),
            ]
        )

    def _pass(self, work: Work) -> str:
        """One pass over the groups of units from %from to %to, for the rows of a thread."""
        f = Function(
            f"define internal void @pass_{work.number}(ptr %arguments, ptr %frame, ptr %tile, "
            "i64 %begin, i64 %end, i64 %from, i64 %to) noinline",
            self.target,
        )
        full = work.blocks * self.target.lanes
        whole = work.groups if work.valid == full else work.groups - 1
        stop = f.let(f"call i64 @llvm.smin.i64(i64 %to, i64 {whole})")
        if whole:
            with f.loop("g", "%from", stop) as group:
                self._group(f, work, group.at, full)
        if whole < work.groups:
            with f.when(f.let(f"icmp eq i64 %to, {work.groups}")):
                self._group(f, work, str(whole), work.valid)
        f.do("ret void")
        return f.text()

    def _group(self, f: Function, work: Work, group: str, valid: int) -> None:
        """All rows of one group of units, a chunk at a time."""
        unit = f.let(f"mul nsw i64 {group}, {work.blocks * self.target.lanes}")
        slots = f.at("%tile", str(self._sums()))
        with f.loop("c", "%begin", "%end", str(self.chunk)) as chunk:
            left = f.let(f"sub nsw i64 %end, {chunk.at}")
            rows = f.let(f"call i64 @llvm.smin.i64(i64 {left}, i64 {self.chunk})")
            for number in range(len(work.packs)):
                if self.packed or work.packs[number].factor.transposed:
                    self._tiles(f, work, number, group, unit, chunk.at, rows, valid)
                else:
                    self._dots(f, work, number, group, unit, chunk.at, rows, valid)
            for name in work.points[valid]:
                f.do(
                    f"call void @{name}(ptr %frame, ptr %tile, ptr {slots}, "
                    f"i64 {chunk.at}, i64 {rows}, i64 {unit})"
                )

    @cached_property
    def chunk(self) -> int:
        """How many rows a chunk has: fewer if very many values of each have to be held."""
        rows = CHUNK
        while rows > 1 and rows * self._held() * self.target.vector_bytes > STACK:
            rows //= 2
        return rows

    def _held(self) -> int:
        """The vectors that are held of a row: sums of the largest pass, and values that wait."""
        return self._columns_held() + max(work.slots for work in self.works)

    def _columns_held(self) -> int:
        return max(work.blocks * len(work.work.products) for work in self.works)

    def _sums(self) -> int:
        """The numbers of the largest pass's sums, for all rows of a chunk."""
        return self.chunk * self._columns_held() * self.target.lanes

    def buffer(self) -> int:
        """The numbers of the sums and of the values that wait, for all rows of a chunk."""
        return max(1, self.chunk * self._held() * self.target.lanes)

    def _columns(self, work: Work, number: int) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """The sums that a matrix adds to, block by block, and whether it is the first to."""
        targets = work.packs[number].factor.targets
        before = {t for pack in work.packs[:number] for t in pack.factor.targets}
        products = len(work.work.products)
        used = tuple(b * products + t for b in range(work.blocks) for t in targets)
        return used, tuple(t not in before for _ in range(work.blocks) for t in targets)

    def _row(self, f: Function, work: Work, number: int, row: str) -> tuple[str, int]:
        """Where a row of what a matrix reads stands, and how far the next is from it."""
        field = self.fields.source(work.packs[number].factor)
        base = f.load("ptr", f.at("%frame", str(field.place), "ptr"))
        return f.at(base, f.let(f"mul nsw i64 {row}, {field.stride}")), field.stride

    def _bias(self, f: Function, work: Work, group: str) -> str:
        """The start values of a group's sums."""
        columns = work.blocks * len(work.work.products)
        base = f.load("ptr", f.at("%frame", str(self.bias(work)), "ptr"))
        return f.at(base, f.let(f"mul nsw i64 {group}, {columns * self.target.lanes}"))

    def bias(self, work: Work) -> int:
        """Return the place in the frame of a pass's start values: after the matrices."""
        return self.moving + len(self.packs) + work.number

    def matrix(self, number: int) -> int:
        """Return the place in the frame of a matrix."""
        return self.moving + number

    def _tiles(
        self,
        f: Function,
        work: Work,
        number: int,
        group: str,
        unit: str,
        row: str,
        rows: str,
        valid: int,
    ) -> None:
        """One matrix, times the rows of a chunk."""
        pack, lanes = work.packs[number], self.target.lanes
        used, first = self._columns(work, number)
        columns = work.blocks * len(work.work.products)
        source, stride = self._row(f, work, number, row)
        base = f.load("ptr", f.at("%frame", str(self.matrix(work.first + number)), "ptr"))
        readable = len(used) * lanes
        if self.packed:
            pitch = len(used) * lanes
            weight = f.at(base, f.let(f"mul nsw i64 {group}, {pack.group_size(lanes)}"))
        else:  # transposed: a row of the matrix holds the units side by side
            pitch, readable = pack.units, valid
            begin = f.let(f"add nsw i64 {unit}, {pack.factor.rows[0] * pack.length * pitch}")
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
            fetched = f"ptr {f.at(ahead, str(begin * pitch))}, " if self.fetches else ""
            f.do(
                f"call void @{shape.name}(ptr %tile, ptr {start}, i64 {step}, "
                f"ptr {f.at(source, str(begin))}, i64 {stride}, "
                f"ptr {f.at(weight, str(begin * pitch))}, i64 {pitch}, i64 {length}, "
                f"{fetched}i64 {rows})"
            )

    def _next(self, f: Function, work: Work, number: int, group: str, row: str) -> str:
        """The weights that are read once all rows of a thread have read those of a group.

        Only the first chunk of rows fetches them; for the others it is where they read already.
        """
        lanes = self.target.lanes
        following = (number + 1) % len(work.packs)
        if following <= number:
            group = f.let(f"add nsw i64 {group}, 1")
        found = []
        for place, at in ((following, group), (number, group)):
            base = f.load("ptr", f.at("%frame", str(self.matrix(work.first + place)), "ptr"))
            size = work.packs[place].group_size(lanes)
            found.append(f.at(base, f.let(f"mul nsw i64 {at}, {size}")))
        is_first = f.let(f"icmp eq i64 {row}, %begin")
        return f.let(f"select i1 {is_first}, ptr {found[0]}, ptr {found[1]}")

    @property
    def fetches(self) -> bool:
        """Whether tiles fetch what is going to be read: if the weights are in no near cache."""
        size = sum(pack.size(self.target.lanes) for pack in self.packs) * self.target.bytes
        return self.packed and size >= FAR[self.target.vector_bytes]

    def _part(self, columns: int, length: int) -> int:
        """How much of k is read at a time: parts of like length."""
        room = PANEL[self.target.vector_bytes] // (columns * self.target.vector_bytes)
        parts = -(-length // max(room, 1))
        return -(-length // parts)

    def _dots(
        self,
        f: Function,
        work: Work,
        number: int,
        group: str,
        unit: str,
        row: str,
        rows: str,
        valid: int,
    ) -> None:
        """One matrix as PyTorch holds it, times the few rows of a chunk."""
        pack, lanes = work.packs[number], self.target.lanes
        used, first = self._columns(work, number)
        products = len(work.work.products)
        columns = work.blocks * products
        source, stride = self._row(f, work, number, row)
        base = f.load("ptr", f.at("%frame", str(self.matrix(work.first + number)), "ptr"))
        bias = self._bias(f, work, group)
        for place, (column, is_first) in enumerate(zip(used, first, strict=True)):
            block, target = divmod(place, len(pack.factor.targets))
            units = min(lanes, valid - block * lanes)
            if units <= 0:
                continue
            name = tile.dot_name(pack.length, units)
            self._functions.setdefault(name, tile.dot(pack.length, units, self.target))
            begin = pack.factor.rows[target] * pack.units + block * lanes
            weight = f.at(
                base, f.let(f"mul nsw i64 {f.let(f'add nsw i64 {unit}, {begin}')}, {pack.length}")
            )
            into = f.at("%tile", str(column * lanes))
            start, step = (bias, 0) if is_first else ("%tile", columns * lanes)
            f.do(
                f"call void @{name}(ptr {into}, i64 {columns * lanes}, "
                f"ptr {f.at(start, str(column * lanes))}, i64 {step}, ptr {source}, i64 {stride}, "
                f"ptr {weight}, i64 {rows})"
            )


@final
class _Main:
    """Writes what calls the passes; all words of the argument block are read here."""

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
            begin, end = share(f, str(work.groups), "%part", "%parts")
            for place in range(len(work.packs)) if source.packed else ():
                number = work.first + place
                weight, into = self._weight(read, work.packs[place]), self._packed(read, number)
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
            first = f.let(f"mul nsw i64 {group.at}, {work.blocks * lanes}")
            for block in range(work.blocks):
                unit = f.let(f"add nsw i64 {first}, {block * lanes}")
                mask = f.mask(f.let(f"sub nsw i64 {units}, {unit}"))
                for product, parts in enumerate(work.work.biases):
                    total = self.target.splat(0)
                    for name, row in parts:
                        at = f.let(f"add nsw i64 {unit}, {row * units}")
                        value = f.load_lanes(f.at(bases[name], at), mask)
                        total = f.let(f"fadd {kind} {total}, {value}")
                    column = block * len(products) + product
                    at = f.let(f"mul nsw i64 {group.at}, {work.blocks * len(products) * lanes}")
                    f.store(kind, total, f.at(f.at(into, at), str(column * lanes)))

    def work(self) -> str:
        """All steps for the rows from %begin to %end, and of them the units of one part."""
        source = self.source
        f = Function(
            "define internal void @work(ptr %arguments, i64 %begin, i64 %end, i64 %part, "
            "i64 %parts, i64 %thread, ptr %meeting)",
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
            base = self._packed(read, number) if source.packed else self._weight(read, pack)
            f.store_pointer(base, f.at(frame, str(source.matrix(number)), "ptr"))
        for work in source.works:
            if work.work.products:
                base = read.address(Buffer(Role.BIAS, str(work.number)))
                f.store_pointer(base, f.at(frame, str(source.bias(work)), "ptr"))
        shares = [share(f, str(work.groups), "%part", "%parts") for work in source.works]
        with f.loop("t", "0", steps) as time:
            count = f.load("i64", f.at(counts, time.at, "i64"))
            last = f.let(f"call i64 @llvm.smin.i64(i64 {count}, i64 %end)")
            for field, base, offset in zip(fields, bases, offsets, strict=True):
                now = self._now(f, field, base, offset, time.at)
                f.store_pointer(now, f.at(frame, str(field.place), "ptr"))
            for work, (begin, end) in zip(source.works, shares, strict=True):
                f.do(
                    f"call void @pass_{work.number}(ptr %arguments, ptr {frame}, ptr {buffer}, "
                    f"i64 %begin, i64 {last}, i64 {begin}, i64 {end})"
                )
                f.do("call void @meet(ptr %meeting, i64 %parts)")
        f.do("ret void")
        return f.text()

    def _now(self, f: Function, field: Field, base: str, starts: str, t: str) -> str:
        """Return where a buffer's rows of this step begin."""
        if field.rows is Rows.THREAD:
            return f.at(base, f.let(f"mul nsw i64 %thread, {field.stride}"))
        if field.rows is not Rows.STEP:
            return base
        row = f.load("i64", f.at(starts, t, "i64"))
        return f.at(base, f.let(f"mul nsw i64 {row}, {field.stride}"))


def share(f: Function, count: str, part: str, parts: str) -> tuple[str, str]:
    """Where one of so many like parts begins and ends."""
    begin = f.let(f"sdiv i64 {f.let(f'mul nsw i64 {count}, {part}')}, {parts}")
    after = f.let(f"add nsw i64 {part}, 1")
    end = f.let(f"sdiv i64 {f.let(f'mul nsw i64 {count}, {after}')}, {parts}")
    return begin, end
