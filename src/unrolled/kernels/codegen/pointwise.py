"""The part of a pass that is computed unit by unit: one vector of one row at a time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

from ...graph.node import Node
from ...graph.operation import CONDITIONS, Operation
from ..planning.schedule import Pass, summand
from ..runtime.abi import Buffer, Field, Role, Rows
from ..tuning import AGAIN, BODY, LOOPS
from . import mathematics
from .fields import Fields
from .ir import Function, Target


def _arithmetic(name: str) -> Callable[..., str]:
    return lambda f, *values: f.let(f"{name} {f.target.vector} {', '.join(values)}")


def _intrinsic(name: str) -> Callable[..., str]:
    return lambda f, *values: mathematics.intrinsic(f, name, *values)


def _comparison(how: str) -> Callable[..., str]:
    return lambda f, a, b: mathematics.compare(f, how, a, b)


def _relu(f: Function, a: str) -> str:
    zero = f.target.splat(0)
    return mathematics.select(f, mathematics.compare(f, "olt", a, zero), zero, a)


LLVM: dict[Operation, Callable[..., str] | str | None] = {
    Operation.CONSTANT: None,  # leaves and sums are read from memory
    Operation.INPUT: None,
    Operation.STATE: None,
    Operation.LEARNED: None,
    Operation.ADD: _arithmetic("fadd"),
    Operation.SUB: _arithmetic("fsub"),
    Operation.MUL: _arithmetic("fmul"),
    Operation.DIV: _arithmetic("fdiv"),
    Operation.NEG: _arithmetic("fneg"),
    Operation.SIGMOID: "sigmoid",
    Operation.TANH: "tanh",
    Operation.RELU: _relu,
    Operation.EXP: "exp",
    Operation.LOG: "log",
    Operation.SQRT: _intrinsic("sqrt"),
    Operation.ABS: _intrinsic("fabs"),
    Operation.MINIMUM: _intrinsic("minimum"),
    Operation.MAXIMUM: _intrinsic("maximum"),
    Operation.LESS: _comparison("olt"),
    Operation.LESS_EQUAL: _comparison("ole"),
    Operation.SELECT: mathematics.select,
    Operation.SUM: None,
    Operation.DIMENSION: None,
    Operation.BROADCAST: None,
    Operation.NORMALIZE: None,
    Operation.AFFINE: None,
    Operation.TRANSPOSED: None,
    Operation.OUTER: None,
}
"""For each operation, its instructions or the name of a routine; None for what is neither."""


NOWHERE = (-1, 0)
"""Instead of a loop, for what is computed in every loop that reads it."""


@final
class Point:
    """Writes everything of a pass that is computed unit by unit, for the rows of a chunk.

    Args:
        fields: the argument block.
        target: the processor.
        name: of the function.
        work: the pass.
        blocks: of lanes, in one group of units.
        valid: how many units of the group there are.

    Attributes:
        texts: of the functions, by name, in the order in which they are called.
        text: of all of them.
    """

    def __init__(
        self, fields: Fields, target: Target, name: str, work: Pass, blocks: int, valid: int
    ) -> None:
        self.fields = fields
        self.schedule = fields.schedule
        self.work = work
        self.target = target
        self.routines: set[str] = set()
        self.values: dict[Node, str] = {}
        self.products = {product: place for place, product in enumerate(work.products)}
        self.sums = {node: place for place, node in enumerate(self.schedule.sums)}
        self.loops = _loops(work)
        self.slots = self._crossing()
        self.tasks = self._tasks()
        loops = range(max([0, *self.loops.values()]) + 1)
        parts = [(b, loop) for b in range(-(-valid // self.target.lanes)) for loop in loops]
        self.texts: dict[str, str] = {}
        for begin in range(0, len(parts), LOOPS):
            part = f"{name}_{begin}" if begin else name
            self.texts[part] = self._function(part, parts[begin : begin + LOOPS], blocks, valid)
        self.text = "\n\n".join(self.texts.values())

    def _function(
        self, name: str, parts: Sequence[tuple[int, int]], blocks: int, valid: int
    ) -> str:
        """Write some of the loops, given by block and number."""
        self.f = Function(
            f"define internal void @{name}(ptr %frame, ptr %tile, ptr %slots, i64 %row, i64 %rows, "
            "i64 %unit) noinline",
            self.target,
        )
        self.bases: dict[int, str] = {}
        before = len(self.f.lines)
        for block, self.loop in parts:
            self._rows(blocks, block, valid)
        self.f.do("ret void")
        # Where the arrays stand is read once, before the first row.
        self.f.lines[before:before] = [
            line
            for place, base in self.bases.items()
            for line in (
                f"  {base}.at = getelementptr inbounds ptr, ptr %frame, i64 {place}",
                f"  {base} = load ptr, ptr {base}.at, align 8",
            )
        ]
        return self.f.text()

    def _tasks(self) -> dict[int, list[Callable[[], None]]]:
        """Return what each loop computes and writes to memory, in order."""
        tasks = defaultdict[int, list[Callable[[], None]]](list)
        graph, kept = self.schedule.graph, self.fields.kept

        def add(function: Callable[..., None], node: Node, *more: Any) -> None:
            """Let the loop that computes a value of this pass do something with it."""
            if self.schedule.home(node) == (self.work.stage, self.work.size):
                tasks[max(self.loops.get(node, 0), 0)].append(partial(function, node, *more))

        for node, loop in self.loops.items():
            if loop >= 0:
                tasks[loop].append(partial(self._computed, node))
        for state in graph.states:
            add(self._store_step, graph.values[state], Buffer(Role.NEW, state))
        for buffer, node in self.schedule.stored.items():
            add(self._store_step, node, buffer)
        for node in (*self.work.products, *self.work.nodes):
            if node in kept:
                tasks[0].append(partial(self._list, node))
                if kept[node][1] is Rows.BATCH:
                    add(self._store_kept, node)
        for node in self.schedule.sums:
            add(self._add_up, node.arguments[0], node)
        for buffer, node in self.schedule.reduced.items():
            add(self._reduce, summand(node), buffer)
        return tasks

    def _computed(self, node: Node) -> None:
        """Compute a value, and let it wait if a later loop reads it."""
        self.value(node)
        if node in self.slots:
            self.f.store(self.target.vector, self._number(node), self._slot(node))

    def _store_step(self, node: Node, buffer: Buffer) -> None:
        self._store(self.value(node), self.fields.step_field(buffer, node))

    def _list(self, node: Node) -> None:
        """Give the array that keeps a value its place among all arrays."""
        self.fields.memory(node)

    def _store_kept(self, node: Node) -> None:
        field = self.fields.memory(node)
        assert field is not None
        self._store(self._number(node), field)

    def _crossing(self) -> dict[Node, int]:
        """Return the values that a later loop reads and that no array keeps, numbered."""
        found: dict[Node, int] = {}
        for node, loop in self.loops.items():
            for argument in node.arguments:
                crosses = 0 <= self.loops.get(argument, loop) < loop
                if crosses and self.fields.memory(argument) is None:
                    found.setdefault(argument, len(found))
        return found

    def _rows(self, blocks: int, block: int, valid: int) -> None:
        """Write one loop over the rows of one block."""
        lanes, columns = self.target.lanes, len(self.work.products)
        with self.f.loop("q", 0, "%rows") as rows:
            self.values = {}
            self.row = self.f.add("%row", rows.at)
            self.unit = self.f.add("%unit", block * lanes)
            self.mask = self.f.first_lanes(valid - block * lanes)
            tile = self.f.mul(rows.at, blocks * columns * lanes)
            tile = self.f.add(tile, block * columns * lanes)
            self.tile = self.f.at("%tile", tile)
            slots = self.f.mul(rows.at, len(self.slots) * lanes)
            self.slot = self.f.at("%slots", slots)
            for task in self.tasks[self.loop]:
                task()

    # Memory.

    def _base(self, place: int) -> str:
        return self.bases.setdefault(place, f"%base{place}")

    def _row(self, field: Field) -> str:
        """Return the address of this row."""
        f, base = self.f, self._base(field.place)
        if field.rows in (Rows.ONE, Rows.THREAD):
            return base
        return f.row(base, self.row, field.stride)

    def _address(self, field: Field) -> str:
        """Return the address of the vector of this row and block."""
        return self.f.at(self._row(field), self.unit)

    def _load(self, field: Field) -> str:
        return self.f.load_lanes(self._address(field), self.mask)

    def _store(self, value: str, field: Field) -> None:
        self.fields.block.written.add(field.buffer)
        self.f.store_lanes(value, self._address(field), self.mask)

    def _sum_address(self, node: Node) -> str:
        buffer, lanes = Buffer(Role.KEPT, f"sum {self.sums[node]}"), self.target.lanes
        field = self.fields.block.declare(buffer, Rows.BATCH, lanes, lanes)
        return self._row(field)

    def _add_up(self, argument: Node, node: Node) -> None:
        """Add this block to the sum of a row; the first block begins it."""
        f, kind, value = self.f, self.target.vector, self.value(argument)
        address = self._sum_address(node)
        if self.mask is not None:
            value = mathematics.select(f, self.mask, value, "zeroinitializer")
        known = f.load(kind, address)
        first = f.let(f"icmp eq i64 {self.unit}, 0")
        before = f.let(f"select i1 {first}, {kind} zeroinitializer, {kind} {known}")
        f.store(kind, f.let(f"fadd {kind} {before}, {value}"), address)

    def _reduce(self, node: Node, buffer: Buffer) -> None:
        """Add this row to a sum over rows and steps."""
        f, kind = self.f, self.target.vector
        field = self.fields.field(buffer, Rows.THREAD, self.schedule.sizes[node])
        known = self._load(field)
        self._store(f.let(f"fadd {kind} {known}, {self.value(node)}"), field)

    def _slot(self, node: Node) -> str:
        """Return where a value waits for a later loop."""
        return self.f.at(self.slot, self.slots[node] * self.target.lanes)

    # Values.

    def _number(self, node: Node) -> str:
        """Return a value as it is kept: of a condition, 1 or 0."""
        value = self.value(node)
        if node.operation not in CONDITIONS:
            return value
        return mathematics.select(self.f, value, self.target.splat(1), self.target.splat(0))

    def value(self, node: Node) -> str:
        """Return a node's vector for this row and block; what it is computed from comes first."""
        stack = [node]
        while stack:
            last = stack[-1]
            missing = [a for a in self._computed_from(last) if a not in self.values]
            if last not in self.values and missing:
                stack += reversed(missing)
                continue
            stack.pop()
            if last not in self.values:
                self.values[last] = self._value(last)
        return self.values[node]

    def _computed_from(self, node: Node) -> tuple[Node, ...]:
        """Return the values that have to be known; none of what is read from memory."""
        if node.operation in (Operation.DIMENSION, Operation.SUM) or not node.arguments:
            return ()
        if 0 <= self.loops.get(node, -1) < self.loop:
            return ()
        if node.operation is Operation.BROADCAST:
            return node.arguments[:1]
        return () if node in self.products or self._is_elsewhere(node) else node.arguments

    def _is_elsewhere(self, node: Node) -> bool:
        """Return whether another pass computes a value; numbers of a row are computed in each."""
        home = (self.work.stage, self.work.size)
        return self.schedule.sizes[node] != "one" and self.schedule.home(node) != home

    def _value(self, node: Node) -> str:
        f, target, operation = self.f, self.target, node.operation
        if 0 <= self.loops.get(node, -1) < self.loop:
            return self._waiting(node)
        if node in self.products:
            place = self.products[node]
            return f.load(target.vector, f.at(self.tile, place * target.lanes))
        if operation is Operation.CONSTANT:
            return target.splat(node.attribute)
        if operation is Operation.DIMENSION:
            return target.splat(self.fields.units[self.schedule.sizes[node.arguments[0]]])
        if operation is Operation.SUM:
            total = f.load(target.vector, self._sum_address(node))
            suffix = f"v{target.lanes}f{8 * target.bytes}"
            one = f.let(
                f"call reassoc {target.dtype} @llvm.vector.reduce.fadd.{suffix}"
                f"({target.dtype} {target.number(-0.0)}, {target.vector} {total})"
            )
            return f.broadcast(one)
        if not node.arguments:
            place = self.fields.leaf(node)
            if self.schedule.sizes[node] == "one":
                return f.broadcast(f.load(target.dtype, self._row(place)))
            return self._load(place)
        if operation is Operation.BROADCAST:
            return self.value(node.arguments[0])  # in all lanes already
        if self._is_elsewhere(node):
            return self._kept(node)
        rule = LLVM[operation]
        assert rule is not None, f"{operation} is taken apart before a kernel is written"
        arguments = [self.value(argument) for argument in node.arguments]
        if isinstance(rule, str):
            self.routines.add(rule)
            return mathematics.call(f, rule, *arguments)
        return rule(f, *arguments)

    def _waiting(self, node: Node) -> str:
        """Return a value of an earlier loop."""
        if node in self.slots:
            return self._again(node, self.f.load(self.target.vector, self._slot(node)))
        return self._kept(node)

    def _kept(self, node: Node) -> str:
        """Return a value that an array holds."""
        field = self.fields.memory(node)
        assert field is not None, "what is read later is kept"
        return self._again(node, self._load(field))

    def _again(self, node: Node, kept: str) -> str:
        """Return a value, given the number as which it was kept."""
        if node.operation in CONDITIONS:
            return mathematics.compare(self.f, "one", kept, self.target.splat(0))
        return kept


def _loops(work: Pass) -> dict[Node, int]:
    """Return in which loop over the rows a value is computed; -1: in every loop that reads it.

    Each exponential, or what is made of one, has a loop of its own. It is a long chain of
    instructions, each waiting for the one before: a processor is busy only if the chains of
    several rows are under way, and it looks ahead no further than one or two hundred instructions.
    What is cheap is computed with the last of what it reads.
    A loop is divided where it would hold too much, and what would be computed again too often has
    a place in the first one.
    """
    places: dict[Node, tuple[int, int]] = {}  # the loop, and which part of it
    sizes = Counter[tuple[int, int]]()
    below: dict[Node, set[Node]] = {}  # what is computed again with a value
    count = 0
    for node in work.nodes:
        if isinstance(LLVM[node.operation], str):
            place = count, 0
            count += 1
        else:
            place = max(
                (places.get(argument, NOWHERE) for argument in node.arguments), default=NOWHERE
            )
            if place == NOWHERE:
                below[node] = {node}.union(*(below.get(a, ()) for a in node.arguments))
                if len(below[node]) > AGAIN:
                    place = 0, 0
            while place != NOWHERE and sizes[place] >= BODY:
                place = place[0], place[1] + 1
        if place != NOWHERE:
            below.pop(node, None)
        sizes[place] += 1
        places[node] = place
    numbers = {place: n for n, place in enumerate(sorted(sizes.keys() - {NOWHERE}))}
    return {node: numbers.get(place, -1) for node, place in places.items()}
