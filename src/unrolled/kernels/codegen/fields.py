"""The buffers of a kernel, declared as they are met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from ...graph.learned import Size
from ...graph.node import Node
from ...graph.operation import Operation
from ...locks import cached_property
from ..planning.schedule import Factor, Pass, Schedule
from ..runtime.abi import SCALARS, ArgumentBlock, Buffer, Field, Role, Rows
from .packing import Layout, Pack


@final
class Fields:
    """The argument block of a schedule.

    Args:
        schedule: the passes.
        units: how many units I, H and P are.
        strides: of buffers that stand in wider rows, those rows' width; 0 if all rows are one.

    Attributes:
        block: what has been declared.
    """

    def __init__(
        self, schedule: Schedule, units: Mapping[Size, int], strides: Mapping[Buffer, int]
    ) -> None:
        self.schedule = schedule
        self.units = units
        self.strides = strides
        self.block = ArgumentBlock(SCALARS)

    def field(self, buffer: Buffer, rows: Rows, size: Size) -> Field:
        """Return the field of a buffer with a row of so many units."""
        width = self.units[size]
        stride = 0 if rows is Rows.ONE else self.strides.get(buffer, width)
        return self.block.declare(buffer, rows, stride, width)

    def step_field(self, buffer: Buffer, node: Node) -> Field:
        """Return the field of a value that every step writes."""
        return self.field(buffer, Rows.STEP, self.schedule.sizes[node])

    def leaf(self, node: Node) -> Field:
        """Return the field from which a leaf is read."""
        size = self.schedule.sizes[node]
        if node.operation is Operation.LEARNED:
            return self.field(Buffer(Role.LEARNED, node.attribute.name), Rows.ONE, size)
        if node.operation is Operation.STATE:
            return self.field(Buffer(Role.OLD, node.attribute), Rows.STEP, size)
        buffer = self.schedule.given.get(node.attribute, Buffer(Role.INPUT, node.attribute))
        return self.field(buffer, Rows.ONE if self.strides.get(buffer) == 0 else Rows.STEP, size)

    def memory(self, node: Node) -> Field | None:
        """Return the field in which a computed value is kept, if it is kept."""
        kept = self.kept.get(node)
        return None if kept is None else self.field(*kept, self.schedule.sizes[node])

    @cached_property
    def kept(self) -> Mapping[Node, tuple[Buffer, Rows]]:
        """The buffer of each computed value that is kept, and where its rows begin."""
        schedule = self.schedule
        found = {
            node: (Buffer(Role.KEPT, str(number)), Rows.BATCH)
            for number, node in enumerate(schedule.kept)
        }
        states = {
            schedule.graph.values[state]: state for state in list(schedule.graph.states)[::-1]
        }
        found |= {node: (Buffer(Role.NEW, state), Rows.STEP) for node, state in states.items()}
        stored = {node: buffer for buffer, node in list(schedule.stored.items())[::-1]}
        return found | {node: (buffer, Rows.STEP) for node, buffer in stored.items()}

    def source(self, factor: Factor) -> Field:
        """Return the field that a matrix product reads."""
        node = factor.source
        field = self.memory(node) if node.arguments else self.leaf(node)
        assert field is not None, "what a product reads is kept"
        return field

    def _whole(self, buffer: Buffer, count: int) -> Field:
        """Return the field of a buffer without rows."""
        return self.block.declare(buffer, Rows.WHOLE, count, count)

    def matrix(self, number: int, pack: Pack, lanes: int, layout: Layout) -> None:
        """Declare a weight, and where it is laid out if it is."""
        self.parameter(f"weight_{pack.factor.group}")
        if layout.lays_out(pack.factor):
            is_whole = layout is Layout.WHOLE
            rows = Rows.WHOLE if is_whole else Rows.THREAD
            size = pack.size(lanes) if is_whole else pack.group_size(lanes)
            self.block.declare(Buffer(Role.PACKED, str(number)), rows, size, size)

    def start_values(self, number: int, work: Pass, count: int) -> None:
        """Declare biases, and where the start values of a pass's sums stand."""
        for group in {group: None for parts in work.biases for group, _ in parts}:
            self.parameter(f"bias_{group}")
        if count:
            self._whole(Buffer(Role.BIAS, str(number)), count)

    def parameter(self, name: str) -> Field:
        """Return the field of a weight or bias as the module holds it."""
        return self._whole(Buffer(Role.WEIGHT, name), self.parameters[name])

    @cached_property
    def parameters(self) -> Mapping[str, int]:
        """How many numbers at least a parameter has, by name: all rows that are read."""
        found: dict[str, int] = {}
        for work in self.schedule.passes:
            for factor in work.factors:
                rows = (max(factor.rows) + 1) * self.units[factor.size]
                width = self.units[
                    work.size if factor.transposed else self.schedule.sizes[factor.source]
                ]
                name = f"weight_{factor.group}"
                found[name] = max(found.get(name, 0), rows * width)
            for parts in work.biases:
                for group, row in parts:
                    name = f"bias_{group}"
                    found[name] = max(found.get(name, 0), (row + 1) * self.units[work.size])
        return found
