"""The learning rate of a step."""

import math

from .settings import Settings


def learning_rate(step: int, settings: Settings) -> float:
    """The rate of step ``step``, counted from 0: a short linear rise, then flat or half a cosine.

    It depends on nothing but its arguments, so a resumed run goes on as if never stopped. The
    cosine ends with the steps that are asked for; the constant rate does not depend on them, so
    that a run can be lengthened without a difference.

    >>> settings = Settings(steps=1000, lr=1.0, schedule="cosine")
    >>> [round(learning_rate(step, settings), 2) for step in (0, 24, 49, 500, 999)]
    [0.02, 0.49, 0.97, 0.5, 0.0]
    """
    if settings.schedule == "constant":
        return settings.lr * min(1.0, (step + 1) / 11)
    rise = min(50, settings.steps // 10)
    rate = settings.lr * min(1.0, (step + 1) / (rise + 1))
    return rate * (1 + math.cos(math.pi * min(1.0, step / settings.steps))) / 2
