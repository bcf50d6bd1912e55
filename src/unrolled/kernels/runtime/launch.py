"""A compiled kernel: how it is called, on which threads, with weights laid out for it."""

from __future__ import annotations

import ctypes
import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from operator import itemgetter
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from ... import _torch
from ...graph.node import Size
from ...locks import cached_property
from ..codegen.ir import Target
from ..codegen.kernel import Source
from ..codegen.threads import OPENMP
from ..planning.schedule import Schedule
from . import cache as caches
from .jit import Machine, host
from .memory import aligned, reserve

DTYPES = {torch.float32: "float", torch.float64: "double"}
WORTH_A_THREAD = 1_000_000
"""Operations that take about as long as it takes to wake a thread and wait for it."""

FEW_ROWS = 4
"""Below, a thread that owned a row would read all weights for it alone."""

LARGE = 1 << 20
"""Bytes of weights that no cache of a core holds: threads that owned rows would all fetch them."""

MANY_ROWS = 64
"""Rows of a thread for which fetched weights are used often enough."""

WORTH_COMPANY = 200_000
"""Operations that take longer than to have another thread begin with them."""

WORTH_MEETING = 200_000
"""Operations of a step from which on it pays that threads meet after each pass."""

SMALL = 1 << 18
"""Numbers of scratch memory that a job keeps for its next run: faster than new memory."""

CODE = 1
"""Bytes that a kernel takes for each character of its text: see `cache.KERNELS`."""

POINTWISE = 8
"""Operations of a pointwise value, on average over sums, products and activations."""

RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

Picker = Callable[[Sequence[int]], Sequence[int]]
"""Takes some items of a list, in an order of its own."""


class Shares(NamedTuple):
    """What each thread of a team does.

    Attributes:
        threads: how many.
        numbers: into how many parts the rows are shared, 0 if units are; how many rows there are;
            where each part begins, and the last one ends.
    """

    threads: int
    numbers: tuple[int, ...]


@cache
def _alone() -> dict[str, int]:
    """Stand-ins for the functions of OpenMP where there is none: they are never called."""
    stand_in = ctypes.cast(_nothing, ctypes.c_void_p).value
    assert stand_in is not None
    return dict.fromkeys((*OPENMP, "sched_yield"), stand_in)


_nothing = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 0)


@cache
def _team() -> dict[str, int] | None:
    """The addresses of what is needed of the OpenMP that torch has loaded, None without it.

    A kernel's threads are then torch's own: they are awake, and no second pool competes with them.
    """
    names = ("GOMP_parallel", *OPENMP)
    library = _torch.openmp(names)
    if library is None:
        return None
    pointers = {name: ctypes.cast(library[name], ctypes.c_void_p).value for name in names}
    system = ctypes.CDLL(None)
    pointers["sched_yield"] = ctypes.cast(system.sched_yield, ctypes.c_void_p).value
    return {name: address for name, address in pointers.items() if address is not None}


_forked = False
"""Whether this process is a fork: the threads of its parent's OpenMP team did not come along."""


def _fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork)


def worthwhile(operations: int) -> int:
    """On how many of torch's threads so many floating-point operations are shared."""
    most = 1 + operations // WORTH_A_THREAD
    if most == 1 or _forked or _team() is None:
        return 1
    return min(torch.get_num_threads(), most)


@final
class Code:
    """Machine code that is run by one thread or by a team of them.

    Args:
        text: of a module with the functions ``run`` and ``team``, which take a job.
        target: the processor.

    Attributes:
        alone: where the function stands that one thread runs.
        run: the same as a function of where a job's numbers stand.
    """

    def __init__(self, text: str, target: Target) -> None:
        caches.kernels.charge(CODE * len(text))
        team = _team()
        self._machine = Machine(text, target, team or _alone())
        self.alone = self._machine.address("run")
        self.run = RUN(self.alone)
        if team is not None:
            kind = ctypes.CFUNCTYPE(
                None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
            )
            self._parallel = kind(team["GOMP_parallel"])
            self._team = self._machine.address("team")

    def start(self, address: int, threads: int) -> None:
        """Run a job, whose numbers stand at an address, on some threads.

        A job made for several is done by one as well: in a fork there are no others.
        """
        if threads == 1 or _forked or _team() is None:
            self.run(address)
        else:
            self._parallel(self._team, address, threads, 0)


@final
class Kernel:
    """The machine code of a schedule.

    Args:
        schedule: what is computed.
        units: how many units I, H and P are.
        strides: of arrays that stand in wider rows, those rows' width; 0 for vectors.
        dtype: float32 or float64.
        packed: whether weights are laid out anew for tiles of many rows, or read as they are.

    Attributes:
        size: bytes that it takes.
        layouts: how many numbers the layout of each matrix takes, then that of each pass's biases.
        alone: where the function stands that one thread runs.
    """

    def __init__(
        self,
        schedule: Schedule,
        units: Mapping[Size, int],
        strides: Mapping[str, int],
        dtype: torch.dtype,
        packed: bool,
    ) -> None:
        self.target = host(DTYPES[dtype])
        self.dtype = dtype
        self.schedule = schedule
        self.source = Source(schedule, units, strides, self.target, packed)
        code = Code(self.source.text, self.target)
        self.start, self.alone, self.run = code.start, code.alone, code.run
        self.size = CODE * len(self.source.text)
        self.source.forget_text()
        lanes = self.target.lanes
        sizes = [pack.size(lanes) if packed else 0 for pack in self.source.packs]
        sizes += [
            work.groups * work.blocks * len(work.work.products) * lanes
            for work in self.source.works
        ]
        self.layouts = sizes

    def text(self) -> str:
        """Write the module of the kernel once more: it is not kept."""
        source = self.source
        again = Source(source.schedule, source.units, source.strides, source.target, source.packed)
        return again.text

    def threads(self, rows: int, total: int) -> int:
        """How many threads share so many rows, which take `total` steps in all.

        A second thread has to save more than it costs to wake it.
        """
        threads = worthwhile(total * self._operations)
        return threads if self.shares_units(rows) else max(1, min(threads, rows))

    def alone_with(self, rows: int) -> Shares:
        """One thread does everything."""
        return Shares(1, (1, rows, 0, rows))

    def shares(self, rows: int, total: int, lengths: Sequence[int] | None = None) -> Shares:
        """What each thread does.

        Args:
            rows: how many there are at most.
            total: how many steps they take, all together.
            lengths: how many steps each takes, from the longest to the shortest, if they differ.
        """
        threads = self.threads(rows, total)
        if threads > 1 and self.shares_units(rows):
            return Shares(threads, (0, rows))
        if lengths is None or threads == 1:
            begins = [rows * part // threads for part in range(threads + 1)]
        else:  # as many steps to each
            done = list(accumulate(lengths, initial=0))
            begins = [bisect_left(done, total * part / threads) for part in range(threads)]
            begins.append(rows)
        return Shares(threads, (threads, rows, *begins))

    def shares_units(self, rows: int) -> bool:
        """Whether threads share the units instead of the rows: if rows are few, and steps long."""
        if self.schedule.sums or rows * self._operations < WORTH_MEETING:
            return False  # they meet between passes, not within one
        large = self._weights * self.target.bytes >= LARGE
        return rows < FEW_ROWS or (large and rows <= MANY_ROWS * torch.get_num_threads())

    def gains_abreast(self, rows: int, total: int) -> bool:
        """Whether one thread for it beside another's kernel is better than both threads for it.

        It is if the work is not worth two; if they would meet in every step though its weights
        fit a core's own cache; or if rows are so few that one tile takes them all.
        """
        threads = self.threads(rows, total)
        if threads == 1:
            return total * self._operations >= WORTH_COMPANY
        if self.shares_units(rows):
            return 2 * self._weights * self.target.bytes <= LARGE
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
            POINTWISE * len(work.work.nodes) * self.source.units[work.work.size]
            for work in self.source.works
        )
        return 2 * self._weights + values


@final
class Job:
    """All about a kernel's run but where its arrays stand. It may run on many threads at once.

    Args:
        kernel: to be run.
        order: the names of the kernel's arrays in which their addresses are going to be given.
        starts: for some arrays, a list (T,) int64 of the rows at which the steps begin.
        steps: that list for all other arrays that have rows for every step.
        counts: (T,) int64, how many rows each step has.
        shares: what each thread does.

    Attributes:
        order: as given.
        weights: the names of the parameters that the kernel reads.
        sums: of the arrays in which each thread has a row to sum up, the width.
        size: bytes that it takes, but for what `begin` makes.
    """

    def __init__(
        self,
        kernel: Kernel,
        order: Sequence[str],
        starts: Mapping[str, Tensor],
        steps: Tensor,
        counts: Tensor,
        shares: Shares,
    ) -> None:
        self.kernel = kernel
        self.order = list(order)
        self.shares = shares
        self.weights = kernel.source.weights
        self._run = kernel.run
        self._alive = (steps, counts, *starts.values())
        source = kernel.source
        numbers = [len(counts), counts.data_ptr()]
        for array in source.arrays:
            begins = starts.get(array.name, steps).data_ptr() if array.kind == "step" else 0
            numbers += (0, begins)
        kept = [array for array in source.arrays if array.kind == "rows"]
        sizes = [*kernel.layouts, *(shares.numbers[1] * array.stride for array in kept)]
        width = kernel.target.bytes
        begins = list(accumulate((aligned(size * width) for size in sizes), initial=0))
        self._scratch = begins.pop() // width
        self._layouts, self._kept = begins[: len(kernel.layouts)], begins[len(kernel.layouts) :]
        self._kept_names = [array.name for array in kept]
        self._pick = self._picked(range(len(order)))
        self._arrays = slice(2, 2 + 2 * len(source.arrays), 2)
        self.sums = {array.name: array.stride for array in source.arrays if array.kind == "thread"}
        self._own = slice(len(numbers), len(numbers) + len(kernel.layouts))
        numbers += [0] * len(kernel.layouts)
        self._weights = slice(len(numbers), len(numbers) + len(source.weights))
        numbers += [0] * len(source.weights)
        self._job = len(numbers)
        numbers += [0, 0, *shares.numbers, 0]
        self._meetings = len(numbers) - 1
        self._kind = ctypes.c_int64 * len(numbers)
        self._numbers = bytes(self._kind(*numbers))
        self.size = caches.OBJECT + ctypes.sizeof(self._kind)
        self._ready: list[Ready] = []  # for runs to come, as many as there were at one time

    def reads(self, names: Iterable[str]) -> bool:
        """Whether the kernel uses one of these arrays."""
        return not {array.name for array in self.kernel.source.arrays}.isdisjoint(names)

    def run(self, addresses: Sequence[int], weights: Mapping[str, Tensor]) -> None:
        """Compute all steps.

        Args:
            addresses: of the first number of row 0 of each array.
            weights: the parameters of the learned layers.
        """
        read = self.read(weights)  # alive until the kernel has read it
        self.start(addresses, [weight.data_ptr() for weight in read])

    def read(self, weights: Mapping[str, Tensor]) -> list[Tensor]:
        """The parameters that the kernel reads, laid out row by row."""
        found = [weights[name] for name in self.weights]
        return [each if each.is_contiguous() else each.detach().contiguous() for each in found]

    def start(self, addresses: Sequence[int], weights: Sequence[int]) -> None:
        """Compute all steps, given the addresses of the arrays and of the parameters."""
        self._start(self.begin(addresses, weights))

    def begin(self, addresses: Sequence[int], weights: Sequence[int]) -> Ready:
        """All that the kernel has to be told."""
        return self._told(self._pick, addresses, weights)

    def _told(self, pick: Picker, addresses: Sequence[int], weights: Sequence[int]) -> Ready:
        """The same, of the arrays what picks their addresses of those kept and those given."""
        try:
            ready = self._ready.pop()
        except IndexError:
            ready = self._made()
        numbers, _, kept, _ = ready
        numbers[self._arrays] = pick([*kept, *addresses])
        numbers[self._weights] = weights
        numbers[self._meetings] = 0
        return ready

    def _start(self, ready: Ready) -> None:
        """Compute all steps, of which the kernel has been told all."""
        if self.shares.threads == 1:
            self._run(ready.job)
        else:
            self.kernel.start(ready.job, self.shares.threads)
        self.end(ready)

    def end(self, ready: Ready) -> None:
        """What was told is used again in a later run."""
        if self._scratch <= SMALL:
            self._ready.append(ready)

    def wired(
        self, arrays: Sequence[int], weights: Sequence[int]
    ) -> Callable[[Sequence[int]], None]:
        """Return what starts the job, given a list of addresses.

        Args:
            arrays: of each of `order`, which of the addresses is its own.
            weights: likewise of each of `weights`.
        """
        pick, pick_weights = self._picked(arrays), _picker(weights)

        def start(addresses: Sequence[int]) -> None:
            self._start(self._told(pick, addresses, pick_weights(addresses)))

        return start

    def _picked(self, places: Sequence[int]) -> Picker:
        """What picks the arrays' addresses, those of kept ones before those given.

        Args:
            places: of each of `order`, which of the addresses given is its own.
        """
        count = len(self._kept_names)
        found = {name: place for place, name in enumerate(self._kept_names)}
        found |= {name: count + place for name, place in zip(self.order, places, strict=True)}
        return _picker([found[array.name] for array in self.kernel.source.arrays])

    def _made(self) -> Ready:
        """The numbers of a job, and memory for what the kernel lays out and keeps."""
        numbers = self._kind.from_buffer_copy(self._numbers)
        start = ctypes.addressof(numbers)
        if self._scratch <= SMALL:  # it is kept
            caches.calls.charge(ctypes.sizeof(numbers) + self._scratch * self.kernel.dtype.itemsize)
        memory = reserve.take(self.kernel.dtype, self._scratch)
        scratch = memory.data_ptr()
        numbers[self._own] = [scratch + begin for begin in self._layouts]
        numbers[self._job] = start
        numbers[self._job + 1] = start + 8 * self._meetings
        kept = [scratch + begin for begin in self._kept]
        return Ready(numbers, start + 8 * self._job, kept, memory)


def _picker(places: Sequence[int]) -> Picker:
    """What picks the items at some places, in that order."""
    if len(places) < 2:
        return lambda items: [items[place] for place in places]
    return itemgetter(*places)


class Ready(NamedTuple):
    """What a job tells its kernel.

    Attributes:
        numbers: of the job.
        job: where those stand with which it begins.
        kept: where arrays stand that nobody else sees.
        memory: what the kernel may write.
    """

    numbers: Any
    job: int
    kept: list[int]
    memory: Tensor
