"""Random numbers made of their arguments alone, and the order of examples that they draw."""

from __future__ import annotations

from typing import Any, final

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import UserError

STAGES = 6
"""Of a shuffle; from four on nothing is seen of the order that places had (Luby & Rackoff 1988)."""


def mixed(values: NDArray[Any], key: int) -> NDArray[numpy.uint64]:
    """Return a number from 0 to 2⁶⁴ - 1 for each value and key; every bit depends on all of theirs.

    The last steps of SplitMix64 (Steele, Lea & Flood 2014), one value after the other.

    >>> mixed(numpy.array([1, 2, 1]), key=7).tolist()
    [16184226688143867045, 13398859234004329862, 16184226688143867045]
    """
    found = values.astype(numpy.uint64) + numpy.uint64(key * 0x9E3779B97F4A7C15 % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        found = (found ^ (found >> numpy.uint64(shift))) * numpy.uint64(factor)
    return found ^ (found >> numpy.uint64(31))


def shuffled(places: NDArray[Any], count: int, key: int) -> NDArray[numpy.int64]:
    """Return where some of the places 0 … count - 1 go in an order that the key draws.

    A Feistel network permutes the numbers of enough bits; who lands beyond the end goes on from
    there until it does not (Black & Rogaway 2002).

    >>> shuffled(numpy.arange(5), 5, key=1).tolist()
    [2, 4, 0, 3, 1]
    """
    bits = max(1, ((count - 1).bit_length() + 1) // 2)
    found = places.astype(numpy.uint64)
    outside = numpy.ones(len(found), bool)
    while outside.any():
        found[outside] = _permuted(found[outside], bits, key)
        outside = found >= count
    return found.astype(numpy.int64)


def _permuted(values: NDArray[numpy.uint64], bits: int, key: int) -> NDArray[numpy.uint64]:
    """Return a permutation of the numbers of twice so many bits."""
    width, ones = numpy.uint64(bits), numpy.uint64(2**bits - 1)
    left, right = values >> width, values & ones
    for stage in range(STAGES):
        left, right = right, left ^ (mixed(right, key * STAGES + stage) & ones)
    return (left << width) | right


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
        """Return the examples of step ``step``: int64, (batch,). It depends on nothing else."""
        places = numpy.arange(step * self.batch, (step + 1) * self.batch)
        found = numpy.empty_like(places)
        for number in range(places[0] // self.count, places[-1] // self.count + 1):
            here = places // self.count == number
            key = self.seed * 1_000_003 + number
            found[here] = shuffled(places[here] % self.count, self.count, key)
        return torch.from_numpy(found)
