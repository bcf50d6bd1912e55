"""How much memory a tensor takes, and how much its storage has."""

from __future__ import annotations

from torch import Tensor


def reach(tensor: Tensor) -> int:
    """Return how many bytes of its storage a tensor takes, from the storage's first on.

    >>> import torch
    >>> reach(torch.zeros(10)[2:5]), reach(torch.zeros(3, 4).t())
    (20, 48)
    """
    if not tensor.numel():
        return 0
    steps = ((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return (int(tensor.storage_offset()) + sum(steps) + 1) * tensor.element_size()


def extent(tensor: Tensor) -> int:
    """Return the bytes that a tensor's storage has; 0 if it has no place, as of zero tensors."""
    try:
        storage = tensor.untyped_storage()  # tensors of transforms have none
        return storage.nbytes() if storage.data_ptr() else 0
    except RuntimeError:
        return 0


def shortage(tensor: Tensor) -> str | None:
    """Say how much memory a tensor on the CPU lacks; None if its storage holds all of it."""
    needed, there = reach(tensor), extent(tensor)
    if needed <= there:
        return None
    return f"shape {tuple(tensor.shape)}, which takes {needed} bytes of a storage that has {there}"
