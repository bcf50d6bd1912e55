"""Weights, buffers and initial states that are not finite, wherever they are in a model."""

from __future__ import annotations

from collections.abc import Container, Mapping

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.parameter import is_lazy

from .passage import Passage


def broken(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    """Return which tensors are not finite, each with in how many places.

    >>> broken({"weight": torch.tensor([1.0, torch.inf]), "bias": torch.zeros(2)})
    {'weight': 1}
    """
    counts = {name: _count(tensor) for name, tensor in tensors.items()}
    return {name: count for name, count in counts.items() if count}


def _count(tensor: Tensor) -> int:
    """Return in how many places a tensor is infinite or NaN; none of one without numbers yet."""
    if is_lazy(tensor) or tensor.is_meta or tensor.is_quantized:
        return 0
    values = tensor.detach()
    if values.layout is torch.sparse_coo:
        values = values.coalesce().values()
    elif values.layout is not torch.strided:
        values = values.values()
    if not values.is_complex() and not values.is_floating_point():
        return 0
    if values.element_size() < 2:  # 8 bits have no isfinite
        values = values.float()
    return int((~values.isfinite()).sum())


def begun(passage: Passage) -> dict[str, int]:
    """Return which initial states are not finite, each with in how many places: those that a call
    is given, not those that the call before it left so.
    """
    found: dict[str, int] = {}
    last: Mapping[str, Tensor] = {}
    for visit in passage.visits:
        for state, count in broken(visit.call.states).items():
            if not broken({state: last[state]} if state in last else {}):
                found[state] = max(count, found.get(state, 0))
        last = visit.after
    return found


def broken_modules(model: Module, said: Container[int]) -> dict[str, dict[str, int]]:
    """Return the parameters and buffers of a model that are not finite, by the path of their module
    and by name.

    Args:
        model: every module of it is looked at; it is itself called by its type.
        said: ids of tensors to leave out.
    """
    found: dict[str, dict[str, int]] = {}
    for path, module in model.named_modules():
        tensors = {
            name: tensor
            for name, tensor in module.named_parameters(recurse=False)
            if id(tensor) not in said
        }
        tensors |= {n: b for n, b in module.named_buffers(recurse=False) if not _is_mask(b)}
        counts = broken(tensors)
        if counts:
            found[path or type(model).__name__] = counts
    return found


def _is_mask(buffer: Tensor) -> bool:
    """Return whether a buffer is 0 where something is seen, and -inf where it is not."""
    if buffer.layout is not torch.strided or not buffer.is_floating_point() or buffer.is_meta:
        return False
    hidden = buffer == -torch.inf
    return bool(hidden.any()) and bool((hidden | (buffer == 0)).all()) and not bool(hidden.all())
