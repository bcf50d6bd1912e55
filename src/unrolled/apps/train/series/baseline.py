"""Naive forecasts, and measures of error: the figures that a network has to beat."""

from __future__ import annotations

from typing import Any

import numpy
from numpy.typing import NDArray


def last_value(series: NDArray[Any], origins: NDArray[Any], horizon: int) -> NDArray[Any]:
    """The value before each origin, for every step: (B, N).

    >>> last_value(numpy.arange(9), numpy.array([5]), 3).tolist()
    [[4, 4, 4]]
    """
    return numpy.repeat(series[origins - 1][:, None], horizon, 1)


def seasonal(
    series: NDArray[Any], origins: NDArray[Any], horizon: int, season: int
) -> NDArray[Any]:
    """The value of the same place in the last season before each origin: (B, N).

    >>> seasonal(numpy.arange(9), numpy.array([6]), 4, 3).tolist()
    [[3, 4, 5, 3]]
    """
    return series[origins[:, None] - season + numpy.arange(horizon) % season]


def errors(
    forecasts: NDArray[Any], truth: NDArray[Any], unit: float
) -> tuple[float, float, float | None]:
    """MAE, RMSE, and MASE (Hyndman & Koehler 2006): MAE / ``unit``; None if that is 0.

    >>> errors(numpy.array([[1.0, 5.0]]), numpy.array([[1.0, 3.0]]), 2.0)
    (1.0, 1.4142135623730951, 0.5)
    """
    distance = forecasts - truth
    mae = float(numpy.abs(distance).mean())
    return mae, float(numpy.sqrt((distance**2).mean())), mae / unit if unit > 0 else None
