"""A compiled kernel: how it is called, on which threads, with weights laid out for it."""

from __future__ import annotations

import ctypes
import glob
import os
from collections.abc import Mapping
from functools import cache, cached_property
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor

from ...equations.node import Size
from .machine import Machine, host
from .schedule import Schedule
from .source import OPENMP, Pack, Source

DTYPES = {torch.float32: "float", torch.float64: "double"}
WORTH_A_THREAD = 1_000_000
"""Operations that take about as long as it takes to wake a thread and wait for it."""

POINTWISE = 8
"""Operations of a pointwise value, on average over sums, products and activations."""

ROWS = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class Rows(NamedTuple):
    """An array that a kernel reads or writes.

    Attributes:
        tensor: whose first number is that of row 0.
        first: (T,) int64, the row at which each step's rows begin; None if there are no steps.
    """

    tensor: Tensor
    first: Tensor | None = None


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
    """

    def __init__(
        self,
        schedule: Schedule,
        units: Mapping[Size, int],
        strides: Mapping[str, int],
        dtype: torch.dtype,
    ) -> None:
        self.target = host(DTYPES[dtype])
        self.dtype = dtype
        self.schedule = schedule
        self.source = Source(schedule, units, strides, self.target)
        team = _team()
        self._machine = Machine(self.source.text, self.target, team or {})
        self._rows = ROWS(self._machine.address("rows"))
        if team is not None:
            kind = ctypes.CFUNCTYPE(
                None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint
            )
            self._parallel = kind(team["GOMP_parallel"])
            self._threads = self._machine.address("threads")

    def threads(self, rows: int, total: int) -> int:
        """How many threads share so many rows, which take `total` steps in all.

        A second thread has to save more than it costs to wake it.
        """
        if _forked or _team() is None:
            return 1
        worthwhile = 1 + total * self._operations // WORTH_A_THREAD
        return max(1, min(torch.get_num_threads(), rows, worthwhile))

    @cached_property
    def _operations(self) -> int:
        """About how many floating-point operations a row takes in one step."""
        products = sum(
            2 * pack.length * pack.units * len(pack.factor.targets) for pack in self.source.packs
        )
        values = sum(
            POINTWISE * len(work.nodes) * self.source.units[work.size]
            for work in self.schedule.passes
        )
        return products + values

    def scratch(self, rows: int) -> dict[str, Rows]:
        """New arrays for what is kept between passes."""
        found = {}
        for array in self.source.arrays:
            if array.kind == "rows":
                found[array.name] = Rows(
                    torch.empty(rows * array.stride, dtype=self.dtype, device="cpu")
                )
        return found

    def __call__(
        self,
        arrays: Mapping[str, Rows],
        weights: Mapping[str, Tensor],
        counts: Tensor,
        rows: int,
        total: int,
    ) -> None:
        """Compute all steps.

        Args:
            arrays: by the names of the source's arrays, but for those of `scratch`.
            weights: the parameters of the learned layers.
            counts: (T,) int64, how many rows each step has.
            rows: how many there are at most.
            total: the sum of the counts.
        """
        known = {**arrays, **self.scratch(rows)}
        places = [known[array.name] for array in self.source.arrays]
        packs = [
            self._packed(pack, weights[f"weight_{pack.factor.group}"]) for pack in self.source.packs
        ]
        biases = [self._biases(number, weights) for number in range(len(self.schedule.passes))]
        addresses = [len(counts), counts.data_ptr()]
        for place in places:
            addresses.append(place.tensor.data_ptr())
            addresses.append(0 if place.first is None else place.first.data_ptr())
        addresses += [tensor.data_ptr() for tensor in (*packs, *biases)]
        arguments = (ctypes.c_int64 * len(addresses))(*addresses)
        threads = self.threads(rows, total)
        if threads == 1:
            self._rows(ctypes.addressof(arguments), 0, rows, 0)
        else:
            job = (ctypes.c_int64 * 2)(ctypes.addressof(arguments), rows)
            self._parallel(self._threads, ctypes.addressof(job), threads, 0)

    def _packed(self, pack: Pack, weight: Tensor) -> Tensor:
        """A weight in the order in which the kernel reads it."""
        factor, lanes = pack.factor, self.target.lanes
        padding = pack.groups * pack.blocks * lanes - pack.units
        height = self.source.units[factor.size]
        layers = weight.detach().reshape(-1, height, weight.shape[1])
        if factor.transposed:
            (row,) = factor.rows
            padded = F.pad(layers[row], (0, padding))
            return padded.view(height, pack.groups, -1).transpose(0, 1).contiguous()
        padded = F.pad(layers[list(factor.rows)], (0, 0, 0, padding))
        shape = (len(factor.rows), pack.groups, pack.blocks, lanes, pack.length)
        return padded.view(shape).permute(1, 4, 2, 0, 3).contiguous()

    def _biases(self, number: int, weights: Mapping[str, Tensor]) -> Tensor:
        """The start values of a pass's sums, in the order of its tiles."""
        work, lanes = self.schedule.passes[number], self.target.lanes
        _, blocks, groups = self.source.shapes[number]
        units = self.source.units[work.size]
        total = torch.zeros(
            len(work.products), groups * blocks * lanes, dtype=self.dtype, device="cpu"
        )
        for group, (products, rows) in _by_group(work.biases).items():
            total[products, :units] += weights[f"bias_{group}"].detach().reshape(-1, units)[rows]
        shape = (len(work.products), groups, blocks, lanes)
        return total.view(shape).permute(1, 2, 0, 3).contiguous()


def _by_group(
    biases: tuple[tuple[tuple[str, int], ...], ...],
) -> dict[str, tuple[list[int], list[int]]]:
    """For each bias, the products that it is added to, and which block of rows each takes."""
    found: dict[str, tuple[list[int], list[int]]] = {}
    for product, parts in enumerate(biases):
        for group, block in parts:
            products, rows = found.setdefault(group, ([], []))
            products.append(product)
            rows.append(block)
    return found
