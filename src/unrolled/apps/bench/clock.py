"""Measuring contenders in turn."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, final

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
    """Takes samples of one piece of work."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self._latest = float("inf")

    def sample(self) -> float:
        """Seconds a call takes now: the median of as many as fill a turn.

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
    """Seconds a call of each work takes, once in every round, for about so many seconds in all.

    Every round begins with another one.
    """
    with _no_collection():
        turns = [Turn(work) for work in works]
        times: list[list[float]] = [[] for _ in works]
        began = time.perf_counter()
        for count in range(MOST):
            wanted = seconds if count >= LEAST else PATIENCE
            if count and time.perf_counter() - began >= wanted:
                break
            for place in range(len(turns)):
                number = (place + count) % len(turns)
                times[number].append(turns[number].sample())
    return times


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
