"""The part of a pass that is computed unit by unit: one vector of one row at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, final

from ...equations import Node
from ...equations.operation import CONDITIONS, Operation
from . import mathematics
from .schedule import Pass, summand
from .text import Function

if TYPE_CHECKING:
    from .source import Source


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


@final
class Point:
    """Writes everything of a pass that is computed unit by unit, for the rows of a chunk.

    Args:
        source: of the kernel.
        name: of the function.
        work: the pass.
        blocks: of lanes, in one group of units.
        valid: how many units of the group there are.
    """

    def __init__(self, source: Source, name: str, work: Pass, blocks: int, valid: int) -> None:
        self.source = source
        self.schedule = source.schedule
        self.work = work
        self.target = source.target
        self.f = Function(
            f"define internal void @{name}(ptr %frame, ptr %tile, ptr %slots, i64 %row, i64 %rows, "
            "i64 %unit) noinline",
            source.target,
        )
        self.bases: dict[int, str] = {}
        self.values: dict[Node, str] = {}
        self.loops = _loops(work)
        self.slots = self._crossing()
        self.loop = 0
        before = len(self.f.lines)
        for block in range(-(-valid // self.target.lanes)):
            for loop in range(max([0, *self.loops.values()]) + 1):
                self.loop = loop
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
        self.text = self.f.text()

    def _crossing(self) -> dict[Node, int]:
        """The values that a later loop reads and that no array keeps, numbered."""
        found: dict[Node, int] = {}
        for node, loop in self.loops.items():
            for argument in node.arguments:
                crosses = 0 <= self.loops.get(argument, loop) < loop
                if crosses and self.source.memory(argument) is None:
                    found.setdefault(argument, len(found))
        return found

    def _rows(self, blocks: int, block: int, valid: int) -> None:
        """One loop over the rows of one block."""
        lanes, columns = self.target.lanes, len(self.work.products)
        with self.f.loop("q", "0", "%rows") as rows:
            self.values = {}
            self.row = self.f.let(f"add nsw i64 %row, {rows.at}")
            self.unit = self.f.let(f"add nsw i64 %unit, {block * lanes}")
            self.mask = self.f.first_lanes(valid - block * lanes)
            tile = self.f.let(f"mul nsw i64 {rows.at}, {blocks * columns * lanes}")
            tile = self.f.let(f"add nsw i64 {tile}, {block * columns * lanes}")
            self.tile = self.f.at("%tile", tile)
            slots = self.f.let(f"mul nsw i64 {rows.at}, {len(self.slots) * lanes}")
            self.slot = self.f.at("%slots", slots)
            self._body()

    def _body(self) -> None:
        schedule = self.schedule
        for node, loop in self.loops.items():
            if loop == self.loop:
                self.value(node)
                if node in self.slots:
                    self.f.store(self.target.vector, self._number(node), self._slot(node))
        for state in schedule.graph.states:
            node = schedule.graph.values[state]
            if self._is_here(node):
                self._store(self.value(node), self.source.step_array(f"new {state}", node))
        for name, node in schedule.stored.items():
            if self._is_here(node):
                self._store(self.value(node), self.source.step_array(name, node))
        for node in (*self.work.products, *self.work.nodes):
            place = self.source.memory(node)
            if place is None or self.source.arrays[place].kind != "rows":
                continue
            if self._is_here(node):
                self._store(self._number(node), place)
        for node in schedule.sums:
            (argument,) = node.arguments
            if self._is_here(argument):
                self._add_up(node, self.value(argument))
        for name, node in schedule.reduced.items():
            if self._is_here(summand(node)):
                self._reduce(name, summand(node))

    def _is_here(self, node: Node) -> bool:
        """Whether a value is computed in this loop of this pass."""
        home = (self.work.stage, self.work.size)
        return self.schedule.home(node) == home and max(self.loops.get(node, 0), 0) == self.loop

    # Memory.

    def _base(self, place: int) -> str:
        return self.bases.setdefault(place, f"%base{place}")

    def _row(self, place: int) -> str:
        """The address of this row."""
        f, array = self.f, self.source.arrays[place]
        base = self._base(place)
        if array.kind in ("vector", "thread"):
            return base
        return f.at(base, f.let(f"mul nsw i64 {self.row}, {array.stride}"))

    def _address(self, place: int) -> str:
        """Of the vector of this row and block."""
        return self.f.at(self._row(place), self.unit)

    def _load(self, place: int) -> str:
        return self.f.load_lanes(self._address(place), self.mask)

    def _store(self, value: str, place: int) -> None:
        self.f.store_lanes(value, self._address(place), self.mask)

    def _sum_address(self, node: Node) -> str:
        number = next(i for i, known in enumerate(self.schedule.sums) if known is node)
        place = self.source.array(f"sum {number}", "rows", "one")
        self.source.arrays[place] = self.source.arrays[place]._replace(stride=self.target.lanes)
        row = self.f.let(f"mul nsw i64 {self.row}, {self.target.lanes}")
        return self.f.at(self._base(place), row)

    def _add_up(self, node: Node, value: str) -> None:
        """Add this block to the sum of a row; the first block begins it."""
        f, kind = self.f, self.target.vector
        address = self._sum_address(node)
        if self.mask is not None:
            value = mathematics.select(f, self.mask, value, "zeroinitializer")
        known = f.load(kind, address)
        first = f.let(f"icmp eq i64 {self.unit}, 0")
        before = f.let(f"select i1 {first}, {kind} zeroinitializer, {kind} {known}")
        f.store(kind, f.let(f"fadd {kind} {before}, {value}"), address)

    def _reduce(self, name: str, node: Node) -> None:
        """Add this row to a sum over rows and steps."""
        f, kind = self.f, self.target.vector
        place = self.source.array(name, "thread", self.schedule.sizes[node])
        known = self._load(place)
        self._store(f.let(f"fadd {kind} {known}, {self.value(node)}"), place)

    def _slot(self, node: Node) -> str:
        """Where a value waits for a later loop."""
        return self.f.at(self.slot, str(self.slots[node] * self.target.lanes))

    # Values.

    def _number(self, node: Node) -> str:
        """A value as it is kept: of a condition, 1 or 0."""
        value = self.value(node)
        if node.operation not in CONDITIONS:
            return value
        return mathematics.select(self.f, value, self.target.splat(1), self.target.splat(0))

    def value(self, node: Node) -> str:
        """A node's vector for this row and block; what it is computed from comes first."""
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
        """The values that have to be known; none of what is read from memory."""
        if node.operation in (Operation.DIMENSION, Operation.SUM) or not node.arguments:
            return ()
        if 0 <= self.loops.get(node, -1) < self.loop:
            return ()
        if node.operation is Operation.BROADCAST:
            return node.arguments[:1]
        known = any(product is node for product in self.work.products)
        return () if known or self._is_elsewhere(node) else node.arguments

    def _is_elsewhere(self, node: Node) -> bool:
        """Whether a value is computed in another pass; numbers of a row are computed in each."""
        home = (self.work.stage, self.work.size)
        return self.schedule.sizes[node] != "one" and self.schedule.home(node) != home

    def _value(self, node: Node) -> str:
        f, target, operation = self.f, self.target, node.operation
        if 0 <= self.loops.get(node, -1) < self.loop:
            return self._waiting(node)
        for place, product in enumerate(self.work.products):
            if product is node:
                return f.load(target.vector, f.at(self.tile, str(place * target.lanes)))
        if operation is Operation.CONSTANT:
            return target.splat(node.attribute)
        if operation is Operation.DIMENSION:
            return target.splat(self.source.units[self.schedule.sizes[node.arguments[0]]])
        if operation is Operation.SUM:
            total = f.load(target.vector, self._sum_address(node))
            suffix = f"v{target.lanes}f{8 * target.bytes}"
            one = f.let(
                f"call reassoc {target.dtype} @llvm.vector.reduce.fadd.{suffix}"
                f"({target.dtype} {target.number(-0.0)}, {target.vector} {total})"
            )
            return f.broadcast(one)
        if not node.arguments:
            place = self.source.leaf(node)
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
            self.source.routine(rule)
            return mathematics.call(f, rule, *arguments)
        return rule(f, *arguments)

    def _waiting(self, node: Node) -> str:
        """A value of an earlier loop."""
        if node in self.slots:
            return self._again(node, self.f.load(self.target.vector, self._slot(node)))
        return self._kept(node)

    def _kept(self, node: Node) -> str:
        """A value that an array holds."""
        place = self.source.memory(node)
        assert place is not None, "what is read later is kept"
        return self._again(node, self._load(place))

    def _again(self, node: Node, kept: str) -> str:
        """A value of the number as which it was kept."""
        if node.operation in CONDITIONS:
            return mathematics.compare(self.f, "one", kept, self.target.splat(0))
        return kept


def _loops(work: Pass) -> dict[Node, int]:
    """In which loop over the rows each value is computed; -1: in every loop that reads it.

    Each exponential, or what is made of one, has a loop of its own. It is a long chain of
    instructions, each waiting for the one before: a processor is busy only if the chains of
    several rows are under way, and it looks ahead no further than one or two hundred instructions.
    What is cheap is computed with the last of what it reads.
    """
    loops: dict[Node, int] = {}
    count = 0
    for node in work.nodes:
        if isinstance(LLVM[node.operation], str):
            loops[node] = count
            count += 1
        else:
            loops[node] = max((loops.get(argument, -1) for argument in node.arguments), default=-1)
    return loops
