"""What the numbers of a program stand for: symbols, classes, the scale of what is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Forecasting:
    """How a series is read and forecast.

    Attributes:
        columns: of numbers, the one that is forecast first, those known for the future last.
        known: how many of them are known for the future.
        window: steps that are read.
        horizon: steps that are forecast.
        relative: whether the target is counted from the last value read.
        names: of the series; each has a mean and a scale of its own.
        mean, scale: of each column, one series after the other.
    """

    columns: tuple[str, ...]
    known: int
    window: int
    horizon: int
    relative: bool
    names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]


@final
@dataclass(frozen=True)
class Meaning:
    """What a model reads and answers.

    Attributes:
        symbols: what each symbol that is read stands for; "" for all others.
        unknown: the number of a character that is none of these; -1: there is none.
        characters: whether each symbol is a character.
        answers: what each answer stands for.
        mean, scale: of each number of a step.
        forecasting: how a series is read and forecast.
    """

    symbols: tuple[str, ...] = ()
    unknown: int = -1
    characters: bool = False
    answers: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    forecasting: Forecasting | None = None


NOTHING = Meaning()
"""Nothing is known of what the numbers stand for."""
