"""The adding problem (Hochreiter & Schmidhuber 1997, as in Le et al. 2015)."""

from __future__ import annotations

import random
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from .problem import Batch, Problem


@final
class Adding(Problem):
    """Add the two marked ones among so many numbers from 0 to 1.

    One mark stands in each half, so T is the gap. Always saying 1 has an error of 1/6.
    """

    name = "adding"
    width = 2
    outputs = 1
    rows = 32
    rate = 1e-2
    steps = 8000
    unit = "MSE"
    chance = 1 / 6
    goal = 0.01

    def __init__(self, gap: int) -> None:
        self.gap = gap

    def batch(self, rows: int, draw: random.Random) -> Batch:
        """T = the gap."""
        generator = torch.Generator().manual_seed(draw.getrandbits(62))
        half = self.gap // 2
        values = torch.rand(self.gap, rows, generator=generator)
        first = torch.randint(half, (rows,), generator=generator)
        second = torch.randint(half, self.gap, (rows,), generator=generator)
        marks = torch.zeros(self.gap, rows)
        every = torch.arange(rows)
        marks[first, every] = 1
        marks[second, every] = 1
        return Batch(torch.stack([values, marks], -1), values[first, every] + values[second, every])

    def test(self, rows: int, draw: random.Random, held_out: bool) -> Batch:
        """Fresh numbers: none were seen in training."""
        return self.batch(rows, draw)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """The mean squared error."""
        return functional.mse_loss(outputs[-1, :, 0], y)

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """The mean squared error."""
        return self.loss(outputs.double(), y.double()).item()

    def enough(self, score: float) -> bool:
        """Well below the goal."""
        return score <= self.goal / 4
