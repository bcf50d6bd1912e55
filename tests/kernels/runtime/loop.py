"""A kernel and all that a launch of it needs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from samples import Sample
from unrolled.cells import CELLS
from unrolled.graph.graph import Graph
from unrolled.kernels.codegen.packing import Layout
from unrolled.kernels.planning.schedule import Schedule
from unrolled.kernels.planning.split import split
from unrolled.kernels.runtime.abi import Buffer, Role
from unrolled.kernels.runtime.kernel import Kernel
from unrolled.kernels.runtime.launch import Launch, Move, Place, Steps, Template
from unrolled.kernels.runtime.launcher import Form

from ..comparison import SIZES, by_definition, call

UNTOUCHED = 12345.0
"""What stands in rows that no kernel has written."""


def made(
    graph: Graph,
    sizes: Any = SIZES,
    dtype: torch.dtype = torch.float64,
    layout: Layout = Layout.WHOLE,
) -> Kernel:
    """A kernel that stores nothing but states."""
    return Kernel(Schedule(split(graph).step, {}, {}, {}), sizes, {}, dtype, layout)


class Loop:
    """Two steps, of three rows and of one, and the tensors that are handed over.

    There is space for four rows, before the first step and after each.
    """

    COUNTS = (3, 1)

    def __init__(self, name: str, sizes: Any = SIZES, layout: Layout = Layout.WHOLE) -> None:
        self.graph, self.sizes = CELLS[name].graph, sizes
        self.step = split(self.graph).step
        self.kernel = made(self.graph, sizes, layout=layout)
        numbers, _ = call(self.graph, rows=4, sizes=sizes)
        self.tensors: dict[Buffer, Tensor] = {}
        self.bindings: dict[Buffer, Place] = {}
        self.starts: dict[Buffer, Tensor] = {}
        for name, size in self.step.states.items():
            state = torch.full((12, sizes[size]), UNTOUCHED, dtype=torch.float64)
            state[:4] = numbers.states[name]
            self._give(Buffer(Role.PAIR, name), state, Role.OLD, Role.NEW)
            self.starts[Buffer(Role.OLD, name)] = torch.tensor([0, 4])
            self.starts[Buffer(Role.NEW, name)] = torch.tensor([4, 8])
        for name, size in self.step.inputs.items():
            rows = torch.rand(8, sizes[size], dtype=torch.float64)
            self._give(Buffer(Role.INPUT, name), rows, Role.INPUT)
        for name, weight in numbers.weights.items():
            self._give(Buffer(Role.WEIGHT, name), weight, Role.WEIGHT, Role.LEARNED)
        self.workspace = self.kernel.workspace(4, threads=4)

    def _give(self, operand: Buffer, tensor: Tensor, *roles: Role) -> None:
        """Hand a tensor over, which is the kernel's buffer with each of these roles."""
        self.tensors[operand] = tensor
        buffers = [Buffer(role, operand.name) for role in roles]
        self.bindings |= {b: Place(operand) for b in buffers if b in self.kernel.block}

    def own_workspace(self) -> None:
        """Let each buffer that the kernel alone uses be a tensor of its own, full of NaN."""
        for buffer, count in self.workspace.items():
            self._give(buffer, torch.full((count,), np.nan, dtype=torch.float64), buffer.role)
        self.workspace = {}

    def move(self, place: Callable[[Any], Any]) -> None:
        """Put all tensors somewhere else."""
        self.tensors = {b: torch.from_numpy(place(v.numpy())) for b, v in self.tensors.items()}

    def template(
        self,
        threads: int = 1,
        before: list[Move] | None = None,
        after: list[Move] | None = None,
    ) -> Template:
        """Prepare launches of the kernel on tensors like these."""
        return Template(
            self.graph.name,
            self.kernel.code,
            self.kernel.block,
            {b: Form(f"the {b}", tuple(tensor.shape)) for b, tensor in self.tensors.items()},
            self.bindings,
            self.workspace,
            torch.float64,
            threads,
            before=before or [],
            after=after or [],
            tables={buffer: number for number, buffer in enumerate(self.starts, 1)},
        )

    def launch(
        self,
        threads: int = 1,
        shards: tuple[int, ...] = (1, 0, 4),
        before: list[Move] | None = None,
        after: list[Move] | None = None,
    ) -> Launch:
        """Prepare to run the kernel on tensors like these."""
        counts = torch.tensor(self.COUNTS)
        starts = [torch.tensor([0, 4]), *self.starts.values()]
        tables = [(int((begin + counts).max()), begin.data_ptr()) for begin in starts]
        alive = counts, starts
        steps = Steps(len(counts), counts.data_ptr(), tables, shards, 4, alive)
        return self.template(threads, before, after).at(steps=steps)

    @property
    def given(self) -> list[Tensor]:
        """The tensors, as a launch takes them."""
        return list(self.tensors.values())

    def state(self, name: str) -> Tensor:
        """A state before the first step and after each."""
        return self.tensors[Buffer(Role.PAIR, name)]

    def forget(self) -> None:
        """Let the kernel seem not to have been run."""
        for name in self.step.states:
            self.state(name)[4:] = UNTOUCHED

    def check(self) -> None:
        """Every step is what the definition says, and other rows are as they were."""
        weights = {b.name: v for b, v in self.tensors.items() if b.role is Role.WEIGHT}
        state = {name: self.state(name)[:4].clone() for name in self.step.states}
        for t, count in enumerate(self.COUNTS):
            rows = slice(4 * t, 4 * t + count)
            inputs = {name: self.tensors[Buffer(Role.INPUT, name)] for name in self.step.inputs}
            given = Sample(
                weights,
                {name: value[rows].unsqueeze(0) for name, value in inputs.items()},
                {name: value[:count] for name, value in state.items()},
            )
            _, last = by_definition(self.step, self.sizes)(*given, [])
            for name in self.step.states:
                found = self.state(name)[4 + 4 * t : 8 + 4 * t]
                torch.testing.assert_close(found[:count], last[name], rtol=1e-12, atol=1e-12)
                assert (found[count:] == UNTOUCHED).all()
            state = last
