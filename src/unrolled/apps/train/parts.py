"""Which records are trained on, which choose the best model, and which judge it in the end."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy
from numpy.typing import NDArray

from ...display import counted
from ...errors import UserError
from .counter_rng import mixed
from .table.spill import Spill, chunks

LOOKED_AT = 2**20
"""Of so many records the shares are exact; of more, so many are looked at for where to part."""


class Parts(NamedTuple):
    """Indices of records, each (n,) and sorted.

    Attributes:
        training: weights, vocabularies and scales are made of these.
        validation: evaluations on the way: they choose the best checkpoint, and when to stop.
        test: looked at once, in the end.
    """

    training: NDArray[Any]
    validation: NDArray[Any]
    test: NDArray[Any]

    def described(self, records: str) -> str:
        """Return how many there are in each, in words, for ``records`` in the plural."""
        training, validation, test = map(len, self)
        return (
            f"{counted(training, records)} to train on, {validation:,} to choose the best model "
            f"by, {test:,} to test it"
        )


def key(content: str) -> int:
    """Return a number for a record's content: equal contents have equal numbers."""
    digest = hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def drawn(keys: NDArray[Any], held_out: float, seed: int, name: str) -> Parts:
    """Split records by chance; half of what is held out is for validation, half for the test.

    Records of equal content go into the same part: else the test would repeat what was trained on.
    The indices are kept on disk.

    Args:
        keys: of the records' contents, (N,).
        held_out: the share of the contents that is held out.
        seed: of the draws.
        name: of the data, for messages.

    Raises:
        UserError: there are too few contents for each part to have one.

    >>> [len(part) for part in drawn(numpy.arange(100), 0.2, 0, "table")]
    [80, 10, 10]
    """
    every = max(1, -(-len(keys) // LOOKED_AT))
    ranks = numpy.unique(mixed(keys[::every], seed))
    count = len(ranks)
    test = round(count * held_out / 2)
    validation = round(count * held_out) - test
    training = count - validation - test
    if min(training, validation, test) < 1:
        raise UserError(
            f"{name} has {count} different records: --held-out {held_out} leaves {training} to "
            f"train on, {validation} to choose the best model by and {test} to test it: each "
            "needs at least 1"
        )
    bounds = ranks[[training, training + validation]]
    spills = [Spill("int64") for _ in range(3)]
    first = 0
    for chunk in chunks(keys):
        part = numpy.searchsorted(bounds, mixed(chunk, seed), "right")
        for number, spill in enumerate(spills):
            spill.extend(first + numpy.flatnonzero(part == number))
        first += len(chunk)
    return Parts(*(spill.array() for spill in spills))
