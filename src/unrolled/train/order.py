"""The order in which examples are trained on."""

from collections import OrderedDict
from typing import final

import torch
from torch import Tensor


@final
class Order:
    """All examples in an order drawn anew for every round; a batch may end one and begin the next.

    Args:
        count: how many examples there are, at least 1.
        batch: how many make a batch.
        seed: of the draws.

    >>> order = Order(5, batch=2, seed=0)
    >>> sorted(torch.cat([order.rows(step) for step in range(5)]).tolist())
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.count, self.batch, self.seed = count, batch, seed
        self._rounds: OrderedDict[int, Tensor] = OrderedDict()

    def rows(self, step: int) -> Tensor:
        """The examples of step ``step``: int64, (batch,). It depends on nothing else."""
        places = torch.arange(step * self.batch, (step + 1) * self.batch)
        rounds = places // self.count
        first, last = int(rounds[0]), int(rounds[-1])
        found = torch.cat([self._round(each) for each in range(first, last + 1)])
        return found[places - first * self.count]

    def _round(self, number: int) -> Tensor:
        if number not in self._rounds:
            generator = torch.Generator().manual_seed((self.seed * 1_000_003 + number) % 2**63)
            self._rounds[number] = torch.randperm(self.count, generator=generator)
            while len(self._rounds) > 2:
                self._rounds.popitem(last=False)
        return self._rounds[number]
