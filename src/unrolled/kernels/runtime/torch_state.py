"""What around a call needs to see its PyTorch operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack as _function_modes
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import _get_current_dispatch_mode

F = TypeVar("F", bound=Callable[..., object])

PLAIN = (Tensor, torch.nn.Parameter)
"""The types of tensors whose memory a kernel may read."""

DTYPES = frozenset({torch.float32, torch.float64})
"""The dtypes for which there are kernels."""

PORTABLE = "torch.export and tracing read the eager definition"
"""It runs wherever PyTorch does; kernels are of one machine."""

_eager: ContextVar[bool] = ContextVar("eager", default=False)


@contextmanager
def eager_only() -> Iterator[None]:
    """Inside, every cell runs by its eager definition; to compare, or to look for a fault."""
    token = _eager.set(True)
    try:
        yield
    finally:
        _eager.reset(token)


def decided_once(function: F) -> F:
    """Let torch.compile call a function while it compiles, and build its result into the code."""
    function._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]
    return function


def fixed(number: Any) -> int:
    """An integer. Code that torch.compile makes of it holds for this one alone."""
    if not torch.compiler.is_dynamo_compiling():
        return int(number)
    from torch.fx.experimental.symbolic_shapes import guard_scalar

    return guard_scalar(number)  # pyright: ignore[reportReturnType]


def surroundings() -> str | None:
    """Why the eager definition has to run here, in a few words; None if a kernel may."""
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return _compiling() if torch.compiler.is_dynamo_compiling() else PORTABLE
    if is_watched():
        return "a mode watches the eager definition"
    return _transforms()


def is_watched() -> bool:
    """Whether a mode sees, or makes, tensors: it would miss what a kernel does with them.

    To say on which device new tensors are is no such mode: a kernel's say so themselves.
    """
    if _get_current_dispatch_mode() is not None:
        return True
    return _functions() > 0 and any(type(m) is not DeviceContext for m in _function_modes())


_is_eager, _tracing = _eager.get, torch._C._get_tracing_state
_functions: Callable[[], int] = torch._C._len_torch_function_stack  # pyright: ignore


def undisturbed() -> bool:
    """Whether a kernel may run, as far as neither tensors nor torch.compile have a say."""
    return (
        not _is_eager()
        and forward_ad._current_level < 0
        and _tracing() is None
        and not (_functions() and is_watched())
    )


@decided_once
def _compiling() -> str | None:
    """The same, while torch.compile reads a call."""
    return PORTABLE if torch.compiler.is_exporting() else _transforms()


def _transforms() -> str | None:
    if _eager.get():
        return "eager_only() asks for it"
    if torch._C._functorch.maybe_current_level() is not None:  # pyright: ignore
        return "torch.func transforms the eager definition"
    if forward_ad._current_level >= 0:
        return "forward-mode differentiation goes through the eager definition"
    if torch.is_autocast_enabled("cpu"):
        return "autocast chooses the dtypes of the eager definition"
    return None
