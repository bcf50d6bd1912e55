"""Naive forecasts, measures of error, and the scale of a series."""

from __future__ import annotations

from typing import Any

import numpy
from numpy.typing import ArrayLike, NDArray

from ..table.spill import chunks, taken


def naive(
    series: NDArray[Any], origins: NDArray[Any], season: int, horizon: int
) -> dict[str, NDArray[Any]]:
    """Return forecasts (B, N) from each origin (B,) that a network has to beat, by their names.

    The value before the origin for each of the N = ``horizon`` steps, and, with a season, the value
    of the same place in the last season.
    """
    steps = numpy.arange(horizon)
    found = {"last value": taken(series, numpy.repeat(origins[:, None] - 1, len(steps), 1))}
    if season > 1:
        last = origins[:, None] - season + steps % season
        found[f"seasonal naive ({season})"] = taken(series, last)
    return found


def errors(
    forecasts: NDArray[Any], truth: NDArray[Any], unit: ArrayLike = 0.0
) -> tuple[float, float, float | None]:
    """Return MAE, RMSE, and MASE (Hyndman & Koehler 2006), errors in a ``unit``; None if one is 0.

    Args:
        forecasts, truth: (B, N).
        unit: of all rows, or of each, (B,).

    >>> errors(numpy.array([[1.0, 5.0]]), numpy.array([[1.0, 3.0]]), 2.0)
    (1.0, 1.4142135623730951, 0.5)
    """
    distance, units = forecasts - truth, numpy.asarray(unit)
    mae, rmse = float(numpy.abs(distance).mean()), float(numpy.sqrt((distance**2).mean()))
    if not (units > 0).all():
        return mae, rmse, None
    return mae, rmse, float((numpy.abs(distance) / units.reshape(-1, 1)).mean())


def mean_and_scale(series: NDArray[Any]) -> tuple[float, float]:
    """Return mean and standard deviation; 1 of what never changes."""
    mean = sum(float(chunk.sum()) for chunk in chunks(series)) / len(series)
    square = sum(float(((chunk - mean) ** 2).sum()) for chunk in chunks(series)) / len(series)
    scale = float(numpy.sqrt(square))
    return mean, scale if scale > 1e-12 * max(1.0, abs(mean)) else 1.0


def seasonal_error(series: NDArray[Any], season: int) -> float:
    """Return the mean absolute difference of values a season apart."""
    pairs = zip(chunks(series[season:]), chunks(series[:-season]), strict=True)
    total = sum(float(numpy.abs(now - before).sum()) for now, before in pairs)
    return total / (len(series) - season)
