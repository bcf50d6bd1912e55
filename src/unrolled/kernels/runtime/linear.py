"""Whole numbers that depend on sizes which are known later, such as the length of a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np


@final
class Linear:
    """A sum of sizes with names, each taken some times, and of a whole number.

    Args:
        number: added to the rest.
        terms: how many times each size is taken.

    >>> total = Linear(0, {"total": 1})
    >>> 3 * total + 2
    3 total + 2
    """

    __slots__ = ("number", "terms")

    def __init__(self, number: int, terms: Mapping[str, int]) -> None:
        self.number, self.terms = number, dict(terms)

    def __add__(self, other: Number) -> Linear:
        """Return the sum."""
        if isinstance(other, int):
            return Linear(self.number + other, self.terms)
        terms = {name: other.terms.get(name, 0) + count for name, count in self.terms.items()}
        return Linear(self.number + other.number, {**other.terms, **terms})

    def __mul__(self, count: int) -> Linear:
        """Return a multiple."""
        terms = {name: known * count for name, known in self.terms.items()}
        return Linear(self.number * count, terms)

    __radd__, __rmul__ = __add__, __mul__

    def __sub__(self, other: Number) -> Linear:
        """Return the difference."""
        return self + -1 * other

    def __rsub__(self, other: int) -> Linear:
        """Return the difference."""
        return other + -1 * self

    def __repr__(self) -> str:
        """Return the sum in words."""
        names = [f"{count} {name}" for name, count in self.terms.items()]
        return " + ".join([*names, str(self.number)])


Number = int | Linear


def size(name: str) -> Linear:
    """Return a size that is known later."""
    return Linear(0, {name: 1})


@final
class Numbers:
    """Several numbers as functions of the sizes.

    >>> total = size("total")
    >>> numbers = Numbers([3, total, 2 * total + 1])
    >>> numbers.names, numbers.at({"total": 10})
    (('total',), array([ 3, 10, 21]))
    """

    def __init__(self, numbers: Sequence[Number]) -> None:
        linear = [n if isinstance(n, Linear) else Linear(n, {}) for n in numbers]
        self.names = tuple(dict.fromkeys(name for each in linear for name in each.terms))
        self._constant = np.array([each.number for each in linear], np.int64)
        factors = [[each.terms.get(name, 0) for name in self.names] for each in linear]
        self._factors = np.array(factors, np.int64).reshape(len(linear), len(self.names))

    def at(self, sizes: Mapping[str, int]) -> np.ndarray:
        """Return them for some sizes, int64."""
        if not self.names:
            return self._constant
        return self._constant + self._factors @ np.array([sizes[n] for n in self.names], np.int64)
