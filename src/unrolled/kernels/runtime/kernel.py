"""A compiled kernel, and how its work is shared among threads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import final

import torch

from ...graph.learned import Size
from ...locks import cached_property
from ..codegen.kernel import Source
from ..codegen.packing import Layout
from ..planning.schedule import Schedule
from ..tuning import (
    FEW_ROWS,
    LARGE_WEIGHTS,
    MANY_ROWS,
    POINTWISE_COST,
    WORTH_BARRIERS,
    WORTH_CONCURRENCY,
)
from .abi import Buffer, Role, Rows
from .code import Code, worthwhile
from .jit import host

DTYPES = {torch.float32: "float", torch.float64: "double"}

WORKSPACE_ROLES = (Role.KEPT, Role.PACKED, Role.BIAS)
"""The buffers that a kernel alone uses."""


@final
class Kernel:
    """The machine code of a schedule.

    Args:
        schedule: what is computed.
        units: how many units I, H and P are.
        strides: of buffers that stand in wider rows, those rows' width; 0 if all rows are one.
        dtype: float32 or float64.
        layout: how weights are read.

    Attributes:
        code: the machine code.
        block: what it is handed.
    """

    def __init__(
        self,
        schedule: Schedule,
        units: Mapping[Size, int],
        strides: Mapping[Buffer, int],
        dtype: torch.dtype,
        layout: Layout,
    ) -> None:
        self.target = host(DTYPES[dtype])
        self.dtype = dtype
        self.schedule = schedule
        self.source = Source(schedule, units, strides, self.target, layout)
        self.code = Code(self.source.text, self.target)
        self.size = self.code.size
        self.block = self.source.fields.block
        self.source.forget_text()

    def text(self) -> str:
        """Write the module of the kernel once more: it is not kept."""
        source = self.source
        fields = source.fields
        again = Source(source.schedule, source.units, fields.strides, source.target, source.layout)
        return again.text

    def named(self, role: Role) -> list[str]:
        """Return the names of the buffers with a role."""
        return [field.buffer.name for field in self.block.fields if field.buffer.role is role]

    def workspace(self, rows: int, threads: int) -> dict[Buffer, int]:
        """Return how many numbers each buffer takes that the kernel alone uses, for B rows."""
        times = {Rows.BATCH: rows, Rows.THREAD: threads}
        return {
            field.buffer: field.stride * times.get(field.rows, 1)
            for field in self.block.fields
            if field.buffer.role in WORKSPACE_ROLES
        }

    def threads(self, rows: int, total: int) -> int:
        """Return how many threads share so many rows, which take `total` steps in all.

        A second thread has to save more than it costs to wake it.
        """
        threads = worthwhile(total * self._operations)
        return threads if self.shares_units(rows) else max(1, min(threads, rows))

    def shards(
        self, rows: int, total: int, lengths: Sequence[int] | None = None
    ) -> tuple[int, tuple[int, ...]]:
        """Return how many threads there are, and what each does, as of `Steps.shards`.

        Args:
            rows: how many there are at most.
            total: how many steps they take, all together.
            lengths: how many steps each takes, from the longest to the shortest, if they differ.
        """
        threads = self.threads(rows, total)
        if threads > 1 and self.shares_units(rows):
            return threads, (0,)
        if lengths is None or threads == 1:
            begins = [rows * part // threads for part in range(threads + 1)]
        else:  # as many steps to each
            done = list(accumulate(lengths, initial=0))
            begins = [bisect_left(done, total * part / threads) for part in range(threads)]
            begins.append(rows)
        return threads, (threads, *begins)

    def shares_units(self, rows: int) -> bool:
        """Return whether threads share units instead of rows: if rows are few, and steps long."""
        if self.schedule.sums or rows * self._operations < WORTH_BARRIERS:
            return False  # they meet between passes, not within one
        large = self._weights * self.target.bytes >= LARGE_WEIGHTS
        return rows < FEW_ROWS or (large and rows <= MANY_ROWS * torch.get_num_threads())

    def gains_concurrently(self, rows: int, total: int) -> bool:
        """Return whether one thread beside another's kernel is better than both threads for it.

        It is if the work is not worth two; if they would meet in every step though its weights
        fit a core's own cache; or if rows are so few that one tile takes them all.
        """
        threads = self.threads(rows, total)
        if threads == 1:
            return total * self._operations >= WORTH_CONCURRENCY
        if self.shares_units(rows):
            return 2 * self._weights * self.target.bytes <= LARGE_WEIGHTS
        return rows <= min(work.rows for work in self.source.works)

    @cached_property
    def _weights(self) -> int:
        """The numbers of all matrices."""
        return sum(
            pack.length * pack.units * len(pack.factor.targets) for pack in self.source.packs
        )

    @cached_property
    def _operations(self) -> int:
        """About how many floating-point operations a row takes in one step."""
        values = sum(
            POINTWISE_COST * len(work.work.nodes) * self.source.units[work.work.size]
            for work in self.source.works
        )
        return 2 * self._weights + values
