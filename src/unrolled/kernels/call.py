"""One run over a sequence: what does not change between forward and backward."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, final

import torch
from torch import Tensor

from .llvm.kernel import Job, Kernel
from .memory import empty
from .recurrence import Recurrence, Training
from .timeline import Timeline

NOWHERE = torch.zeros(1, dtype=torch.int64, device="cpu")
"""The beginning of the only step."""


@final
class Call:
    """One run over a sequence.

    Args:
        recurrence: the cell.
        record: names of the values that are returned for every step.
        time: where the rows of the steps stand.
        shape: (T, B), or (N,) if ragged.
        batch_sizes, reverse: as for `eager.run`.

    Attributes:
        banks: names of what the loop reads, as they stand side by side.
        states: how many units each state has.
        weights: names of the parameters.
        taps: names of the recorded values that are not states.
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
        self.taps = [name for name in record if name not in self.states]
        self._inputs = list(self._columns())
        self._names = [node.attribute.name for node in recurrence.split.step.learned]
        self._jobs: dict[tuple[Any, int], Job] = {}

    def _columns(self) -> Any:
        """Of each value that the loop reads: its name, its bank and its first column there."""
        for place, names in enumerate(self.banks):
            column = 0
            for name in names:
                yield name, place, column
                column += self.recurrence.width([name])

    @cached_property
    def training(self) -> Training:
        """The kernels that save for a backward pass, and make it."""
        return self.recurrence.training(self.record)

    # Jobs. Their arrays come in the order: inputs, learned vectors, then what is said here.

    @property
    def single(self) -> Job:
        """One step without saving anything: states before it, states after it."""
        kernel = self.recurrence.inference(())
        order = [f"{which} {name}" for which in ("old", "new") for name in self.states]
        return self._job("single", kernel, lambda: (order, dict.fromkeys(order, NOWHERE)))

    @property
    def inference(self) -> Job:
        """All steps without saving anything: states before them, states after them, taps."""

        def arrays() -> tuple[list[str], dict[str, Tensor]]:
            old, new, _ = self.time.pair
            starts = {}
            for name in self.states:
                full = name in self.record
                starts[f"old {name}"] = self.time.old if full else old
                starts[f"new {name}"] = self.time.new if full else new
            order = [f"{which} {name}" for which in ("old", "new") for name in self.states]
            return [*order, *(f"tap {name}" for name in self.taps)], starts

        return self._job("inference", self.recurrence.inference(self.record), arrays)

    @property
    def forward(self) -> Job:
        """All steps: states before them, states after them, all that is recorded, and is saved."""

        def arrays() -> tuple[list[str], dict[str, Tensor]]:
            starts = {f"old {name}": self.time.old for name in self.states}
            starts |= {f"new {name}": self.time.new for name in self.states}
            taps = [f"tap {name}" for name in self.record]
            return [*starts, *taps, *self.training.columns], starts

        return self._job("forward", self.training.forward, arrays)

    def backward(self, buffers: frozenset[int]) -> Job:
        """The derivative, from the last step to the first, into some buffers: see `Gradients`."""
        training = self.training

        def arrays() -> tuple[list[str], dict[str, Tensor]]:
            back = self.time.backward
            old, new, _ = back.pair
            starts = dict.fromkeys(self.states, back.old)
            starts |= {f"new {name}": back.new for name in self.states}
            starts |= {f"old d_{name}": old for name in self.states}
            starts |= {f"new d_{name}": new for name in self.states}
            order = [*starts, *training.columns, *(f"returned_{name}" for name in self.record)]
            gradients = training.plan.stored(buffers)
            sums = [f"sum {name}" for name in training.plan.reduced]
            return [*order, *gradients, *sums], starts

        return self._job(("backward", buffers), training.backward(buffers), arrays)

    def _job(
        self,
        kind: str | tuple[str, frozenset[int]],
        kernel: Kernel,
        arrays: Callable[[], tuple[list[str], dict[str, Tensor]]],
    ) -> Job:
        threads = kernel.threads(self.time.batch, self.time.total)
        known = self._jobs.get((kind, threads))
        if known is None:
            time = self.time if isinstance(kind, str) else self.time.backward
            lengths = None if time.is_dense else self.time.lengths.tolist()
            shares = kernel.shares(time.batch, time.total, lengths)
            further, starts = arrays()
            order = [name for name, _, _ in self._inputs]
            order += [*(f"learned {name}" for name in self._names), *further]
            known = Job(kernel, order, starts, time.step, time.counts, shares)
            self._jobs[kind, threads] = known
        return known

    # Tensors.

    def named(self, tensors: Sequence[Any]) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
        """The tensors of banks, states and weights, of one flat list."""
        first = len(self.banks)
        second = first + len(self.states)
        states = dict(zip(self.states, tensors[first:second], strict=True))
        return list(tensors[:first]), states, dict(zip(self.weights, tensors[second:], strict=True))

    def inputs(self, banks: Sequence[Tensor], learned: Sequence[Tensor]) -> list[int]:
        """Where what the loop reads stands: each value in some columns of its bank."""
        size = banks[0].element_size()
        starts = [bank.data_ptr() for bank in banks]
        found = [starts[place] + column * size for _, place, column in self._inputs]
        return [*found, *(vector.data_ptr() for vector in learned)]

    def learned(self, weights: Mapping[str, Tensor]) -> list[Tensor]:
        """The learned vectors and scalars that the kernels read."""
        return [weights[name].detach().contiguous() for name in self._names]

    def full(self, name: str, state: Tensor) -> Tensor:
        """An array for a state at all steps, (B + N, units), with the first states in place."""
        time = self.time
        array = empty(state.dtype, time.batch + time.total, self.states[name])
        put(array, time.initial.start, state)
        return array

    def tap(self, name: str, like: Tensor) -> Tensor:
        """An array for a recorded value, (N, units)."""
        return empty(like.dtype, self.time.total, self.recurrence.probe_width(name))


def put(array: Tensor, row: int, state: Tensor) -> None:
    """Copy a state (B, units) to some rows of an array."""
    if state.is_contiguous():  # several times faster than a slice and a copy
        size = array.element_size()
        where = array.data_ptr() + row * array.stride(0) * size
        ctypes.memmove(where, state.data_ptr(), state.numel() * size)
    else:
        array[row : row + state.shape[0]] = state.detach()
