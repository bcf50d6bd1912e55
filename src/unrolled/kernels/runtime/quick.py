"""Calls like earlier ones, with as little of Python around the kernel as there can be.

A small cell takes a kernel about a microsecond a step: what surrounds it decides.
"""

from __future__ import annotations

import ctypes
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, final

import torch
from torch import Tensor

from ... import _torch
from ..autograd.node import Loop
from .call import Call
from .concurrent import start
from .launch import Job
from .memory import ALIGNED, aligned
from .torch_state import undisturbed

Addresses = Sequence[int]

_threads = torch.get_num_threads


@final
class Likeness:
    """Whether a call is like an earlier one: then what that one has checked holds for it too.

    Compared are number of threads, and of each tensor type, dtype, device, shape, strides, whether
    it requires a gradient, and what transforms, modes and autocast would make of it: by the check
    that PyTorch compiles for `torch.compile`, in less than a tenth of a microsecond a tensor.

    Args:
        tensors: of the earlier call.

    Attributes:
        holds: whether a call with some tensors is like it.

    >>> import torch
    >>> a, b = torch.ones(3), torch.ones(2, 2)
    >>> like = Likeness([a, b])
    >>> like.holds((b, a)), like.holds((torch.zeros(3), torch.zeros(2, 2)))
    (False, True)
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._threads = _threads()
        self._check = _torch.guard(tensors)

    def holds(self, tensors: Sequence[Tensor]) -> bool:
        """Whether nothing is different."""
        return _threads() == self._threads and undisturbed() and self._check(*tensors)


def suits(call: Call) -> bool:
    """Whether calls like this one can be made without their checks."""
    recurrence = call.recurrence
    alone = recurrence.reads_inputs_alone or recurrence.is_whole
    alone = alone and len(call.sources) == 1
    return _torch.has_guards and alone and call.time.is_dense


class Quick(ABC):
    """Abstract: calls of a cell without a graph.

    Args:
        call: which `suits`.

    Attributes:
        names: of the parameters that the kernel reads.
    """

    def __init__(self, call: Call) -> None:
        self._job = job = self.job(call)
        learned = [n.removeprefix("learned ") for n in job.order if n.startswith("learned ")]
        self._product = call.recurrence.product
        before = [] if self._product is None else self._product.weights
        self.names = [*learned, *job.weights, *before]
        self._learned, self._own = len(learned), len(learned) + len(job.weights)
        self._inputs, self._rows = call.inputs, call.time.total

    @staticmethod
    @abstractmethod
    def job(call: Call) -> Job:
        """The job that is run."""

    def _start(
        self, x: int, parameters: Addresses, old: Addresses, new: Addresses, *taps: int
    ) -> None:
        """Run the job on states that stand at `old` and come to stand at `new`."""
        read, weights, banks = self._read(x, parameters)
        self._job.start([*read, *old, *new, *taps], weights)
        del banks  # they have been read

    def _read(self, x: int, parameters: Addresses) -> tuple[list[int], Addresses, Any]:
        """Where inputs, learned values and weights stand, and what has to stay in memory."""
        banks = None
        if self._product is None:
            read = [x]
        else:
            banks = self._product.start([x], parameters[self._own :], self._rows)
            read = self._inputs(banks, ())
            parameters = parameters[: self._own]
        if self._learned:
            read += parameters[: self._learned]
            parameters = parameters[self._learned :]
        return read, parameters, banks


@final
class QuickStep(Quick):
    """One step."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._wired = None if self._product is not None else self._all_wired(len(call.states))

    def _all_wired(self, states: int) -> Callable[[Addresses], None]:
        """What runs the job where it reads the input itself: given all of `run`, and new states."""
        first, end = 1 + states, 1 + states + len(self.names)
        learned, weights = range(first, first + self._learned), range(first + self._learned, end)
        arrays = [0, *learned, *range(1, first), *range(end, end + states)]
        return self._job.wired(arrays, weights)

    @staticmethod
    def job(call: Call) -> Job:
        """States before the step, states after it."""
        return call.single

    def run(self, states: Sequence[Tensor], places: Addresses) -> list[Tensor]:
        """The states after the step.

        Args:
            states: before the step.
            places: where the input (B, I), the states and the parameters stand that `names` tells.
        """
        new = [torch.empty_like(state) for state in states]
        after = [state.data_ptr() for state in new]
        if self._wired is not None:
            self._wired([*places, *after])
        else:
            end = 1 + len(new)
            self._start(places[0], places[end:], places[1:end], after)
        return new


@final
class QuickRun(Quick):
    """Sequences of one length, whose output is the cell's."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        (name,) = call.record
        batch, steps, width = call.time.batch, len(call.time.counts), call.recurrence.dtype.itemsize
        self._output = (steps, batch, call.states[name])
        sizes = [batch * units * width for units in call.states.values()]
        last = steps % 2  # which half of a pair holds the last states
        places = list(accumulate((aligned(2 * size) for size in sizes), initial=0))
        self._pairs = list(zip(places, sizes, (last * size for size in sizes), strict=False))
        self._memory = ctypes.c_char * (places[-1] + ALIGNED)
        self._call = call

    @staticmethod
    def job(call: Call) -> Job:
        """All steps: states before them, states after them, the output."""
        return call.inference

    @property
    def lone(self) -> Job | None:
        """The job for one thread, if that is better beside another run."""
        return self._call.abreast

    def run(
        self, x: Tensor, old: Addresses | None, new: Addresses, parameters: Addresses
    ) -> Tensor:
        """The output (T, B, units) of all steps.

        Args:
            x: the input, (T, B, I).
            old: where the states before the first step stand; None if they are 0.
            new: where those after the last step are written.
            parameters: where those stand that `names` tells.
        """
        output, places, memory = self._arrays(x, old)
        self._start(x.data_ptr(), parameters, places, places, output.data_ptr())
        self._end(places, new)
        del memory  # the states have left it
        return output

    def _arrays(self, x: Tensor, old: Addresses | None) -> tuple[Tensor, list[int], Any]:
        """The output, where each state's pair stands, and the memory of the pairs."""
        output = x.new_empty(self._output)
        memory = self._memory()  # filled with 0
        start = aligned(ctypes.addressof(memory))
        places = [start + begin for begin, _, _ in self._pairs]
        if old is not None:
            for place, state, (_, size, _) in zip(places, old, self._pairs, strict=True):
                ctypes.memmove(place, state, size)
        return output, places, memory

    def _end(self, places: Addresses, new: Addresses) -> None:
        for place, state, (_, size, last) in zip(places, new, self._pairs, strict=True):
            ctypes.memmove(state, place + last, size)

    @staticmethod
    def abreast(
        runs: Sequence[tuple[QuickRun, Addresses | None, Addresses, Addresses]], x: Tensor
    ) -> list[Tensor]:
        """Several runs on one input at once, each on a thread: see `run`."""
        begun = []
        for run, old, _, parameters in runs:
            output, places, memory = run._arrays(x, old)
            read, weights, banks = run._read(x.data_ptr(), parameters)
            arrays = [*read, *places, *places, output.data_ptr()]
            begun.append(((run.lone, arrays, weights), output, places, (memory, banks)))
        start([job for job, *_ in begun], torch.get_num_threads())
        for (run, _, new, _), (_, _, places, _) in zip(runs, begun, strict=True):
            run._end(places, new)
        return [output for _, output, _, _ in begun]


@final
class QuickLone(Quick):
    """Sequences of one step: as `QuickRun`, without arrays for several steps."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        batch, dtype, units = call.time.batch, call.recurrence.dtype, list(call.states.values())
        (name,) = call.record
        place = list(call.states).index(name)
        self._output = place, (1, batch, units[place]), batch * units[place] * dtype.itemsize
        self._nothing = [torch.zeros(batch, n, dtype=dtype, device="cpu") for n in units]

    @staticmethod
    def job(call: Call) -> Job:
        """States before the step, states after it."""
        return call.single

    def run(
        self, x: Tensor, old: Addresses | None, new: Addresses, parameters: Addresses
    ) -> Tensor:
        """The output (1, B, units); arguments as for `QuickRun.run`."""
        if old is None:
            old = [state.data_ptr() for state in self._nothing]
        self._start(x.data_ptr(), parameters, old, new)
        place, shape, size = self._output
        output = x.new_empty(shape)
        ctypes.memmove(output.data_ptr(), new[place], size)
        return output


@final
class QuickTraining:
    """Sequences of one length, on the graph.

    Attributes:
        names: of the parameters.
        lone: the job for one thread, if that is better beside another run.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self.names = call.weights
        self.lone = call.forward_abreast
        self._nothing = [
            torch.zeros(call.time.batch, units, dtype=call.recurrence.dtype, device="cpu")
            for units in call.states.values()
        ]

    def run(
        self, x: Tensor, old: Sequence[Tensor] | None, parameters: Sequence[Tensor]
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """The output (T, B, units) and the last states.

        Args:
            x: the input, (T, B, I).
            old: the states before the first step; None if they are 0.
            parameters: those that `names` tells.
        """
        old = self._nothing if old is None else old
        output, *last = Loop.apply((self._call,), x, *old, *parameters)
        return output, last

    @staticmethod
    def abreast(
        runs: Sequence[tuple[QuickTraining, Sequence[Tensor] | None, Sequence[Tensor]]], x: Tensor
    ) -> list[tuple[Tensor, Sequence[Tensor]]]:
        """Several runs on one input at once, each on a thread: see `run`.

        One that needs no gradient is not to be part of a graph: then each runs by itself.
        """
        tensors: list[Tensor] = []
        for run, old, parameters in runs:
            own = [x, *(run._nothing if old is None else old), *parameters]
            if not any(tensor.requires_grad for tensor in own):
                return [run.run(x, old, parameters) for run, old, parameters in runs]
            tensors += own
        results = iter(Loop.apply(tuple(run._call for run, _, _ in runs), *tensors))
        return [(next(results), [next(results) for _ in run._nothing]) for run, _, _ in runs]
