"""What the training part of a series says of itself: its season, and whether it has a trend."""

from __future__ import annotations

from typing import Any

import numpy
from numpy.typing import NDArray

LOOKED_AT = 20_000
"""How many values are looked at: the last ones."""

LONGEST = 400
"""The longest season that is looked for."""

LEAST = 0.2
"""The least autocorrelation of a season."""

DIP = 0.1
"""How far the autocorrelation falls before it, at least."""


def trending(values: NDArray[Any]) -> bool:
    """Tell whether the two halves of a series lie further apart than either is wide.

    >>> trending(numpy.arange(20.0)), trending(numpy.sin(numpy.arange(40.0)))
    (True, False)
    """
    values = values[-LOOKED_AT:]
    first, second = values[: len(values) // 2], values[len(values) // 2 :]
    if len(first) == 0:
        return False
    return bool(abs(second.mean() - first.mean()) > max(first.std(), second.std()))


def season(values: NDArray[Any]) -> int:
    """Return after how many steps a series repeats itself best; 1 if it does not.

    It is the first peak of the autocorrelation that is nearly as high as the highest, and has a dip
    before it; what is left of a parabola is looked at, if there is a trend. Three whole seasons
    have to be there.

    >>> season(numpy.sin(numpy.arange(100) * 2 * numpy.pi / 12)), season(numpy.arange(50.0))
    (12, 1)
    """
    values = values[-LOOKED_AT:]
    scale = float((values**2).sum())
    if trending(values):
        time = numpy.linspace(-1, 1, len(values))
        values = values - numpy.polyval(numpy.polyfit(time, values, 2), time)
    longest = min(LONGEST, len(values) // 3)
    values = values - values.mean() if len(values) else values
    power = (values**2).sum()
    if longest < 2 or power <= 1e-12 * scale:
        return 1
    correlation = numpy.array(
        [1.0, *((values[lag:] * values[:-lag]).sum() / power for lag in range(1, longest + 2))]
    )
    lags = numpy.arange(2, longest + 1)
    peaks = lags[
        (correlation[lags] > correlation[lags - 1]) & (correlation[lags] >= correlation[lags + 1])
    ]
    dips = numpy.minimum.accumulate(correlation)[peaks]
    peaks = peaks[(correlation[peaks] >= LEAST) & (correlation[peaks] >= dips + DIP)]
    if len(peaks) == 0:
        return 1
    highest = correlation[peaks].max()
    return int(peaks[correlation[peaks] >= 0.9 * highest][0])
