"""Guards: what calls have to have in common for a prepared launch to serve them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from ... import _torch
from .torch_state import undisturbed

_threads = torch.get_num_threads


@final
class Guards:
    """Check that tensors are like those that a launch was prepared for.

    Compared are the number of threads, and of each tensor type, dtype, device, shape, strides,
    whether it requires a gradient, and what transforms, modes and autocast would make of it: by the
    check that PyTorch compiles for `torch.compile`, in less than a tenth of a microsecond a tensor.

    Args:
        groups: tensors; in each group, no tensor stands twice.

    >>> import torch
    >>> a, b = torch.ones(3), torch.ones(2, 2)
    >>> guards = Guards([a, b], [b])
    >>> guards.hold((b, a), (b,)), guards.hold((torch.zeros(3), torch.zeros(2, 2)), (b,))
    (False, True)
    """

    def __init__(self, *groups: Sequence[Tensor]) -> None:
        self._threads = _threads()
        self._checks = [_torch.guard(group) for group in groups]

    def hold(self, *groups: Sequence[Tensor]) -> bool:
        """Return whether nothing is different."""
        if _threads() != self._threads or not undisturbed():
            return False
        return all([check(*group) for check, group in zip(self._checks, groups, strict=True)])  # noqa: C419
