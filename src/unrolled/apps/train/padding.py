"""Sequences of different lengths side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


def padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Rows (T, …) as one tensor (T, B, …), 0 after their ends, and their lengths (B,).

    There is at least one step, also if all rows are empty.

    >>> padded([torch.tensor([1, 2]), torch.tensor([3])])
    (tensor([[1, 3],
            [2, 0]]), tensor([2, 1]))
    """
    lengths = torch.tensor([len(row) for row in rows])
    joined = pad_sequence(list(rows))
    if len(joined) == 0:
        joined = joined.new_zeros(1, *joined.shape[1:])
    return joined, lengths
