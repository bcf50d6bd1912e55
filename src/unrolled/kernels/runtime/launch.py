"""A launch: a kernel and everything that it is handed, prepared once and replayed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple, NoReturn, final

import torch
from torch import Tensor

from ...locks import cached_property
from ..codegen.concurrent import text
from . import cache as caches
from .abi import WORD, ArgumentBlock, Buffer, Copy, Field, Relocation, Role, Rows
from .buffers import check
from .code import Code, available
from .jit import host
from .launcher import FITS, SCATTERED, Form, Table, dtype_number
from .memory import aligned, reserve

SMALL = 1 << 18
"""Numbers of workspace that a launch keeps for its next run: faster than new memory."""

WORKSPACE = Buffer(Role.WORKSPACE)
"""The operand that holds what a kernel alone uses."""


class Place(NamedTuple):
    """A place in an operand.

    Attributes:
        operand: which.
        offset: numbers of the operand that stand before it.
    """

    operand: Buffer
    offset: int = 0


class Move(NamedTuple):
    """Numbers that are copied before or after the kernel."""

    source: Place
    target: Place
    numbers: int


class Steps(NamedTuple):
    """Where the rows of the steps stand; tables are (T,) int64.

    Attributes:
        counts: how many rows each step has.
        starts: by buffer, at which row each step begins.
        others: the same for all other buffers.
        shards: into how many parts the rows are shared, 0 if units are; then where each begins,
            and the last one ends.
        batch: B.
    """

    counts: Tensor
    starts: Mapping[Buffer, Tensor]
    others: Tensor
    shards: tuple[int, ...]
    batch: int


@final
class Launch:
    """A kernel with everything that it is handed but the tensors; threads may run it at one time.

    Args:
        user: who is handed the tensors, for messages.
        code: of the kernel.
        block: its argument block.
        operands: what each tensor has to be, in the order in which tensors are given.
        bindings: for each buffer of the block, where it stands; one that is not bound and not
            workspace has the address 0.
        workspace: numbers of each buffer that the kernel alone uses.
        dtype: of all tensors.
        threads: how many run it.
        scalars: words of the block.
        steps: where the rows of the steps stand.
        before, after: numbers that are copied before and after the kernel.
        optional: buffers that need not be bound.
        strides: of buffers whose rows are further apart than declared.

    Attributes:
        operands: as given.
        sizes: of the bytes that it takes.

    Raises:
        RuntimeError: a buffer is bound to no operand, or reaches beyond its end.
    """

    def __init__(
        self,
        user: str,
        code: Code,
        block: ArgumentBlock,
        operands: Mapping[Buffer, Form],
        bindings: Mapping[Buffer, Place],
        workspace: Mapping[Buffer, int],
        dtype: torch.dtype,
        threads: int,
        scalars: Mapping[str, int] | None = None,
        steps: Steps | None = None,
        before: Sequence[Move] = (),
        after: Sequence[Move] = (),
        optional: Collection[Buffer] = (),
        strides: Mapping[Buffer, int] | None = None,
    ) -> None:
        self.user = user
        self.operands = list(operands)
        self.threads = threads
        self.code = code
        self.dtype = dtype
        self._forms = operands
        self._block = block
        self._steps = steps
        self._scalars = dict(scalars or {})
        self._before, self._after = list(before), list(after)
        self._strides = dict(strides or {})
        self._check({**{b: Place(b) for b in workspace}, **bindings}, workspace, optional)
        self._lay_out(bindings, workspace)
        self._nothing = torch.empty(0, dtype=dtype, device="cpu")
        self._varies = threads > 1 or self._workspace > SMALL
        self._ready: list[_Ready] = []  # for runs to come, as many as there were at one time
        self.size = caches.OBJECT + WORD * (block.size + 12 * len(self._places))

    def _check(
        self,
        places: Mapping[Buffer, Place],
        workspace: Mapping[Buffer, int],
        optional: Collection[Buffer],
    ) -> None:
        """RuntimeError unless all that the kernel touches lies in an operand or workspace."""

        def room(place: Place) -> int:
            whole = workspace.get(place.operand)
            return (self._forms[place.operand].numbers if whole is None else whole) - place.offset

        for field in self._block.fields:
            place = places.get(field.buffer)
            if place is None and field.buffer in optional:
                continue
            if place is None:
                raise RuntimeError(f"{self.user}: nothing is bound to the buffer {field.buffer}")
            if self._reach(field) > max(0, room(place)):
                raise RuntimeError(
                    f"{self.user}: the buffer {field.buffer} takes {self._reach(field)} numbers, "
                    f"{room(place)} are there"
                )
        for move in (*self._before, *self._after):
            for place in (move.source, move.target):
                if move.numbers > room(place):
                    raise RuntimeError(f"{self.user}: a copy reaches beyond {place.operand}")

    def _lay_out(self, bindings: Mapping[Buffer, Place], workspace: Mapping[Buffer, int]) -> None:
        """Set where buffers stand: those of the workspace one after the other."""
        width = self.dtype.itemsize
        starts = [0, *accumulate(aligned(count * width) for count in workspace.values())]
        self._workspace = starts.pop() // width
        own = {b: start // width for b, start in zip(workspace, starts, strict=True)}

        def settled(place: Place) -> Place:
            if place.operand not in own:
                return place
            return Place(WORKSPACE, own[place.operand] + place.offset)

        every = {**{buffer: Place(buffer) for buffer in workspace}, **bindings}
        self._places = {buffer: settled(place) for buffer, place in every.items()}
        for moves in (self._before, self._after):
            moves[:] = [Move(settled(m.source), settled(m.target), m.numbers) for m in moves]

    def _reach(self, field: Field) -> int:
        """Return how many numbers of a buffer a kernel touches, those included between rows."""
        if field.rows is Rows.WHOLE:
            return field.stride
        steps = self._steps
        if field.rows is Rows.ONE:
            rows = 1
        elif field.rows is Rows.THREAD:
            rows = self.threads
        elif steps is None:
            rows = self._scalars["rows"]
        elif field.rows is Rows.BATCH:
            rows = steps.batch
        else:
            rows = int((steps.starts.get(field.buffer, steps.others) + steps.counts).max())
        stride = self._strides.get(field.buffer, field.stride)
        return (rows - 1) * stride + field.width if rows else 0

    def run(self, tensors: Sequence[Tensor]) -> None:
        """Run the kernel; tensors that are not laid out row by row are copied first.

        Raises:
            RuntimeError: naming the first that has another dtype, size or place, or whose storage
                ends before it does.
        """
        worst = self.start(tensors)
        if worst == SCATTERED:
            tensors = [each if each.is_contiguous() else each.contiguous() for each in tensors]
            worst = self.start(tensors)
        if worst != FITS:
            self.refuse(tensors)

    def start(self, tensors: Sequence[Tensor]) -> int:
        """Run the kernel if all tensors are as they have to be; return the worst of them."""
        try:
            ready = self._ready.pop()
        except IndexError:
            ready = self._made()
        if self._varies:
            ready = self._fitted(ready)
        worst = ready.run((*tensors, ready.memory))
        self._ready.append(self._emptied(ready) if self._varies else ready)
        return worst

    def prepare(self, tensors: Sequence[Tensor]) -> _Ready:
        """Return the argument block, filled in; raise as `run`."""
        try:
            ready = self._fitted(self._ready.pop())
        except IndexError:
            ready = self._fitted(self._made())
        worst = ready.table.inspect((*tensors, ready.memory))
        if worst == SCATTERED:
            tensors = [each if each.is_contiguous() else each.contiguous() for each in tensors]
            worst = ready.table.inspect((*tensors, ready.memory))
        if worst != FITS:
            self.refuse(tensors)
        return ready._replace(alive=tensors)

    def finish(self, ready: _Ready) -> None:
        """Make the copies after the kernel; the argument block is used again."""
        ready.table.finish()
        self._ready.append(self._emptied(ready))

    def refuse(self, tensors: Sequence[Tensor]) -> NoReturn:
        """Raise RuntimeError, naming the first tensor that is not as it has to be."""
        check(self.user, self.dtype, self._forms, tensors)
        raise RuntimeError(f"{self.user}: its tensors changed while they were looked at")

    @cached_property
    def reads(self) -> frozenset[Buffer]:
        """The operands that the kernel touches."""
        return frozenset(place.operand for place in self._places.values())

    def form(self, operand: Buffer) -> Form:
        """Return what an operand has to be."""
        return self._forms[operand]

    def _fitted(self, ready: _Ready) -> _Ready:
        """Return what has workspace, on as many threads as there are now."""
        if self.threads > 1:
            ready.table.set("threads", available(self.threads))
        if self._workspace <= SMALL:
            return ready
        return ready._replace(memory=reserve.take(self.dtype, self._workspace))

    def _emptied(self, ready: _Ready) -> _Ready:
        """Return what keeps nothing in memory that is large."""
        memory = ready.memory if self._workspace <= SMALL else self._nothing
        return ready._replace(memory=memory, alive=())

    def _made(self) -> _Ready:
        """Return an argument block and the launcher's table for it."""
        block, width = self._block, self.dtype.itemsize
        words = (ctypes.c_int64 * block.size)()
        start = ctypes.addressof(words)
        alive: tuple[object, ...] = ()
        scalars = dict(self._scalars)
        if self._steps is not None:
            parts, *begins = self._steps.shards
            shards = (ctypes.c_int64 * max(1, len(begins)))(*begins)
            counts = self._steps.counts
            scalars |= {"steps": len(counts), "counts": counts.data_ptr(), "parts": parts}
            scalars |= {"rows": self._steps.batch, "shards": ctypes.addressof(shards)}
            alive = (shards,)
            for field in block.fields:
                if field.rows is Rows.STEP:
                    table = self._steps.starts.get(field.buffer, self._steps.others)
                    words[block.starts(field)] = table.data_ptr()
        for name, value in scalars.items():
            words[block.scalar(name)] = value
        order = {buffer: number for number, buffer in enumerate((*self.operands, WORKSPACE))}
        relocations = [
            Relocation(
                start + WORD * block.address(field), order[place.operand], place.offset * width
            )
            for field in block.fields
            if (place := self._places.get(field.buffer)) is not None
        ]
        arrived = start + WORD * block.scalar("arrived") if "arrived" in block.scalars else 0
        forms = [
            (form.numbers, form.shape[-1] if form.shape else 1) for form in self._forms.values()
        ]
        table = Table(
            [*forms, (self._workspace, self._workspace)],
            [dtype_number(self.dtype)] * len(order),
            [width] * len(order),
            {
                "function": self.code.run,
                "team": self.code.team,
                "threads": self.threads,
                "arguments": start,
                "arrived": arrived,
            },
            relocations,
            [_copy(move, order, width) for move in self._before],
            [_copy(move, order, width) for move in self._after],
        )
        memory = self._nothing
        if self._workspace <= SMALL:  # it is kept
            caches.calls.charge(self.size + self._workspace * width)
            memory = torch.empty(self._workspace, dtype=self.dtype, device="cpu")
        return _Ready(table.run, memory, table, start, (words, *alive))


class _Ready(NamedTuple):
    """The argument block of one run.

    Attributes:
        run: runs the kernel, given its operands.
        memory: workspace.
        table: of the launcher.
        arguments: where the block stands.
        words: the block, and its tables.
        alive: what else has to stay in memory.
    """

    run: Callable[[Sequence[Tensor]], int]
    memory: Tensor
    table: Table
    arguments: int
    words: tuple[object, ...]
    alive: Sequence[Tensor] = ()


def _copy(move: Move, order: Mapping[Buffer, int], width: int) -> Copy:
    source, target = move.source, move.target
    return Copy(
        order[source.operand],
        source.offset * width,
        order[target.operand],
        target.offset * width,
        move.numbers * width,
    )


@cache
def _concurrent() -> Code:
    target = host("float")
    return Code(text(target), target)


def run_concurrently(runs: Sequence[tuple[Launch, Sequence[Tensor]]]) -> None:
    """Run launches for one thread each at the same time, on as many threads as there are."""
    ready = [launch.prepare(tensors) for launch, tensors in runs]
    words = [len(ready)]
    for (launch, _), each in zip(runs, ready, strict=True):
        words += (launch.code.run, each.arguments)
    list_ = (ctypes.c_int64 * len(words))(*words)
    code, threads = _concurrent(), available(min(torch.get_num_threads(), len(ready)))
    scalars = {"function": code.run, "team": code.team, "threads": threads}
    table = Table([], [], [], scalars | {"arguments": ctypes.addressof(list_)})
    table.run(())
    for (launch, _), each in zip(runs, ready, strict=True):
        launch.finish(each)
