"""A compiled kernel: how it is called, on which threads, with weights laid out for it."""

from __future__ import annotations

import ctypes
import glob
import os
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from itertools import accumulate
from typing import NamedTuple, final

import torch
from torch import Tensor

from ...equations.node import Size
from .machine import Machine, host
from .schedule import Schedule
from .source import Source
from .team import OPENMP

DTYPES = {torch.float32: "float", torch.float64: "double"}
WORTH_A_THREAD = 1_000_000
"""Operations that take about as long as it takes to wake a thread and wait for it."""

FEW_ROWS = 4
"""Below, a thread that owned a row would read all weights for it alone."""

WORTH_MEETING = 200_000
"""Operations of a step from which on it pays that threads meet after each pass."""

POINTWISE = 8
"""Operations of a pointwise value, on average over sums, products and activations."""

RUN = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


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
    folder = os.path.join(os.path.dirname(torch.__file__), "lib")
    for path in glob.glob(os.path.join(folder, "libgomp*.so*")):
        library = ctypes.CDLL(path)
        names = ("GOMP_parallel", *OPENMP)
        if all(hasattr(library, name) for name in names):
            pointers = {name: ctypes.cast(library[name], ctypes.c_void_p).value for name in names}
            system = ctypes.CDLL(None)
            pointers["sched_yield"] = ctypes.cast(system.sched_yield, ctypes.c_void_p).value
            return {name: address for name, address in pointers.items() if address is not None}
    return None


_forked = False
"""Whether this process is a fork: the threads of its parent's OpenMP team did not come along."""


def _fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork)


@final
class Kernel:
    """The machine code of a schedule.

    Args:
        schedule: what is computed.
        units: how many units I, H and P are.
        strides: of arrays that stand in wider rows, those rows' width; 0 for vectors.
        dtype: float32 or float64.
        packed: whether weights are laid out anew for tiles of many rows, or read as they are.
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
        team = _team()
        self._machine = Machine(self.source.text, self.target, team or _alone())
        self._run = RUN(self._machine.address("run"))
        if team is not None:
            kind = ctypes.CFUNCTYPE(
                None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
            )
            self._parallel = kind(team["GOMP_parallel"])
            self._team = self._machine.address("team")
        lanes = self.target.lanes
        sizes = [pack.size(lanes) if packed else 0 for pack in self.source.packs]
        sizes += [
            work.groups * work.blocks * len(work.work.products) * lanes
            for work in self.source.works
        ]
        self._layouts = list(accumulate(sizes, initial=0))
        self._kept = [a for a in self.source.arrays if a.kind == "rows"]

    def shares(self, rows: int, total: int, lengths: Sequence[int] | None = None) -> Shares:
        """What each thread does.

        A second thread has to save more than it costs to wake it.

        Args:
            rows: how many there are at most.
            total: how many steps they take, all together.
            lengths: how many steps each takes, from the longest to the shortest, if they differ.
        """
        by_units = self.shares_units(rows)
        most = 1
        if not _forked and _team() is not None:
            most = torch.get_num_threads() if by_units else min(torch.get_num_threads(), rows)
        threads = max(1, min(most, 1 + total * self._operations // WORTH_A_THREAD))
        if by_units and threads > 1:
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
        few = rows < FEW_ROWS and rows * self._operations >= WORTH_MEETING
        return few and not self.schedule.sums  # they meet between passes, not within one

    @cached_property
    def _operations(self) -> int:
        """About how many floating-point operations a row takes in one step."""
        products = sum(
            2 * pack.length * pack.units * len(pack.factor.targets) for pack in self.source.packs
        )
        values = sum(
            POINTWISE * len(work.work.nodes) * self.source.units[work.work.size]
            for work in self.source.works
        )
        return products + values

    def run(
        self,
        addresses: Mapping[str, int],
        starts: Sequence[int],
        weights: Mapping[str, Tensor],
        counts: Tensor,
        shares: Shares,
    ) -> None:
        """Compute all steps.

        Args:
            addresses: of the first number of row 0 of each of the source's arrays, by their names,
                but for those of kept values.
            starts: for each of these arrays, the address of a list (T,) int64 of the rows at which
                the steps begin; 0 if its rows are those of a step.
            weights: the parameters of the learned layers.
            counts: (T,) int64, how many rows each step has.
            shares: what each thread does.
        """
        size = self.target.bytes
        scratch = [shares.numbers[1] * array.stride for array in self._kept]
        places = list(accumulate(scratch, initial=self._layouts[-1]))
        memory = torch.empty(places[-1], dtype=self.dtype, device="cpu")
        start = memory.data_ptr()
        known = dict(addresses)
        for array, place in zip(self._kept, places, strict=False):
            known[array.name] = start + place * size
        arguments = [len(counts), counts.data_ptr()]
        for array, begins in zip(self.source.arrays, starts, strict=True):
            arguments += (known[array.name], begins)
        arguments += [start + place * size for place in self._layouts[:-1]]
        read = [_contiguous(weights[name]) for name in self.source.weights]
        arguments += [tensor.data_ptr() for tensor in read]
        self._start(arguments, shares)

    def _start(self, arguments: list[int], shares: Shares) -> None:
        listed = (ctypes.c_int64 * len(arguments))(*arguments)
        numbers = (ctypes.addressof(listed), 0, *shares.numbers, 0)
        job = (ctypes.c_int64 * len(numbers))(*numbers)
        address = ctypes.addressof(job)
        job[1] = address + 8 * (len(numbers) - 1)  # the counter of meetings is the last number
        if shares.threads == 1:
            self._run(address)
        else:
            self._parallel(self._team, address, shares.threads, 0)


def _contiguous(weight: Tensor) -> Tensor:
    return weight if weight.is_contiguous() else weight.detach().contiguous()
