"""One step without a graph, with as little of Python around the kernel as there can be.

A step of a small cell takes a kernel about a microsecond: what surrounds it decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from .call import Call
from .surroundings import PLAIN, surroundings


@final
class Quick:
    """One step of a cell, for tensors of the shapes and dtype that were seen before.

    Args:
        call: of one step, whose loop reads the inputs as they are.
        x: the input of a step that a kernel took.
        states: likewise, in the order of the cell's signature.
        keys: the name in a module of each parameter of the cell.
        shapes: of each parameter of the cell.
    """

    def __init__(
        self,
        call: Call,
        x: Tensor,
        states: Sequence[Tensor],
        keys: Mapping[str, str],
        shapes: Mapping[str, torch.Size],
    ) -> None:
        self._job = call.single
        self._threads = torch.get_num_threads()
        self._dtype = x.dtype
        self._x = x.shape
        self._states = [state.shape for state in states]
        learned = [name.removeprefix("learned ") for name in self._job.order[1:]]
        learned = learned[: len(self._job.order) - 1 - 2 * len(states)]
        read = [*learned, *self._job.weights]
        self._parameters = [(keys[name], shapes[name]) for name in read]
        self._learned = len(learned)

    @staticmethod
    def suits(call: Call, keys: Mapping[str, str], own: Mapping[str, Any]) -> bool:
        """Whether steps of a call can be taken so, with parameters that a module owns."""
        recurrence = call.recurrence
        alone = recurrence.reads_inputs_alone and len(recurrence.split.banks) == 1
        return alone and all(key in own for key in keys.values())

    def run(
        self, x: Tensor, states: Sequence[Tensor], own: Mapping[str, Any]
    ) -> list[Tensor] | None:
        """The states after the step; None if anything is not as it was seen before.

        Args:
            x: the input.
            states: before the step.
            own: the parameters of the module, by name.
        """
        if surroundings() is not None or torch.get_num_threads() != self._threads:
            return None
        grad, dtype = torch.is_grad_enabled(), self._dtype
        if len(states) != len(self._states) or not _same(x, self._x, dtype, grad):
            return None
        before = []
        for state, shape in zip(states, self._states, strict=True):
            if not _same(state, shape, dtype, grad):
                return None
            before.append(state.data_ptr())
        read = []
        for key, shape in self._parameters:
            parameter: Any = own.get(key)
            if type(parameter) not in PLAIN or parameter.shape != shape:
                return None
            if parameter.dtype is not dtype or not parameter.is_cpu:
                return None
            if (grad and parameter.requires_grad) or not parameter.is_contiguous():
                return None
            read.append(parameter.data_ptr())
        new = [torch.empty_like(state) for state in states]
        addresses = [x.data_ptr(), *read[: self._learned], *before]
        addresses += [state.data_ptr() for state in new]
        self._job.start(addresses, read[self._learned :])
        return new


def _same(tensor: Any, shape: torch.Size, dtype: torch.dtype, grad: bool) -> bool:
    """Whether a tensor is what a kernel can take as it is."""
    if type(tensor) not in PLAIN or tensor.shape != shape or tensor.dtype is not dtype:
        return False
    if grad and tensor.requires_grad:
        return False
    return tensor.is_cpu and tensor.layout is torch.strided and tensor.is_contiguous()
