"""A launch: a kernel and everything that it is handed, prepared once and replayed."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import accumulate, chain
from typing import NamedTuple, NoReturn, final

import torch
from torch import Tensor

from ..codegen.threads import concurrent
from ..tuning import OBJECT, SMALL_WORKSPACE
from . import cache as caches
from .abi import FITS, SCATTERED, WORD, ArgumentBlock, Buffer, Role, Rows
from .buffers import check
from .code import Code, available
from .jit import host
from .launcher import Form, Table, dtype_number
from .linear import Number, Numbers
from .memory import aligned, reserve

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
        steps: T.
        counts: address of how many rows each step has, (T,) int64.
        tables: of the rows at which steps begin, (T,) int64: the row before which all steps end,
            and the table's address.
        shards: into how many parts the rows are shared, 0 if units are; then where each begins,
            and the last one ends.
        batch: B.
        alive: what has to stay in memory.
    """

    steps: int
    counts: int
    tables: Sequence[tuple[int, int]]
    shards: tuple[int, ...]
    batch: int
    alive: object


Words = ctypes.Array[ctypes.c_int64]


def _words(values: Sequence[int]) -> Words:
    return (ctypes.c_int64 * len(values))(*values)


FACTS = ("nothing", "one", "threads", "rows", "steps", "counts", "parts", "shards")
"""Numbers of every launch of which words are made; 0 stands for what it does not have.

The scalars of a template follow, and two numbers for each table: see `Steps`.
"""


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
        user, code, block, dtype, threads: as given.
        forms: the operands.
        reads, written: the operands that the kernel touches, and those that it writes.

    Raises:
        RuntimeError: a buffer is bound to no operand, or nothing gives a scalar.
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
        self.forms = operands
        self.scalars = dict(scalars or {})
        self._order = {buffer: number for number, buffer in enumerate((*operands, WORKSPACE))}
        places = {**{buffer: Place(buffer) for buffer in workspace}, **bindings}
        width = dtype.itemsize
        starts = [0, *accumulate(aligned(count * width) for count in workspace.values())]
        self.workspace = starts.pop() // width
        own = {b: start // width for b, start in zip(workspace, starts, strict=True)}
        self.reads = frozenset(place.operand for place in places.values())
        written = {places[buffer].operand for buffer in block.written if buffer in places}
        self.written = written | {move.target.operand for move in (*before, *after)}
        self._bound = [field for field in block.fields if field.buffer in places]
        for field in block.fields:
            if field.buffer not in places and field.buffer not in optional:
                raise RuntimeError(f"{user}: nothing is bound to the buffer {field.buffer}")
        rest = self._rest(places, before, after, own)
        rooms = self._rooms(places, workspace, (*before, *after))
        self.rest = len(rest)
        self._numbers = [Numbers(each) for each in (rest, rooms, list(self.scalars.values()))]
        self._sources(strides or {}, tables or {})
        self.nothing = torch.empty(0, dtype=dtype, device="cpu")
        self.varies = threads > 1 or self.workspace > SMALL_WORKSPACE
        self.ready: list[_Ready] = []  # for runs to come, as many as there were at one time
        self.size = OBJECT + WORD * (block.size + 12 * len(places))

    def _rest(
        self,
        places: Mapping[Buffer, Place],
        before: Sequence[Move],
        after: Sequence[Move],
        own: Mapping[Buffer, int],
    ) -> list[Number]:
        """Return the words of the launcher's table that differ with sizes."""
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
        return [*numbers, *widths, *(word for entry in (*relocations, *copies) for word in entry)]

    def _rooms(
        self,
        places: Mapping[Buffer, Place],
        workspace: Mapping[Buffer, int],
        moves: Sequence[Move],
    ) -> list[Number]:
        """Return how many numbers there are for each buffer, and beyond both sides of each copy."""

        def room(place: Place) -> Number:
            whole = workspace.get(place.operand)
            numbers: Number = self.forms[place.operand].numbers if whole is None else whole
            return numbers - place.offset

        ends = [(move.numbers, move.source) for move in moves]
        ends += [(move.numbers * move.times, move.target) for move in moves]
        self._ends = [place.operand for _, place in ends]
        left = [room(place) - numbers for numbers, place in ends]
        return [*(room(places[field.buffer]) for field in self._bound), *left]

    def _sources(self, strides: Mapping[Buffer, int], tables: Mapping[Buffer, int]) -> None:
        """Note from which fact each word of the block comes.

        Of each bound buffer it also notes which fact its rows are, how far they are apart, and how
        much of the last is touched.
        """
        names = {name: number for number, name in enumerate((*FACTS, *self.scalars))}
        names["arrived"] = names["nothing"]  # the launcher sets it
        kinds = {Rows.WHOLE: "one", Rows.ONE: "one", Rows.THREAD: "threads"}
        self._from = [0] * self.block.size
        for name in self.block.scalars:
            if name not in names:
                raise RuntimeError(f"{self.user}: nothing gives the scalar {name}")
            self._from[self.block.scalar(name)] = names[name]
        rows: dict[Buffer, int] = {}
        for field in self.block.fields:
            rows[field.buffer] = names[kinds.get(field.rows, "rows")]
            if field.rows is Rows.STEP and "counts" in self.block.scalars:
                table = len(FACTS) + len(self.scalars) + 2 * tables.get(field.buffer, 0)
                rows[field.buffer] = table
                self._from[self.block.starts(field)] = table + 1
        widths = [f.stride if f.rows is Rows.WHOLE else f.width for f in self._bound]
        self._touched = [
            (rows[f.buffer], strides.get(f.buffer, f.stride), width)
            for f, width in zip(self._bound, widths, strict=True)
        ]

    def at(self, sizes: Mapping[str, int] | None = None, steps: Steps | None = None) -> Launch:
        """Return the launch for some sizes.

        Args:
            sizes: by name.
            steps: where the rows of the steps stand.

        Raises:
            RuntimeError: a buffer or a copy reaches beyond the end of its operand.
        """
        return Launch(self, sizes or {}, steps)

    def words(self, sizes: Mapping[str, int], steps: Steps | None) -> tuple[Words, Words, object]:
        """Return the words of the launcher's table and of the block, and what they refer to.

        Those of the block are without addresses of tensors.
        """
        rest, rooms, scalars = (numbers.at(sizes) for numbers in self._numbers)
        if steps is None:
            if "counts" in self.block.scalars:
                raise RuntimeError(f"{self.user}: nothing says where the rows of steps stand")
            rows = dict(zip(self.scalars, scalars, strict=True)).get("rows", 0)
            facts, alive = [0, 1, self.threads, rows, 0, 0, 0, 0, *scalars], ()
        else:
            parts, *begins = steps.shards
            shards = _words(begins)
            facts = [0, 1, self.threads, steps.batch, steps.steps, steps.counts, parts]
            facts += [ctypes.addressof(shards), *scalars, *chain.from_iterable(steps.tables)]
            alive = (shards, steps.alive)
        self._check(facts, rooms)
        return _words(rest), _words([facts[number] for number in self._from]), alive

    def _check(self, facts: Sequence[int], rooms: Sequence[int]) -> None:
        """Raise RuntimeError unless all that the kernel touches lies in an operand or workspace.

        Args:
            facts: from which rows are known.
            rooms: how many numbers there are of each buffer, and are left beyond each copy.
        """
        for number, (rows, stride, width) in enumerate(self._touched):
            touched = (facts[rows] - 1) * stride + width
            if touched > rooms[number] and facts[rows]:
                raise RuntimeError(
                    f"{self.user}: the buffer {self._bound[number].buffer} takes {touched} "
                    f"numbers, {rooms[number]} are there"
                )
        for number, end in enumerate(self._ends, len(self._bound)):
            if rooms[number] < 0:
                raise RuntimeError(f"{self.user}: a copy reaches beyond {end}")


@final
class Launch:
    """A kernel with everything that it is handed but the tensors; threads may run it at one time.

    Args:
        template: what it is but for sizes.
        sizes, steps: see `Template.at`.
    """

    def __init__(self, template: Template, sizes: Mapping[str, int], steps: Steps | None) -> None:
        self._template = template
        self._sizes = sizes
        self.user, self.code = template.user, template.code
        self._rest, self._block, self._alive = template.words(sizes, steps)
        self._varies = template.varies
        self._pool = template.ready
        self.size = OBJECT + WORD * (len(self._rest) + len(self._block))

    def run(self, tensors: Sequence[Tensor]) -> None:
        """Run the kernel; tensors that are not contiguous are copied first.

        Raises:
            RuntimeError: naming the first that has another dtype, size or place, or whose storage
                ends before it does, or that is written and not contiguous.
        """
        if self.start(tensors) != FITS:
            self.refuse(tensors)

    def start(self, tensors: Sequence[Tensor]) -> int:
        """Run the kernel if all tensors are as they have to be; return the worst of them.

        Those that are not contiguous are copied first.
        """
        ready = self._taken()
        worst = ready.run((*tensors, ready.memory))
        if worst == SCATTERED:
            worst = ready.run((*self._in_rows(tensors), ready.memory))
        self._pool.append(self._emptied(ready) if self._varies else ready)
        return worst

    def prepare(self, tensors: Sequence[Tensor]) -> _Ready:
        """Return the argument block, filled in; raise as `run`."""
        ready = self._taken()
        worst = ready.table.inspect((*tensors, ready.memory))
        if worst == SCATTERED:
            tensors = self._in_rows(tensors)
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
            buffer: form._replace(shape=tuple(Numbers(form.shape).at(self._sizes)))
            for buffer, form in self._template.forms.items()
        }
        check(self.user, self._template.dtype, forms, tensors)
        raise RuntimeError(f"{self.user}: its tensors changed while they were looked at")

    def _in_rows(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return contiguous tensors; raise RuntimeError for one that is written: not its copy."""
        for buffer, tensor in zip(self._template.forms, tensors, strict=True):
            if buffer in self._template.written and not tensor.is_contiguous():
                label = self.form(buffer).label
                raise RuntimeError(f"{self.user}: {label} is written, and should be contiguous")
        return [tensor.contiguous() for tensor in tensors]

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
            ready = _Ready(self._template)
        if ready.owner is not self:
            ready.table.load(self._rest)
            ctypes.memmove(ready.arguments, self._block, ctypes.sizeof(self._block))
            ready.owner = self
        if self._varies:
            template = self._template
            if template.threads > 1:
                ready.table.set("threads", available(template.threads))
            if template.workspace > SMALL_WORKSPACE:
                ready.memory = reserve.take(template.dtype, template.workspace)
        return ready

    def _emptied(self, ready: _Ready) -> _Ready:
        """Return what keeps nothing in memory that is large."""
        ready.alive = ()
        if self._template.workspace > SMALL_WORKSPACE:
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

    def __init__(self, template: Template) -> None:
        block, width = template.block, template.dtype.itemsize
        self._words = _words([0] * block.size)
        self.arguments = ctypes.addressof(self._words)
        scalars = {
            "function": template.code.run,
            "run_shard": template.code.run_shard,
            "threads": template.threads,
            "arguments": self.arguments,
        }
        if "arrived" in block.scalars:
            scalars["arrived"] = block.scalar("arrived")
        count = len(template.forms) + 1
        dtype = dtype_number(template.dtype)
        self.table = Table(
            [dtype] * count, [width] * count, scalars, [0] * template.rest, template.counts
        )
        self.run = self.table.run
        self.owner: Launch | None = None
        self.alive: Sequence[Tensor] = ()
        self.memory = template.nothing
        if template.workspace <= SMALL_WORKSPACE:  # it is kept
            caches.calls.charge(template.size + template.workspace * width)
            self.memory = torch.empty(template.workspace, dtype=template.dtype, device="cpu")


@cache
def _concurrent() -> Code:
    target = host("float")
    return Code(concurrent(target), target)


def run_concurrently(runs: Sequence[tuple[Launch, Sequence[Tensor]]]) -> None:
    """Run launches for one thread each at the same time, on as many threads as there are."""
    ready = [launch.prepare(tensors) for launch, tensors in runs]
    words = [len(ready)]
    for (launch, _), each in zip(runs, ready, strict=True):
        words += (launch.code.run, each.arguments)
    list_ = _words(words)
    code, threads = _concurrent(), available(min(torch.get_num_threads(), len(ready)))
    scalars = {"function": code.run, "run_shard": code.run_shard, "threads": threads}
    table = Table([], [], scalars | {"arguments": ctypes.addressof(list_)}, [])
    table.run(())
    for (launch, _), each in zip(runs, ready, strict=True):
        launch.finish(each)
