"""Ends of rows in a batch: lengths and masks."""

from __future__ import annotations

import torch
from torch import Tensor

from ..nn.sequence import Lengths


def tensor(lengths: Lengths, device: torch.device) -> Tensor:
    """Return lengths as int64, (B,)."""
    return torch.as_tensor(lengths, dtype=torch.int64, device=device)


def mask(lengths: Lengths, steps: int, device: torch.device) -> Tensor:
    """Return (T, B): which steps stand before the end of their row.

    >>> mask([2, 0, 1], 2, torch.device("cpu")).long().tolist()
    [[1, 0, 1], [1, 0, 0]]
    """
    time = torch.arange(steps, device=device)
    return time[:, None] < tensor(lengths, device)


def cleared(values: Tensor, lengths: Lengths | None) -> Tensor:
    """Return values (T, B, …) with 0 after the end of each row, whatever stood there.

    >>> cleared(torch.tensor([[1.0, 2.0], [3.0, float("nan")]]), [2, 1]).tolist()
    [[1.0, 2.0], [3.0, 0.0]]
    """
    if lengths is None:
        return values
    kept = mask(lengths, values.shape[0], values.device)
    return values.masked_fill(~kept.view(*kept.shape, *[1] * (values.dim() - 2)), 0)


def average(values: Tensor, lengths: Lengths | None) -> Tensor:
    """Return the mean of values (T, B) over the steps before the end of their row; 0 if there is
    none.

    >>> average(torch.tensor([[1.0, 2.0], [3.0, 9.0]]), [2, 1]).item()
    2.0
    """
    if lengths is None:
        return values.mean()
    return cleared(values, lengths).sum() / tensor(lengths, values.device).sum().clamp(min=1)
