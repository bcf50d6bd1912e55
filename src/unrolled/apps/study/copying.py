"""The copy memory problem (Hochreiter & Schmidhuber 1997, as in Arjovsky et al. 2016)."""

from __future__ import annotations

import math
import random
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from .problem import Batch, Problem

LENGTH = 10
"""How many symbols are to be remembered."""
KINDS = 8
"""Of how many kinds they are."""
BLANK, GO = KINDS, KINDS + 1


@final
class Copying(Problem):
    """Ten symbols, so many blanks, a signal; then say the ten symbols.

    The loss is the cross-entropy over all steps; blanks are to be answered by blanks. Who
    remembers nothing reaches 10 ln 8 / (gap + 20).
    """

    name = "copy"
    symbols = KINDS + 2
    outputs = KINDS + 1
    rows = 32
    rate = 4e-3
    steps = 4000
    unit = "nats"

    def __init__(self, gap: int) -> None:
        self.gap = gap
        self.asked = gap + 2 * LENGTH
        self.chance = LENGTH * math.log(KINDS) / self.asked
        self.goal = self.chance / 10

    def batch(self, rows: int, draw: random.Random) -> Batch:
        """T = gap + 20."""
        generator = torch.Generator().manual_seed(draw.getrandbits(62))
        symbols = torch.randint(KINDS, (LENGTH, rows), generator=generator)
        x = torch.full((self.asked, rows), BLANK)
        x[:LENGTH] = symbols
        x[self.gap + LENGTH - 1] = GO
        y = torch.full((self.asked, rows), BLANK)
        y[-LENGTH:] = symbols
        return Batch(x, y)

    def test(self, rows: int, draw: random.Random, held_out: bool) -> Batch:
        """Fresh symbols: there are 8^10 sequences."""
        return self.batch(rows, draw)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy over all steps, in nats."""
        return functional.cross_entropy(outputs.flatten(0, 1), y.flatten())

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """The same."""
        return self.loss(outputs, y).item()

    def enough(self, score: float) -> bool:
        """Well below the goal."""
        return score <= self.goal / 4
