"""One run over a sequence: what does not change between forward and backward."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, final

from torch import Tensor

from ..equations.node import Size
from .llvm.kernel import Kernel, Shares
from .recurrence import Recurrence, Training
from .timeline import Timeline


@final
class Call:
    """One run over a sequence.

    Args:
        recurrence: the cell.
        record: names of the values that are returned for every step.
        time: where the rows of the steps stand.
        shape: (T, B), or (N,) if ragged.
        batch_sizes, reverse: as for `eager.run`.
    """

    def __init__(
        self,
        recurrence: Recurrence,
        record: tuple[str, ...],
        time: Timeline,
        shape: tuple[int, ...],
        batch_sizes: Sequence[int] | None,
        reverse: bool,
    ) -> None:
        self.recurrence = recurrence
        self.record = record
        self.time = time
        self.shape = shape
        self.batch_sizes = batch_sizes
        self.reverse = reverse
        self.banks = recurrence.split.banks
        self.states = recurrence.states
        self.weights = list(recurrence.step.weights)

    @cached_property
    def inference(self) -> tuple[Kernel, list[int]]:
        """The kernel that saves nothing, and where the steps of its arrays begin."""
        kernel = self.recurrence.inference(self.record)
        old, new, _ = self.time.pair
        starts = {}
        for name in self.states:
            full = name in self.record
            starts[f"old {name}"] = self.time.old if full else old
            starts[f"new {name}"] = self.time.new if full else new
        return kernel, self.starts(kernel, starts, self.time)

    @cached_property
    def training(self) -> Training:
        """The kernels that save for a backward pass, and make it."""
        return self.recurrence.training(self.record)

    @cached_property
    def forward(self) -> tuple[Kernel, list[int]]:
        """The kernel that saves what the backward pass needs."""
        kernel, starts = self.training.forward, {}
        for name in self.states:
            starts[f"old {name}"] = self.time.old
            starts[f"new {name}"] = self.time.new
        return kernel, self.starts(kernel, starts, self.time)

    @cached_property
    def backward(self) -> tuple[Kernel, list[int]]:
        """The kernel that runs the derivative, from the last step to the first."""
        kernel, back = self.training.backward, self.time.backward
        old, new, _ = back.pair
        starts = {}
        for name in self.states:
            starts[name] = back.old
            starts[f"new {name}"] = back.new
            starts[f"old d_{name}"] = old
            starts[f"new d_{name}"] = new
        return kernel, self.starts(kernel, starts, back)

    def starts(self, kernel: Kernel, special: Mapping[str, Tensor], time: Timeline) -> list[int]:
        """For each array of a kernel, where the beginnings of its steps are listed, or 0."""
        found = []
        for array in kernel.source.arrays:
            steps = special.get(array.name, time.step)
            found.append(steps.data_ptr() if array.kind == "step" else 0)
        return found

    def shares(self, kernel: Kernel) -> Shares:
        """What each thread does of a kernel's work."""
        time = self.time
        lengths = None if time.is_dense else time.lengths.tolist()
        return kernel.shares(time.batch, time.total, lengths)

    def named(self, tensors: Sequence[Any]) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
        """The tensors of banks, states and weights, of one flat list."""
        first = len(self.banks)
        second = first + len(self.states)
        states = dict(zip(self.states, tensors[first:second], strict=True))
        return list(tensors[:first]), states, dict(zip(self.weights, tensors[second:], strict=True))

    def inputs(self, banks: Sequence[Tensor]) -> dict[str, int]:
        """Where what the loop reads stands: each value in some columns of its bank."""
        recurrence, found = self.recurrence, {}
        for names, bank in zip(self.banks, banks, strict=True):
            address = bank.data_ptr()
            for name in names:
                found[name] = address
                address += recurrence.width([name]) * bank.element_size()
        return found

    def learned(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The learned vectors and scalars that the kernels read, by the names of their arrays."""
        names = (node.attribute.name for node in self.recurrence.split.step.learned)
        return {f"learned {name}": weights[name].detach().contiguous() for name in names}

    def full(self, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Arrays for the states of all steps, (B + N, units), with the first states in place."""
        time, arrays = self.time, {}
        for name, state in states.items():
            arrays[name] = state.new_empty(time.batch + time.total, self.states[name])
            put(arrays[name], time.initial.start, state)
        return arrays

    def taps(self, like: Tensor, states: bool) -> dict[str, Tensor]:
        """Arrays for the recorded values, (N, units), with or without those that are states."""
        recurrence = self.recurrence
        return {
            f"tap {name}": like.new_empty(self.time.total, recurrence.probe_width(name))
            for name in self.record
            if states or name not in self.states
        }


def put(array: Tensor, row: int, state: Tensor) -> None:
    """Copy a state (B, units) to some rows of an array."""
    if state.is_contiguous():  # several times faster than a slice and a copy
        size = array.element_size()
        where = array.data_ptr() + row * array.stride(0) * size
        ctypes.memmove(where, state.data_ptr(), state.numel() * size)
    else:
        array[row : row + state.shape[0]] = state.detach()


