"""Guards: what tensors have to have in common for a prepared launch to serve them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

from torch import Tensor

from ... import _torch


@final
class Guards:
    """Check that tensors are like those that a launch was prepared for.

    Compared are of each tensor type, dtype, device, shape, whether it requires a gradient, and what
    transforms, modes and autocast would make of it: by the check that PyTorch compiles for
    `torch.compile`, in less than a tenth of a microsecond a tensor. All tensors have to have
    strides: see `_torch.has_strides`.

    Args:
        tensors: as they were.

    >>> import torch
    >>> a, b = torch.ones(3), torch.ones(2, 2)
    >>> guards = Guards([a, b])
    >>> guards.same(a, b), guards.same(b, a), guards.same(a, b.t())
    (True, False, False)
    >>> guards.alike([a, b.t()]), guards.alike([a, torch.ones(4)])
    (True, False)
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._each = [_torch.guard([each], strides=False) for each in tensors]
        self.same: Callable[..., bool] = _never
        """Return whether nothing is different, strides included, and no tensor stands twice."""
        self._together: Callable[..., bool] = _never
        if len(set(map(id, tensors))) == len(tensors):
            self.same = _torch.guard(tensors, strides=True)
            self._together = _torch.guard(tensors, strides=False)

    def alike(self, tensors: Sequence[Tensor]) -> bool:
        """Return whether nothing but strides is different; a tensor may stand several times."""
        if self._together(*tensors):
            return True
        return all(check(each) for check, each in zip(self._each, tensors, strict=True))


def _never(*tensors: Tensor) -> bool:
    return False
