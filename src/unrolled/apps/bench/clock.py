"""Times of contenders measured in turn, and their ratios."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median, quantiles
from typing import Any, NamedTuple, final

SAMPLE = 0.01
"""Seconds that a turn lasts at least."""

PAUSE = 0.003
"""Seconds before a turn, in which the threads of the one before stop to spin."""

LEAST, MOST = 3, 200
"""Rounds."""

PATIENCE = 20.0
"""Seconds after which not even the least number of rounds is waited for."""


@final
class Turn:
    """Sampler of one piece of work."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self._latest = float("inf")

    def sample(self) -> float:
        """Return the seconds a call takes now: the median of as many as fill a turn.

        The first short call after another's turn is not like those that follow, and not counted.
        """
        time.sleep(PAUSE)
        if self._latest < SAMPLE:
            self.work()
        times = []
        now = time.perf_counter()
        end = now + SAMPLE
        while now < end:
            began = now
            self.work()
            now = time.perf_counter()
            times.append(now - began)
        self._latest = median(times)
        return self._latest


def measure(works: Sequence[Callable[[], Any]], seconds: float) -> list[list[float]]:
    """Time a call of each work, once in every round, for about so many seconds in all.

    Every round begins with another one.
    """
    turns = [Turn(work) for work in works]
    times: list[list[float]] = [[] for _ in works]
    gc.collect()
    gc.disable()
    try:
        began = time.perf_counter()
        for count in range(MOST):
            wanted = seconds if count >= LEAST else PATIENCE
            if count and time.perf_counter() - began >= wanted:
                break
            for place in range(len(turns)):
                number = (place + count) % len(turns)
                times[number].append(turns[number].sample())
    finally:
        gc.enable()
    return times


class Ratio(NamedTuple):
    """The median and the quartiles of one quotient for every round."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{short(self.median)} {short(self.low)}-{short(self.high)}"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Return how many times as fast ours are, from seconds for the same work in the same rounds.

    >>> print(ratio([1.0, 2.0, 1.0], [2.0, 4.0, 3.0]))
    2.00 2.00-2.50
    """
    quotients = [their / our for our, their in zip(ours, theirs, strict=True)]
    if len(quotients) == 1:
        return Ratio(*quotients * 3)
    low, _, high = quantiles(quotients, n=4, method="inclusive")
    return Ratio(median(quotients), low, high)


def geometric_mean(values: Iterable[float]) -> float:
    """Return the mean of quotients.

    >>> geometric_mean([2.0, 0.5])
    1.0
    """
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def short(value: float) -> str:
    """Format a number in three digits, four characters.

    >>> short(0.9871), short(12.34), short(1234.5)
    ('0.99', '12.3', '1234')
    """
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"
