"""A launch: a kernel and everything that it is handed, prepared once and replayed."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple, NoReturn, final

import numpy as np
import torch
from torch import Tensor

from ..codegen.concurrent import text
from . import cache as caches
from .abi import FITS, SCATTERED, WORD, ArgumentBlock, Buffer, Field, Role, Rows
from .buffers import check
from .code import Code, available
from .jit import host
from .launcher import Form, Table, dtype_number
from .linear import Number, Numbers
from .memory import aligned, reserve
from .timeline import Directory

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
    offset: Number = 0


class Move(NamedTuple):
    """Numbers that are copied before or after the kernel.

    Attributes:
        source, target: where the first of them stands.
        numbers: how many.
        times: how often they are written, one after the other.
    """

    source: Place
    target: Place
    numbers: Number
    times: int = 1


class Steps(NamedTuple):
    """Where the rows of the steps stand.

    Attributes:
        counts: how many rows each step has, (T,) int64.
        tables: of the rows at which steps begin, (T,) int64.
        shards: into how many parts the rows are shared, 0 if units are; then where each begins,
            and the last one ends.
        batch: B.
    """

    counts: Tensor
    tables: Directory
    shards: tuple[int, ...]
    batch: int


@final
class Template:
    """A launch but for sizes that are known later: every word as a function of these.

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
        before, after: numbers that are copied before and after the kernel.
        optional: buffers that need not be bound.
        strides: of buffers whose rows are further apart than declared.
        tables: by buffer, which table of `Steps` tells where its rows begin; the first if none.

    Attributes:
        user, code, dtype, threads: as given.
        operands: the names of the tensors, in order.

    Raises:
        RuntimeError: a buffer is bound to no operand.
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
        scalars: Mapping[str, Number] | None = None,
        before: Sequence[Move] = (),
        after: Sequence[Move] = (),
        optional: Collection[Buffer] = (),
        strides: Mapping[Buffer, int] | None = None,
        tables: Mapping[Buffer, int] | None = None,
    ) -> None:
        self.user, self.code, self.block = user, code, block
        self.dtype, self.threads = dtype, threads
        self.operands = list(operands)
        self.forms = operands
        self.scalars = dict(scalars or {})
        self._order = {buffer: number for number, buffer in enumerate((*operands, WORKSPACE))}
        places = {**{buffer: Place(buffer) for buffer in workspace}, **bindings}
        self._tables = dict(tables or {})
        self._checks(places, workspace, (*before, *after), optional, strides or {})
        width = dtype.itemsize
        starts = [0, *accumulate(aligned(count * width) for count in workspace.values())]
        self.workspace = starts.pop() // width
        own = {b: start // width for b, start in zip(workspace, starts, strict=True)}
        self.reads = frozenset(place.operand for place in places.values())
        self._words([places, before, after], own)
        self.nothing = torch.empty(0, dtype=dtype, device="cpu")
        self.varies = threads > 1 or self.workspace > SMALL
        self.ready: list[_Ready] = []  # for runs to come, as many as there were at one time
        self.size = caches.OBJECT + WORD * (block.size + 12 * len(places))

    def _checks(
        self,
        places: Mapping[Buffer, Place],
        workspace: Mapping[Buffer, int],
        moves: Sequence[Move],
        optional: Collection[Buffer],
        strides: Mapping[Buffer, int],
    ) -> None:
        """Note how many numbers there are of each buffer, and of both sides of each copy."""

        def room(place: Place) -> Number:
            whole = workspace.get(place.operand)
            numbers: Number = self.forms[place.operand].numbers if whole is None else whole
            return numbers - place.offset

        self._bound: list[Field] = []
        for field in self.block.fields:
            if field.buffer in places:
                self._bound.append(field)
            elif field.buffer not in optional:
                raise RuntimeError(f"{self.user}: nothing is bound to the buffer {field.buffer}")
        self._strides = np.array([strides.get(f.buffer, f.stride) for f in self._bound], np.int64)
        widths = [f.stride if f.rows is Rows.WHOLE else f.width for f in self._bound]
        self._widths = np.array(widths, np.int64)
        stepped = [field for field in self.block.fields if field.rows is Rows.STEP]
        self.starts = np.array([self.block.starts(field) for field in stepped], np.int64)
        self.starts_from = np.array([self._tables.get(f.buffer, 0) for f in stepped], np.int64)
        self._rows = np.zeros(len(self._bound), np.int64)  # of a table if not above 0
        for number, field in enumerate(self._bound):
            if field.rows in (Rows.WHOLE, Rows.ONE):
                self._rows[number] = 1
            elif field.rows is Rows.THREAD:
                self._rows[number] = self.threads
            elif field.rows is Rows.STEP and "counts" in self.block.scalars:
                self._rows[number] = -1 - self._tables.get(field.buffer, 0)
        self._rooms = Numbers([room(places[field.buffer]) for field in self._bound])
        ends = [(move.numbers, move.source) for move in moves]
        ends += [(move.numbers * move.times, move.target) for move in moves]
        self._left = Numbers([room(place) - numbers for numbers, place in ends])
        self._ends = [place.operand for _, place in ends]

    def _words(self, stands: Any, own: Mapping[Buffer, int]) -> None:
        """Set the words of the launcher's table that differ with sizes."""
        places, before, after = stands
        width = self.dtype.itemsize

        def settled(place: Place) -> tuple[int, Number]:
            if place.operand in own:
                place = Place(WORKSPACE, own[place.operand] + place.offset)
            return self._order[place.operand], place.offset * width

        def copy(move: Move) -> tuple[Number, ...]:
            places = *settled(move.source), *settled(move.target)
            return *places, move.numbers * width, move.times

        relocations = [(self.block.address(f), *settled(places[f.buffer])) for f in self._bound]
        copies = [copy(move) for move in (*before, *after)]
        self.counts = len(relocations), len(before), len(after)
        forms = list(self.forms.values())
        numbers = [*(form.numbers for form in forms), self.workspace]
        widths = [*(form.shape[-1] if form.shape else 1 for form in forms), self.workspace]
        entries = (word for entry in (*relocations, *copies) for word in entry)
        self.rest = Numbers([*numbers, *widths, *entries])

    def at(self, sizes: Mapping[str, int] | None = None, steps: Steps | None = None) -> Launch:
        """Return the launch for some sizes.

        Args:
            sizes: by name.
            steps: where the rows of the steps stand.

        Raises:
            RuntimeError: a buffer or a copy reaches beyond the end of its operand.
        """
        return Launch(self, sizes or {}, steps)

    def check(self, sizes: Mapping[str, int], rows: np.ndarray) -> None:
        """RuntimeError unless all that the kernel touches lies in an operand or workspace.

        Args:
            sizes: by name.
            rows: how many of each buffer are touched.
        """
        rooms = self._rooms.at(sizes)
        touched = (rows - 1) * self._strides + self._widths
        touched[rows == 0] = 0
        over = np.flatnonzero((touched > rooms) & (touched > 0))
        if len(over):
            first = over[0]
            raise RuntimeError(
                f"{self.user}: the buffer {self._bound[first].buffer} takes {touched[first]} "
                f"numbers, {rooms[first]} are there"
            )
        left = self._left.at(sizes)
        if (left < 0).any():
            (first, *_) = np.flatnonzero(left < 0)
            raise RuntimeError(f"{self.user}: a copy reaches beyond {self._ends[first]}")

    def rows(self, steps: Steps | None, sizes: Mapping[str, int]) -> np.ndarray:
        """Return how many rows of each buffer a kernel touches, those included between."""
        if steps is None:
            every = int(Numbers([self.scalars.get("rows", 0)]).at(sizes)[0])
            return np.where(self._rows > 0, self._rows, every)
        rows = np.where(self._rows == 0, steps.batch, self._rows)
        from_tables = rows < 0
        rows[from_tables] = steps.tables.ends[-1 - rows[from_tables]]
        return rows


@final
class Launch:
    """A kernel with everything that it is handed but the tensors; threads may run it at one time.

    Args:
        template: what it is but for sizes.
        sizes, steps: see `Template.at`.
    """

    def __init__(self, template: Template, sizes: Mapping[str, int], steps: Steps | None) -> None:
        self._template = template
        template.check(sizes, template.rows(steps, sizes))
        self._sizes = sizes
        self.user, self.operands, self.code = template.user, template.operands, template.code
        self._rest = template.rest.at(sizes)
        self._block, self._alive = self._words(sizes, steps)
        self._at = self._rest.ctypes.data, self._rest.nbytes, self._block.ctypes.data
        self._varies = template.varies
        self._pool = template.ready
        self.size = caches.OBJECT + self._rest.nbytes + self._block.nbytes

    def _words(
        self, sizes: Mapping[str, int], steps: Steps | None
    ) -> tuple[np.ndarray, tuple[object, ...]]:
        """Return the argument block but for addresses of tensors, and what it refers to."""
        block = self._template.block
        words, alive = np.zeros(block.size, np.int64), ()
        scalars: dict[str, int] = {}
        if self._template.scalars:
            values = Numbers(list(self._template.scalars.values())).at(sizes).tolist()
            scalars = dict(zip(self._template.scalars, values, strict=True))
        if steps is not None:
            parts, *begins = steps.shards
            shards = np.array(begins or [0], np.int64)
            scalars |= {"steps": len(steps.counts), "counts": steps.counts.data_ptr()}
            scalars |= {"parts": parts, "rows": steps.batch, "shards": shards.ctypes.data}
            words[self._template.starts] = steps.tables.addresses[self._template.starts_from]
            alive = (shards, steps)
        for name, value in scalars.items():
            words[block.scalar(name)] = value
        return words, alive

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
        ready = self._taken()
        worst = ready.run((*tensors, ready.memory))
        self._pool.append(self._emptied(ready) if self._varies else ready)
        return worst

    def prepare(self, tensors: Sequence[Tensor]) -> _Ready:
        """Return the argument block, filled in; raise as `run`."""
        ready = self._taken()
        worst = ready.table.inspect((*tensors, ready.memory))
        if worst == SCATTERED:
            tensors = [each if each.is_contiguous() else each.contiguous() for each in tensors]
            worst = ready.table.inspect((*tensors, ready.memory))
        if worst != FITS:
            self.refuse(tensors)
        ready.alive = tensors
        return ready

    def finish(self, ready: _Ready) -> None:
        """Make the copies after the kernel; the argument block is used again."""
        ready.table.finish()
        self._pool.append(self._emptied(ready))

    def refuse(self, tensors: Sequence[Tensor]) -> NoReturn:
        """Raise RuntimeError, naming the first tensor that is not as it has to be."""
        forms = {
            buffer: form._replace(shape=tuple(Numbers(form.shape).at(self._sizes).tolist()))
            for buffer, form in self._template.forms.items()
        }
        check(self.user, self._template.dtype, forms, tensors)
        raise RuntimeError(f"{self.user}: its tensors changed while they were looked at")

    @property
    def reads(self) -> frozenset[Buffer]:
        """The operands that the kernel touches."""
        return self._template.reads

    def form(self, operand: Buffer) -> Form:
        """Return what an operand has to be."""
        return self._template.forms[operand]

    def _taken(self) -> _Ready:
        """Return an argument block of this launch, which nobody else uses."""
        try:
            ready = self._pool.pop()
        except IndexError:
            ready = _Ready(self._template, len(self._rest))
        if ready.owner is not self:
            rest, size, block = self._at
            ready.table.load(rest, size)
            ctypes.memmove(ready.arguments, block, self._block.nbytes)
            ready.owner = self
        if self._varies:
            template = self._template
            if template.threads > 1:
                ready.table.set("threads", available(template.threads))
            if template.workspace > SMALL:
                ready.memory = reserve.take(template.dtype, template.workspace)
        return ready

    def _emptied(self, ready: _Ready) -> _Ready:
        """Return what keeps nothing in memory that is large."""
        ready.alive = ()
        if self._template.workspace > SMALL:
            ready.memory = self._template.nothing
        return ready


@final
class _Ready:
    """An argument block and the launcher's table for it.

    Attributes:
        owner: the launch whose words they hold.
        run: runs the kernel, given its operands.
        memory: workspace.
        table: of the launcher.
        arguments: where the block stands.
        alive: what else has to stay in memory.
    """

    __slots__ = ("_words", "alive", "arguments", "memory", "owner", "run", "table")

    def __init__(self, template: Template, rest: int) -> None:
        block, width = template.block, template.dtype.itemsize
        self._words = (ctypes.c_int64 * block.size)()
        self.arguments = ctypes.addressof(self._words)
        scalars = {
            "function": template.code.run,
            "team": template.code.team,
            "threads": template.threads,
            "arguments": self.arguments,
        }
        if "arrived" in block.scalars:
            scalars["arrived"] = block.scalar("arrived")
        count = len(template.operands) + 1
        dtype = dtype_number(template.dtype)
        self.table = Table([dtype] * count, [width] * count, scalars, [0] * rest, template.counts)
        self.run = self.table.run
        self.owner: Launch | None = None
        self.alive: Sequence[Tensor] = ()
        self.memory = template.nothing
        if template.workspace <= SMALL:  # it is kept
            caches.calls.charge(template.size + template.workspace * width)
            self.memory = torch.empty(template.workspace, dtype=template.dtype, device="cpu")


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
    table = Table([], [], scalars | {"arguments": ctypes.addressof(list_)}, [])
    table.run(())
    for (launch, _), each in zip(runs, ready, strict=True):
        launch.finish(each)
