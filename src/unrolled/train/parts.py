"""Which records are trained on, which choose the best model, and which judge it in the end."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy
from numpy.typing import NDArray

from .errors import UserError


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


def key(content: str) -> int:
    """A number for a record's content: equal contents have equal numbers."""
    digest = hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def drawn(keys: NDArray[Any], held_out: float, seed: int, name: str) -> Parts:
    """Split records by chance; half of what is held out is for validation, half for the test.

    Records of equal content go into the same part: else the test would repeat what was trained on.

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
    contents, content = numpy.unique(keys, return_inverse=True)
    count = len(contents)
    test = round(count * held_out / 2)
    validation = round(count * held_out) - test
    training = count - validation - test
    if min(training, validation, test) < 1:
        raise UserError(
            f"{name} has {count} different records: --held-out {held_out} leaves {training} to "
            f"train on, {validation} to choose the best model by and {test} to test it: each "
            "needs at least 1"
        )
    part = numpy.zeros(count, numpy.int8)
    part[training : training + validation] = 1
    part[training + validation :] = 2
    part = numpy.random.default_rng(seed).permutation(part)[content]
    return Parts(*(numpy.flatnonzero(part == number) for number in range(3)))
