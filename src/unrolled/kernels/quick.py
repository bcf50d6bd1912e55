"""Calls like earlier ones, with as little of Python around the kernel as there can be.

A small cell takes a kernel about a microsecond a step: what surrounds it decides.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, final

import torch
from torch import Tensor

from .call import Call
from .compiled import Loop
from .llvm.kernel import Job
from .memory import ALIGNED, aligned
from .surroundings import PLAIN, surroundings

Addresses = list[int]


class Quick(ABC):
    """Abstract: calls of a cell, for inputs of the shape and dtype that were seen before.

    Args:
        call: whose loop reads the inputs as they are.
        x: the input of a call that took a kernel.
        keys: the name in a module of each parameter of the cell.
        shapes: of each parameter of the cell.
    """

    def __init__(
        self,
        call: Call,
        x: Tensor,
        keys: Mapping[str, str],
        shapes: Mapping[str, torch.Size],
    ) -> None:
        self._job = job = self.job(call)
        self._threads = torch.get_num_threads()
        self._dtype = x.dtype
        self._x = x.shape
        learned = [n.removeprefix("learned ") for n in job.order if n.startswith("learned ")]
        self._parameters = [(keys[name], shapes[name]) for name in [*learned, *job.weights]]
        self._learned = len(learned)

    @staticmethod
    @abstractmethod
    def job(call: Call) -> Job:
        """The job that is run."""

    @staticmethod
    def suits(call: Call, keys: Mapping[str, str], own: Mapping[str, Any]) -> bool:
        """Whether calls like this one can be made so, with parameters that a module owns."""
        recurrence = call.recurrence
        alone = recurrence.reads_inputs_alone and len(recurrence.split.banks) == 1
        return alone and call.time.is_dense and all(key in own for key in keys.values())

    def _read(self, x: Tensor, own: Mapping[str, Any]) -> Addresses | None:
        """Where the parameters stand; None if anything is not as it was seen before."""
        if surroundings() is not None or torch.get_num_threads() != self._threads:
            return None
        grad, dtype = torch.is_grad_enabled(), self._dtype
        if not same(x, self._x, dtype, grad):
            return None
        parameters = owned(own, self._parameters, dtype)
        if parameters is None:
            return None
        for parameter in parameters:
            if (grad and parameter.requires_grad) or not parameter.is_contiguous():
                return None
        return [parameter.data_ptr() for parameter in parameters]

    def _start(self, x: Tensor, read: Addresses, old: Addresses, new: Addresses) -> None:
        """Run the job on states that stand at `old` and come to stand at `new`."""
        learned, weights = read[: self._learned], read[self._learned :]
        self._job.start([x.data_ptr(), *learned, *old, *new], weights)


@final
class QuickStep(Quick):
    """One step."""

    def __init__(self, call: Call, x: Tensor, *args: Any) -> None:
        super().__init__(call, x, *args)
        self._states = [torch.Size((call.time.batch, units)) for units in call.states.values()]

    @staticmethod
    def job(call: Call) -> Job:
        """States before the step, states after it."""
        return call.single

    def _fit(self, states: Sequence[Tensor], grad: bool) -> bool:
        pairs = zip(states, self._states, strict=True)
        return all(same(state, shape, self._dtype, grad) for state, shape in pairs)

    def run(
        self, x: Tensor, states: Sequence[Tensor], own: Mapping[str, Any]
    ) -> list[Tensor] | None:
        """The states after the step; None if anything is not as it was seen before.

        Args:
            x: the input.
            states: before the step.
            own: the parameters of the module, by name.
        """
        read = self._read(x, own)
        grad = torch.is_grad_enabled()
        fit = len(states) == len(self._states)
        if read is None or not (fit and self._fit(states, grad)):
            return None
        new = [torch.empty_like(state) for state in states]
        old = [state.data_ptr() for state in states]
        self._start(x, read, old, [state.data_ptr() for state in new])
        return new


@final
class QuickRun(Quick):
    """Sequences of one length, whose output is the cell's."""

    def __init__(self, call: Call, x: Tensor, *args: Any) -> None:
        super().__init__(call, x, *args)
        (name,) = call.record
        batch, steps = call.time.batch, len(call.time.counts)
        self._output = (steps, batch, call.states[name])
        sizes = [batch * units * x.element_size() for units in call.states.values()]
        last = steps % 2  # which half of a pair holds the last states
        places = list(accumulate((aligned(2 * size) for size in sizes), initial=0))
        self._pairs = list(zip(places, sizes, (last * size for size in sizes), strict=False))
        self._size = places[-1] + ALIGNED

    @staticmethod
    def job(call: Call) -> Job:
        """All steps: states before them, states after them, the output."""
        return call.inference

    def run(
        self, x: Tensor, old: Addresses | None, new: Addresses, own: Mapping[str, Any]
    ) -> Tensor | None:
        """The output (T, B, units) of all steps; None if anything is not as it was seen before.

        Args:
            x: the input, (T, B, I).
            old: where the states before the first step stand; None if they are 0.
            new: where those after the last step are written.
            own: the parameters of the module, by name.
        """
        read = self._read(x, own)
        if read is None:
            return None
        output = x.new_empty(self._output)
        pairs = ctypes.create_string_buffer(self._size)  # filled with 0
        start = aligned(ctypes.addressof(pairs))
        places = [start + begin for begin, _, _ in self._pairs]
        if old is not None:
            for place, state, (_, size, _) in zip(places, old, self._pairs, strict=True):
                ctypes.memmove(place, state, size)
        self._start(x, read, places, [*places, output.data_ptr()])
        for place, state, (_, size, last) in zip(places, new, self._pairs, strict=True):
            ctypes.memmove(state, place + last, size)
        return output


@final
class QuickLone(Quick):
    """Sequences of one step: as `QuickRun`, without arrays for several steps."""

    def __init__(self, call: Call, x: Tensor, *args: Any) -> None:
        super().__init__(call, x, *args)
        batch, units = call.time.batch, list(call.states.values())
        (name,) = call.record
        place = list(call.states).index(name)
        self._output = place, (1, batch, units[place]), batch * units[place] * x.element_size()
        self._nothing = [torch.zeros(batch, n, dtype=x.dtype, device="cpu") for n in units]

    @staticmethod
    def job(call: Call) -> Job:
        """States before the step, states after it."""
        return call.single

    def run(
        self, x: Tensor, old: Addresses | None, new: Addresses, own: Mapping[str, Any]
    ) -> Tensor | None:
        """The output (1, B, units); arguments as for `QuickRun.run`."""
        read = self._read(x, own)
        if read is None:
            return None
        if old is None:
            old = [state.data_ptr() for state in self._nothing]
        self._start(x, read, old, new)
        place, shape, size = self._output
        output = torch.empty(shape, dtype=self._dtype, device="cpu")
        ctypes.memmove(output.data_ptr(), new[place], size)
        return output


@final
class QuickTraining:
    """Sequences of one length, on the graph; for the same calls as `QuickRun`."""

    def __init__(
        self, call: Call, x: Tensor, keys: Mapping[str, str], shapes: Mapping[str, torch.Size]
    ) -> None:
        self._call = call
        self._x, self._dtype = x.shape, x.dtype
        self._rows = (call.time.total, x.shape[-1])
        self._parameters = [(keys[name], shapes[name]) for name in call.weights]
        batch = call.time.batch
        self._nothing = [
            torch.zeros(batch, n, dtype=x.dtype, device="cpu") for n in call.states.values()
        ]

    def run(
        self, x: Tensor, old: Sequence[Tensor] | None, own: Mapping[str, Any]
    ) -> tuple[Tensor, Sequence[Tensor]] | None:
        """The output (T, B, units) and the last states; None if anything is not as before.

        Args:
            x: the input, (T, B, I).
            old: the states before the first step; None if they are 0.
            own: the parameters of the module, by name.
        """
        if surroundings() is not None or not same(x, self._x, self._dtype, False):
            return None
        weights = owned(own, self._parameters, self._dtype)
        if weights is None:
            return None
        old = self._nothing if old is None else old
        output, *last = Loop.apply(self._call, x.view(self._rows), *old, *weights)
        return output.view(*self._x[:2], -1), last


def owned(
    own: Mapping[str, Any], known: Sequence[tuple[str, torch.Size]], dtype: torch.dtype
) -> list[Tensor] | None:
    """A module's parameters; None if one is not as it was known."""
    found = []
    for key, shape in known:
        parameter: Any = own.get(key)
        if type(parameter) not in PLAIN or parameter.shape != shape:
            return None
        if parameter.dtype is not dtype or not parameter.is_cpu:
            return None
        found.append(parameter)
    return found


def same(tensor: Any, shape: torch.Size, dtype: torch.dtype, grad: bool) -> bool:
    """Whether a tensor is what a kernel can take as it is."""
    if type(tensor) not in PLAIN or tensor.shape != shape or tensor.dtype is not dtype:
        return False
    if grad and tensor.requires_grad:
        return False
    return tensor.is_cpu and tensor.layout is torch.strided and tensor.is_contiguous()
