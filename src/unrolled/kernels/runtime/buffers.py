"""What a kernel is handed, compared with what it will touch: before every launch.

Machine code reads wherever an address points. So no address of a tensor that somebody else made is
taken but here, after dtype, device, layout, size, strides and the extent of its storage have been
looked at as they are at that moment: a hook may have replaced a saved tensor, an optimizer a
parameter, and storage can be freed under a tensor that still states its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from ... import _torch
from .abi import ANY, WRONG, Buffer
from .extent import shortage
from .launcher import Form, Table
from .torch_state import PLAIN


def check(
    user: str, dtype: torch.dtype, forms: Mapping[Buffer, Form], tensors: Sequence[Tensor]
) -> Sequence[Tensor]:
    """Return tensors, those copied that are not laid out row by row.

    Raises:
        RuntimeError: naming the first that has another dtype, size or place, or whose storage ends
            before it does.

    >>> import torch
    >>> from unrolled.kernels.runtime.abi import Buffer, Role
    >>> forms = {Buffer(Role.WEIGHT): Form("weight_hh", (8, 2))}
    >>> check("lstm", torch.float32, forms, [torch.zeros(8, 3)])
    Traceback (most recent call last):
    RuntimeError: lstm: weight_hh should be torch.float32 of shape (8, 2), got shape (8, 3)
    """
    for form, tensor in zip(forms.values(), tensors, strict=True):
        fault = fault_of(form.shape, dtype, tensor)
        if fault is not None:
            expected = f"{dtype} of shape {form.shape}"
            raise RuntimeError(f"{user}: {form.label} should be {expected}, got {fault}")
    return [each.contiguous() for each in tensors]


def fault_of(shape: tuple[int, ...], dtype: torch.dtype, tensor: Tensor) -> str | None:
    """Say what about a tensor is not as expected; None if nothing is."""
    if tensor.layout is not torch.strided:
        return f"layout {tensor.layout}"
    if tensor.device.type != "cpu":
        return f"device {tensor.device}"
    if tensor.dtype is not dtype:
        return str(tensor.dtype)
    found = tuple(tensor.shape)
    if tensor.numel() != Form("", shape).numbers or found[-1:] != shape[-1:]:
        return f"shape {found}"
    return shortage(tensor)


def solid(tensor: Tensor) -> Tensor:
    """Return the tensor with its numbers in memory.

    PyTorch negates some tensors, such as ``z.conj().imag``, and makes some zeros only when an
    operation of its own reads them.

    >>> import torch
    >>> lazy = torch._neg_view(torch.ones(2))
    >>> lazy.is_neg(), solid(lazy).is_neg(), solid(lazy).tolist()
    (True, False, [-1.0, -1.0])

    Raises:
        RuntimeError: its storage ends before it does.
    """
    if tensor.is_neg():
        lack = shortage(tensor) if _has_memory(tensor) else None
        if lack is not None:
            raise RuntimeError(f"a lazily negated tensor has {lack}")
        tensor = tensor.resolve_neg()
    return tensor.clone() if _torch.is_zero(tensor) else tensor


def is_lazy(tensor: Tensor) -> bool:
    """Return whether the numbers of a tensor are not what stands in memory."""
    return tensor.is_neg() or _torch.is_zero(tensor)


def sound(user: str, *groups: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
    """Return tensors by name, with their numbers in memory and no longer than their storage.

    What PyTorch transforms, traces or keeps on another device is returned as it is.

    Raises:
        RuntimeError: naming the first whose storage ends before it does, or that is nested.
    """
    if torch.compiler.is_compiling() or _torch.count_dispatch_modes():
        return list(groups)
    for group in groups:
        for name, tensor in group.items():
            if tensor.is_nested:
                raise RuntimeError(
                    f"{user}: {name} is a nested tensor: pass a padded one with lengths=, or a "
                    "PackedSequence"
                )
    if any(is_lazy(tensor) for group in groups for tensor in group.values()):
        groups = tuple({name: solid(each) for name, each in group.items()} for group in groups)
    named = [pair for group in groups for pair in group.items() if _has_memory(pair[1])]
    sizes = tuple(tensor.element_size() for _, tensor in named)
    tables = _extents(sizes)
    try:
        table = tables.pop()
    except IndexError:
        table = _asking(sizes)
    worst = table.inspect([tensor for _, tensor in named])
    tables.append(table)
    if worst != WRONG:
        return list(groups)
    for name, tensor in named:
        lack = shortage(tensor)
        if lack is not None:
            raise RuntimeError(f"{user}: {name} has {lack}")
    return list(groups)


def arriving(user: str, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Return gradients that arrive, where there are any, as `sound` does tensors with names."""
    labels = [f"gradient {place}" for place in range(len(gradients))]
    named = {name: g for name, g in zip(labels, gradients, strict=True) if g is not None}
    (found,) = sound(user, named)
    return [found.get(name) for name in labels]


def _has_memory(tensor: Tensor) -> bool:
    """Return whether a tensor is nothing but numbers on the CPU, not one that stands for others."""
    if type(tensor) not in PLAIN or not tensor.is_cpu or tensor.layout is not torch.strided:
        return False
    return not _torch.is_wrapped(tensor)


@lru_cache(maxsize=256)
def _extents(itemsizes: tuple[int, ...]) -> list[Table]:
    """Return what asks so many tensors whether their storage holds them, one for each thread."""
    return [_asking(itemsizes)]


def _asking(itemsizes: tuple[int, ...]) -> Table:
    count = len(itemsizes)
    return Table([ANY] * count, itemsizes, {}, [ANY] * (2 * count))


def picker(names: Sequence[str], wanted: Sequence[str]) -> Callable[[Any], Any]:
    """Return what takes the wanted ones of some tensors that stand in the order of their names.

    >>> picker(["a", "b", "c"], ["c", "a"])([1, 2, 3])
    (3, 1)
    """
    places = [list(names).index(name) for name in wanted]
    if places == list(range(len(names))):
        return tuple
    return itemgetter(*places) if len(places) > 1 else lambda each: [each[n] for n in places]
