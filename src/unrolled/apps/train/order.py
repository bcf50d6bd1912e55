"""The order in which examples are trained on."""

from typing import final

import numpy
import torch
from torch import Tensor

from ...errors import UserError
from .chance import shuffled

REPEATED = 1024
"""Rows of a batch up to which examples may come several times in it."""


@final
class Order:
    """All examples in an order drawn anew for every round; a batch may end one and begin the next.

    Args:
        count: how many examples there are, at least 1.
        batch: how many make a batch.
        seed: of the draws.

    Raises:
        UserError: a batch is far more than all examples.

    >>> order = Order(5, batch=2, seed=0)
    >>> sorted(torch.cat([order.rows(step) for step in range(5)]).tolist())
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    def __init__(self, count: int, batch: int, seed: int) -> None:
        if batch > max(count, REPEATED):
            raise UserError(
                f"--batch {batch} is more than there is to train on, {count}, and than {REPEATED}"
            )
        self.count, self.batch, self.seed = count, batch, seed

    def rows(self, step: int) -> Tensor:
        """The examples of step ``step``: int64, (batch,). It depends on nothing else."""
        places = numpy.arange(step * self.batch, (step + 1) * self.batch)
        found = numpy.empty_like(places)
        for number in range(places[0] // self.count, places[-1] // self.count + 1):
            here = places // self.count == number
            key = self.seed * 1_000_003 + number
            found[here] = shuffled(places[here] % self.count, self.count, key)
        return torch.from_numpy(found)
