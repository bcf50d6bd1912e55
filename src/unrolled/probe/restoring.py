"""A model left as it was: what a run does to it, and to random numbers, is undone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

import numpy
import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import is_lazy

from .. import _torch
from ..kernels.runtime.extent import shortage


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Leave a model as it is now, however the context ends.

    Given back are the classes of modules; their attributes, parameters, buffers, hooks and mode;
    what dicts and lists among their attributes hold; the numbers in all these tensors, gradients
    and whether they are wanted; the states of random number generators, and the default dtype.
    Lazy modules keep the sizes that they took from their first input.
    """
    state = _State(model)
    try:
        try:
            state.set_gradients_aside()
            yield
        finally:
            state.restore()
    finally:
        state.restore()  # once more: an interrupt may have come in the middle of the first


@final
class _State:
    """What a model is made of, and copies of all that may change."""

    def __init__(self, model: nn.Module) -> None:
        modules = [each for each in model.modules() if not isinstance(each, LazyModuleMixin)]
        self._modules = [(module, type(module), dict(vars(module))) for module in modules]
        held = [value for _, _, attributes in self._modules for value in attributes.values()]
        self._dicts = [(value, dict(value)) for value in held if isinstance(value, dict)]
        self._lists = [(value, list(value)) for value in held if isinstance(value, list)]
        tensors = {id(each): each for each in (*model.parameters(), *model.buffers(), *held)}
        self._tensors = [
            (tensor, tensor.requires_grad, tensor.detach().clone())
            for tensor in tensors.values()
            if _has_numbers(tensor)
        ]
        parameters = [each for each in model.parameters() if not is_lazy(each)]
        self._gradients = [(parameter, parameter.grad) for parameter in parameters]
        self._randomness = _Randomness({tensor.device for tensor, _, _ in self._tensors})
        self._dtype = torch.get_default_dtype()

    def set_gradients_aside(self) -> None:
        """Let gradients be summed up anew, not in the tensors that hold them now."""
        for parameter, _ in self._gradients:
            parameter.grad = None

    def restore(self) -> None:
        """Give everything back; what has not changed is not touched."""
        torch.set_default_dtype(self._dtype)
        self._randomness.restore()
        for module, kind, attributes in self._modules:
            _restore_dict(vars(module), attributes)
            if type(module) is not kind:
                module.__class__ = kind
        for held, items in self._dicts:
            _restore_dict(held, items)
            _order(held, items)
        for held, items in self._lists:
            if not _same(held, items):
                held[:] = items
        for tensor, wanted, numbers in self._tensors:
            if tensor.requires_grad != wanted:
                if not tensor.is_leaf:  # since something of the run's graph was added to it
                    tensor.detach_()
                tensor.requires_grad_(wanted)
            kept = tensor.shape == numbers.shape and tensor.dtype == numbers.dtype
            if not kept or not _has_numbers(tensor):
                tensor.data = numbers.clone()
            elif not _equal(tensor.detach(), numbers):
                tensor.detach().copy_(numbers)
        for parameter, gradient in self._gradients:
            parameter.grad = gradient


@final
class _Randomness:
    """The states of the generators that models draw from: Python's, NumPy's and PyTorch's."""

    def __init__(self, devices: set[torch.device]) -> None:
        self._python, self._numpy = random.getstate(), numpy.random.get_state()
        self._torch = torch.get_rng_state()
        self._cuda = [
            (device, torch.cuda.get_rng_state(device))
            for device in devices
            if device.type == "cuda"
        ]

    def restore(self) -> None:
        random.setstate(self._python)
        numpy.random.set_state(self._numpy)
        torch.set_rng_state(self._torch)
        for device, state in self._cuda:
            torch.cuda.set_rng_state(state, device)


def _restore_dict(held: dict[Any, Any], items: dict[Any, Any]) -> None:
    """Give a dict the items that it had; there is no moment in which it is empty."""
    for key in [key for key in held if key not in items]:
        del held[key]
    for key, value in items.items():
        if key not in held or held[key] is not value:
            held[key] = value


def _order(held: dict[Any, Any], items: dict[Any, Any]) -> None:
    """Give the items of a dict the order that they had."""
    if list(held) != list(items):
        for key in items:
            held[key] = held.pop(key)


def _has_numbers(value: object) -> bool:
    """Return whether a value is a tensor by itself, and its storage holds all of it."""
    if type(value) not in (Tensor, nn.Parameter):
        return False
    assert isinstance(value, Tensor)
    if value.layout is not torch.strided or value.is_meta or _torch.is_wrapped(value):
        return False
    return not value.is_cpu or shortage(value) is None


def _same(found: list[Any], expected: list[Any]) -> bool:
    """Return whether two lists hold the same objects."""
    return len(found) == len(expected) and all(a is b for a, b in zip(found, expected, strict=True))


def _equal(found: Tensor, expected: Tensor) -> bool:
    """Return whether two tensors of one shape and dtype hold the same numbers, NaN among them."""
    if torch.equal(found, expected):
        return True
    return found.is_floating_point() and torch.allclose(found, expected, 0, 0, equal_nan=True)
