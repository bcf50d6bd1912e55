"""How many times as fast: quotients of times, their middle and their spread."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median, quantiles
from typing import NamedTuple


class Ratio(NamedTuple):
    """The median and the quartiles of one quotient for every round."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{short(self.median)} {short(self.low)}-{short(self.high)}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """How many times as fast ours are, from seconds for the same work in the same rounds.

    >>> print(ratio([1.0, 2.0, 1.0], [2.0, 4.0, 3.0]))
    2.00 2.00-2.50
    """
    quotients = [their / our for our, their in zip(ours, theirs, strict=True)]
    if len(quotients) == 1:
        return Ratio(*quotients * 3)
    low, _, high = quantiles(quotients, n=4, method="inclusive")
    return Ratio(median(quotients), low, high)


def geometric_mean(values: Iterable[float]) -> float:
    """The mean of quotients.

    >>> geometric_mean([2.0, 0.5])
    1.0
    """
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def short(value: float) -> str:
    """Three digits, four characters.

    >>> short(0.9871), short(12.34), short(1234.5)
    ('0.99', '12.3', '1234')
    """
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
