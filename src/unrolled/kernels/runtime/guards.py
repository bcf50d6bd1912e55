"""Guards: what tensors have to have in common for a prepared launch to serve them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor

from ... import _torch


@final
class Guards:
    """Check that tensors are like those that a launch was prepared for.

    Compared are of each tensor type, dtype, device, shape, whether it requires a gradient, and what
    transforms, modes and autocast would make of it: by the check that PyTorch compiles for
    `torch.compile`, in less than a tenth of a microsecond a tensor. A tensor may stand several
    times, but not among the first if it did not when the guards were made.

    Args:
        first: tensors that are checked together.
        others: tensors that are checked one by one.

    >>> import torch
    >>> a, b = torch.ones(3), torch.ones(2, 2)
    >>> guards = Guards([a, b], [b])
    >>> guards.hold((b, a), (b,)), guards.hold((torch.zeros(3), torch.zeros(2, 2)), (b,))
    (False, True)
    """

    def __init__(self, first: Sequence[Tensor], others: Sequence[Tensor]) -> None:
        groups = [first] if len(set(map(id, first))) == len(first) else [[each] for each in first]
        self._first = _torch.guard(first) if len(groups) == 1 else None
        self._each = [] if len(groups) == 1 else [_torch.guard(group) for group in groups]
        self._others = [_torch.guard([other]) for other in others]

    def hold(self, first: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
        """Return whether nothing is different."""
        if self._first is not None:
            same = self._first(*first)
        else:
            same = _all(self._each, first)
        return same and _all(self._others, others)


def _all(checks: Sequence[object], tensors: Sequence[Tensor]) -> bool:
    for check, tensor in zip(checks, tensors, strict=True):
        if not check(tensor):  # pyright: ignore[reportCallIssue]
            return False
    return True
