"""Whole numbers that depend on sizes which are known later, such as the length of a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final


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
    (('total',), [3, 10, 21])
    """

    def __init__(self, numbers: Sequence[Number]) -> None:
        self._constant = [n.number if isinstance(n, Linear) else n for n in numbers]
        self._terms = [
            (place, name, count)
            for place, number in enumerate(numbers)
            if isinstance(number, Linear)
            for name, count in number.terms.items()
        ]
        self.names = tuple(dict.fromkeys(name for _, name, _ in self._terms))

    def at(self, sizes: Mapping[str, int]) -> list[int]:
        """Return them for some sizes."""
        found = self._constant.copy()
        for place, name, count in self._terms:
            found[place] += count * sizes[name]
        return found
