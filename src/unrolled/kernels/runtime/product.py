"""The learned layers that read inputs, for all steps at once: large products on kernels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from ...graph.derivative import derivative, returned_input
from ...graph.node import Size
from ...graph.operation import Operation
from ...locks import cached_property
from ..planning.schedule import Schedule
from ..planning.split import Split
from . import cache
from .cache import Cache
from .launch import Job, Kernel
from .memory import empty, reserve

FIRST = torch.zeros(1, dtype=torch.int64, device="cpu")
"""Where the rows of the only step begin."""


def suits(parts: Split) -> bool:
    """Whether all that is computed before the loop are learned layers of inputs."""
    values = parts.hoisted.values.values()
    return all(
        node.operation is Operation.AFFINE
        and all(source.operation is Operation.INPUT for source in node.arguments)
        for node in values
    )


@final
class Product:
    """What a loop reads, computed by one step of a kernel whose rows are those of all steps.

    PyTorch's products run at half the rate on some processors.

    Args:
        parts: of a cell, which `suits`.
        sizes: how many units I, H, P and 1 are.
        dtype: float32 or float64.

    Attributes:
        weights: names of the parameters that are read.
    """

    def __init__(self, parts: Split, sizes: Mapping[Size, int], dtype: torch.dtype) -> None:
        self._graph = graph = parts.hoisted
        self._banks = parts.banks
        self._sizes = sizes
        self._dtype = dtype
        self.widths = [sum(sizes[graph.sizes[graph.values[n]]] for n in b) for b in parts.banks]
        self._strides = {
            name: width
            for names, width in zip(parts.banks, self.widths, strict=True)
            for name in names
        }
        schedule = Schedule(graph, {}, dict(graph.values), {})
        self._kernel = Kernel(schedule, sizes, self._strides, dtype, packed=True)
        self.weights = self._kernel.source.weights
        self._jobs = Cache(cache.calls)

    @cached_property
    def _derivative(self) -> Kernel:
        graph = derivative(self._graph, list(self._graph.values))
        stored = {f"d_{name}": graph.values[f"d_{name}"] for name in self._graph.inputs}
        strides = {
            returned_input(self._graph, name): width for name, width in self._strides.items()
        }
        return Kernel(
            Schedule(graph, {}, stored, {}), self._sizes, strides, self._dtype, packed=True
        )

    def run(
        self, inputs: Sequence[Tensor], weights: Mapping[str, Tensor], rows: int
    ) -> list[Tensor]:
        """What the loop reads, each bank (N, width), of inputs (N, I)."""
        read = [weights[name].contiguous() for name in self.weights]  # alive until all is done
        places = [weight.data_ptr() for weight in read]
        return self.start([each.data_ptr() for each in inputs], places, rows)

    def start(self, inputs: Sequence[int], weights: Sequence[int], rows: int) -> list[Tensor]:
        """The same, given where inputs and parameters stand."""
        banks = [reserve.take(self._dtype, rows * width).view(rows, width) for width in self.widths]
        order = [*self._graph.inputs, *(name for names in self._banks for name in names)]
        job = self._job("forward", self._kernel, order, rows)
        job.start([*inputs, *self._places(banks)], weights)
        return banks

    def gradients(
        self, gradients: Sequence[Tensor], weights: Mapping[str, Tensor], rows: int
    ) -> list[Tensor]:
        """The gradients with respect to the inputs, (N, I), of those with respect to the banks."""
        graph = self._graph
        found = [empty(gradients[0], rows, self._sizes[size]) for size in graph.inputs.values()]
        order = [returned_input(graph, name) for names in self._banks for name in names]
        order += [f"d_{name}" for name in graph.inputs]
        addresses = [*self._places(gradients), *(each.data_ptr() for each in found)]
        self._job("backward", self._derivative, order, rows).run(addresses, weights)
        return found

    def _places(self, banks: Sequence[Tensor]) -> list[int]:
        """Where each value of the banks stands."""
        places = []
        for names, bank in zip(self._banks, banks, strict=True):
            place = bank.data_ptr()
            for name in names:
                places.append(place)
                place += (
                    self._sizes[self._graph.sizes[self._graph.values[name]]] * bank.element_size()
                )
        return places

    def _job(self, which: str, kernel: Kernel, order: Sequence[str], rows: int) -> Job:
        key = which, rows, kernel.threads(rows, rows)
        job = self._jobs.get(key)
        if job is None:
            counts = torch.tensor([rows], device="cpu")
            shares = kernel.shares(rows, rows)
            job = Job(kernel, order, {}, FIRST, counts, shares)
            job = self._jobs.keep(key, job, job.size)
        return job
