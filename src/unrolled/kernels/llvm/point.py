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
    """Writes everything of a pass that is computed unit by unit, for one row."""

    def __init__(self, source: Source, number: int, work: Pass, blocks: int) -> None:
        self.source = source
        self.schedule = source.schedule
        self.work = work
        self.target = source.target
        self.f = Function(
            f"define internal void @point_{number}(ptr %frame, ptr %tile, i64 %row, i64 %unit) "
            "noinline",
            source.target,
        )
        self.values: dict[Node, str] = {}
        self.bases: dict[int, str] = {}
        units = source.units[work.size]
        lanes = self.target.lanes
        columns = len(work.products)
        with self.f.loop("b", "0", str(blocks * lanes), str(lanes)) as block:
            self.unit = self.f.let(f"add nsw i64 %unit, {block.at}")
            self.mask = None
            if units % (blocks * lanes):
                self.mask = self._mask(units)
            self.tile = self.f.at("%tile", self.f.let(f"mul nsw i64 {block.at}, {columns}"))
            self._body()
        self.f.do("ret void")
        self.text = self.f.text()

    def _mask(self, units: int) -> str:
        """Which lanes are units of the row."""
        f, target = self.f, self.target
        left = f.let(f"sub nsw i64 {units}, {self.unit}")
        kind = f"<{target.lanes} x i64>"
        one = f.let(f"insertelement {kind} poison, i64 {left}, i64 0")
        zeros = f"<{target.lanes} x i32> zeroinitializer"
        all_left = f.let(f"shufflevector {kind} {one}, {kind} poison, {zeros}")
        lanes = ", ".join(f"i64 {lane}" for lane in range(target.lanes))
        return f.let(f"icmp slt {kind} <{lanes}>, {all_left}")

    def _body(self) -> None:
        schedule, f = self.schedule, self.f
        for place, node in enumerate(self.work.products):
            address = f.at(self.tile, str(place * self.target.lanes))
            self.values[node] = f.load(self.target.vector, address)
        for node in self.work.nodes:
            self.value(node)
        home = (self.work.stage, self.work.size)
        mine = [*self.work.products, *self.work.nodes]
        for state in schedule.graph.states:
            node = schedule.graph.values[state]
            if schedule.home(node) == home:
                self._store(self.value(node), self.source.step_array(f"new {state}", node))
        for name, node in schedule.stored.items():
            if schedule.home(node) == home:
                self._store(self.value(node), self.source.step_array(name, node))
        for node in mine:
            place = self.source.memory(node)
            if place is not None and self.source.arrays[place].kind == "rows":
                self._store(self._number(node), place)
        for node in schedule.sums:
            (argument,) = node.arguments
            if schedule.home(argument) == home:
                self._add_up(node, self.value(argument))
        for name, node in schedule.reduced.items():
            value = summand(node)
            if schedule.home(value) == home:
                self._reduce(name, value)

    # Memory.

    def _base(self, place: int) -> str:
        if place not in self.bases:
            address = self.f.at("%frame", str(place), "ptr")
            self.bases[place] = self.f.load("ptr", address)
        return self.bases[place]

    def _row(self, place: int) -> str:
        """The address of this row."""
        f, array = self.f, self.source.arrays[place]
        base = self._base(place)
        if array.kind in ("vector", "thread"):
            return base
        return f.at(base, f.let(f"mul nsw i64 %row, {array.stride}"))

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
        row = self.f.let(f"mul nsw i64 %row, {self.target.lanes}")
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

    # Values.

    def _number(self, node: Node) -> str:
        """A value as it is kept: of a condition, 1 or 0."""
        value = self.value(node)
        if node.operation not in CONDITIONS:
            return value
        return mathematics.select(self.f, value, self.target.splat(1), self.target.splat(0))

    def value(self, node: Node) -> str:
        """A node's vector for this row and block."""
        if node not in self.values:
            self.values[node] = self._value(node)
        return self.values[node]

    def _value(self, node: Node) -> str:
        f, target, operation = self.f, self.target, node.operation
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
        if self.schedule.sizes[node] != "one" and self.schedule.home(node) != (
            self.work.stage,
            self.work.size,
        ):
            place = self.source.memory(node)
            assert place is not None, "what a later pass reads is kept"
            kept = self._load(place)
            if operation in CONDITIONS:
                return mathematics.compare(f, "one", kept, target.splat(0))
            return kept
        rule = LLVM[operation]
        assert rule is not None, f"{operation} is taken apart before a kernel is written"
        arguments = [self.value(argument) for argument in node.arguments]
        if isinstance(rule, str):
            self.source.routine(rule)
            return mathematics.call(f, rule, *arguments)
        return rule(f, *arguments)
