"""What around a call needs to see its PyTorch operations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from ..._torch import (
    count_function_modes,
    decided_once,
    differentiates_in_operators,
    is_exporting,
    is_forward_mode,
    is_tracing,
    is_transformed,
    is_watched,
)

PLAIN = (Tensor, torch.nn.Parameter)
"""The types of tensors whose memory a kernel may read."""


_USUAL = [getattr(kind.__torch_function__, "__func__", kind.__torch_function__) for kind in PLAIN]


def computes_itself(tensors: Sequence[Tensor]) -> bool:
    """Return whether the class of one computes PyTorch's functions in a way of its own."""
    return any(type(tensor) not in PLAIN and _is_own(type(tensor)) for tensor in tensors)


def _is_own(kind: type[Tensor]) -> bool:
    function = kind.__torch_function__
    return getattr(function, "__func__", function) not in _USUAL


DTYPES = frozenset({torch.float32, torch.float64})
"""The dtypes for which there are kernels."""

PORTABLE = "torch.export and tracing read the eager definition"
"""It runs wherever PyTorch does; kernels are of one machine."""

_eager: ContextVar[bool] = ContextVar("eager", default=False)


@contextmanager
def eager_only() -> Iterator[None]:
    """Run every cell by its eager definition while entered; to compare, or to look for a fault."""
    token = _eager.set(True)
    try:
        yield
    finally:
        _eager.reset(token)


def eager_reason() -> str | None:
    """Return why the eager definition has to run here, in a few words; None if a kernel may."""
    if torch.compiler.is_compiling() or is_tracing():
        return _compiling() if torch.compiler.is_dynamo_compiling() else PORTABLE
    if is_watched():
        return "a mode watches the eager definition"
    return _transforms()


@decided_once
def is_read_elsewhere() -> bool:
    """Return whether torch.export or torch.jit.trace reads a call, to run it without the library.

    It then runs with other numbers of steps and rows, and with other lengths.
    """
    return is_exporting() or is_tracing()


_is_eager = _eager.get


def undisturbed() -> bool:
    """Return whether a kernel may run, as far as neither tensors nor torch.compile have a say."""
    return (
        not _is_eager()
        and not is_forward_mode()
        and not is_tracing()
        and not (count_function_modes() and is_watched())
    )


@decided_once
def _compiling() -> str | None:
    """Return why the eager definition runs while torch.compile traces; None if a kernel may."""
    if is_exporting():
        return PORTABLE
    return _transforms() if differentiates_in_operators else "its operators have no gradients here"


def _transforms() -> str | None:
    if _eager.get():
        return "eager_only() asks for it"
    if is_transformed():
        return "torch.func transforms the eager definition"
    if is_forward_mode():
        return "forward-mode differentiation goes through the eager definition"
    if torch.is_autocast_enabled("cpu"):
        return "autocast chooses the dtypes of the eager definition"
    return None
