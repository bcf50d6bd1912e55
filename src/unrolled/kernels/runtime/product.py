"""The learned layers that read inputs, for all steps at once: large products on kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from ...graph.derivative import derivative, returned_input
from ...graph.graph import Graph
from ...graph.learned import Size
from ...graph.operation import Operation
from ...locks import cached_property
from ..codegen.packing import Layout
from ..planning.schedule import Schedule
from ..planning.split import Split
from . import cache
from .abi import Buffer, Role
from .buffers import picker
from .cache import Cache
from .kernel import Kernel
from .launch import Launch, Place, Steps, Template
from .launcher import Form
from .memory import empty, reserve

FIRST = torch.zeros(1, dtype=torch.int64, device="cpu")
"""Where the rows of the only step begin."""


def suits(parts: Split) -> bool:
    """Return whether all that is computed before the loop are learned layers of inputs."""
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
        shapes: of the cell's parameters.
        weights: names of parameters, in the order in which a call has them.
    """

    def __init__(
        self,
        parts: Split,
        sizes: Mapping[Size, int],
        dtype: torch.dtype,
        shapes: Mapping[str, tuple[int, ...]],
        weights: Sequence[str],
    ) -> None:
        self._graph = graph = parts.hoisted
        self._shapes = shapes
        self._banks = parts.banks
        self._sizes = sizes
        self._dtype = dtype
        self.widths = [sum(sizes[graph.sizes[graph.values[n]]] for n in b) for b in parts.banks]
        self._columns = {
            name: Place(bank(names), column)
            for names in parts.banks
            for name, column in columns(graph, names, sizes)
        }
        stored = {Buffer(Role.RECORDED, name): node for name, node in graph.values.items()}
        self._kernel = Kernel(
            Schedule(graph, {}, stored, {}),
            sizes,
            self._strides(Role.RECORDED),
            dtype,
            layout=Layout.WHOLE,
        )
        self._names = self._kernel.named(Role.WEIGHT)
        self._read = picker(weights, self._names)
        self._launches = Cache(cache.calls)

    def _strides(self, role: Role, name: Callable[[str], str] = str) -> dict[Buffer, int]:
        """Return how wide the rows are in which the values of the banks stand."""
        return {
            Buffer(role, name(value)): width
            for names, width in zip(self._banks, self.widths, strict=True)
            for value in names
        }

    @cached_property
    def _derivative(self) -> Kernel:
        graph = derivative(self._graph, list(self._graph.values))
        stored = {
            Buffer(Role.GRADIENT, name): graph.values[f"d_{name}"] for name in self._graph.inputs
        }
        strides = self._strides(Role.INPUT, lambda name: returned_input(self._graph, name))
        return Kernel(
            Schedule(graph, {}, stored, {}), self._sizes, strides, self._dtype, layout=Layout.WHOLE
        )

    def run(self, inputs: Sequence[Tensor], weights: Sequence[Tensor], rows: int) -> list[Tensor]:
        """Return what the loop reads, each bank (N, width), of inputs (N, I)."""
        banks = [reserve.take(self._dtype, rows * width).view(rows, width) for width in self.widths]
        self._launch("forward", self._kernel, rows).run([*inputs, *self._read(weights), *banks])
        return banks

    def gradients(
        self, gradients: Sequence[Tensor], weights: Sequence[Tensor], rows: int
    ) -> list[Tensor]:
        """Return the gradients of the inputs, (N, I), of those of the banks."""
        sizes = self._graph.inputs.values()
        found = [empty(gradients[0], rows, self._sizes[size]) for size in sizes]
        launch = self._launch("backward", self._derivative, rows)
        launch.run([*found, *self._read(weights), *gradients])
        return found

    def _launch(self, which: str, kernel: Kernel, rows: int) -> Launch:
        key = which, rows, kernel.threads(rows, rows)
        launch = self._launches.get(key)
        if launch is None:
            launch = self._prepared(which == "forward", kernel, rows)
            launch = self._launches.keep(key, launch, launch.size)
        return launch

    def _prepared(self, forward: bool, kernel: Kernel, rows: int) -> Launch:
        """Return the launch for N rows: of inputs or their gradients, weights, and banks."""
        graph, sizes = self._graph, self._sizes
        own = Role.INPUT if forward else Role.GRADIENT
        operands = {
            Buffer(own, n): Form(n, (rows, sizes[size])) for n, size in graph.inputs.items()
        }
        bindings = {buffer: Place(buffer) for buffer in operands}
        for name in self._names:
            operands[Buffer(Role.WEIGHT, name)] = Form(name, self._shapes[name])
            bindings[Buffer(Role.WEIGHT, name)] = Place(Buffer(Role.WEIGHT, name))
        for names, width in zip(self._banks, self.widths, strict=True):
            operands[bank(names)] = Form(" ".join(names), (rows, width))
        for name, place in self._columns.items():
            key = Buffer(Role.RECORDED, name)
            if not forward:
                key = Buffer(Role.INPUT, returned_input(graph, name))
            bindings[key] = place
        threads, shards = kernel.shards(rows, rows)
        counts = torch.tensor([rows], device="cpu")
        tables = [(rows, FIRST.data_ptr())]
        steps = Steps(1, counts.data_ptr(), tables, shards, rows, (counts, FIRST))
        template = Template(
            graph.name,
            kernel.code,
            kernel.block,
            operands,
            bindings,
            kernel.workspace(rows, threads),
            self._dtype,
            threads,
        )
        return template.at(steps=steps)


def bank(names: Sequence[str]) -> Buffer:
    """Return the operand that holds some values of the loop side by side."""
    return Buffer(Role.SOURCE, " ".join(names))


def columns(
    graph: Graph, names: Sequence[str], sizes: Mapping[Size, int]
) -> Iterator[tuple[str, int]]:
    """Yield the values of a bank and the column at which each begins."""
    column = 0
    for name in names:
        yield name, column
        column += sizes[graph.sizes[graph.values[name]]]
