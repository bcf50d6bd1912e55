"""Attention: a look at every step of another sequence."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn


@final
class Attention(nn.Module):
    """Global attention with the general score (Luong et al. 2015).

    a = softmax(memoryᵀ W query) weighs the steps of the memory; out comes
    tanh(W_c [Σ a memory; query]).

    Args:
        query_size: H, the units of the queries and of the output.
        memory_size: M, the units of the memory.
        device, dtype: of the parameters.

    >>> attention = Attention(6, 4)
    >>> output, weights = attention(torch.randn(2, 3, 6), torch.randn(5, 3, 4), None)
    >>> output.shape, weights.shape
    (torch.Size([2, 3, 6]), torch.Size([2, 3, 5]))
    """

    def __init__(
        self, query_size: int, memory_size: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"bias": False, "device": device, "dtype": dtype}
        self.score = nn.Linear(query_size, memory_size, **options)
        self.combine = nn.Linear(memory_size + query_size, query_size, **options)

    def forward(
        self, queries: Tensor, memory: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Look at the memory.

        Args:
            queries: (T, B, H).
            memory: (S, B, M).
            mask: (S, B), which steps of the memory there are; None: all.

        Returns:
            The queries with what was seen, (T, B, H), and the weights a, (T, B, S). They are 0
            where there is no memory, also if a row has none at all.
        """
        scores = torch.einsum("tbm,sbm->tbs", self.score(queries), memory)
        if mask is None:
            weights = scores.softmax(-1)
        else:
            there = mask.t()
            scores = scores.masked_fill(~there, torch.finfo(scores.dtype).min)
            weights = scores.softmax(-1).masked_fill(~there, 0.0)
        seen = torch.einsum("tbs,sbm->tbm", weights, memory)
        return torch.tanh(self.combine(torch.cat([seen, queries], -1))), weights
