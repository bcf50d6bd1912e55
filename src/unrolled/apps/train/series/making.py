"""From a table to a task."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from ..settings import Settings
from ..table import Table, open_table
from ..table.builtin import sunspots
from ..table.numbers import chunks
from .problem import Forecasting
from .season import season, trending
from .task import Cut, Forecast
from .values import Values, target_column

MISSING = ("error", "interpolate")


@final
@dataclass(frozen=True)
class Choice:
    """What the command line says of a series.

    Attributes:
        target: the column that is forecast; None: the only one with numbers.
        also: further columns that are read.
        horizon: how many values are forecast at once; None: a season, or 1 without one.
        window: how many values are read; None: three seasons, or 32 without one.
        season: None: looked for in the training part.
        relative: whether values are taken from the last one; None: if there is a trend.
        missing: what is done with an empty cell: error or interpolate.

    Raises:
        UserError: a value is out of range.
    """

    target: str | None = None
    also: tuple[str, ...] = ()
    horizon: int | None = None
    window: int | None = None
    season: int | None = None
    relative: bool | None = None
    missing: str = "error"

    def __post_init__(self) -> None:
        for name in ("horizon", "window", "season"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{name} must be at least 1, not {value}")
        if self.missing not in MISSING:
            raise UserError(f"--missing must be error or interpolate, not {self.missing!r}")


def table(file: Path | None) -> Table:
    """The table in a file; without one, yearly sunspot numbers."""
    return sunspots() if file is None else open_table(file)


def begin(settings: Settings, source: Table, choice: Choice) -> Forecast:
    """A task of a table; scale, season and trend are those of its training part."""
    target = target_column(source, choice.target)
    also = tuple(source.columns[source.column(name)] for name in choice.also)
    if target in also:
        raise UserError(f"the column {target!r} is the target: it is read anyway")
    values = Values(source, target, also, choice.missing == "interpolate")
    least = Cut.at(len(values), settings.held_out, choice.horizon or 1, source.name)
    known = values.series[0][: least.validation]
    period = choice.season or season(known)
    horizon = choice.horizon or period
    cut = Cut.at(len(values), settings.held_out, horizon, source.name)
    if period >= cut.validation:
        raise UserError(
            f"{source.name}: the training part has {cut.validation} values, fewer than a season "
            f"of {period}"
        )
    longest = cut.validation - horizon - 1
    window = choice.window or max(1, min(3 * period if period > 1 else 32, longest))
    figures = [_mean_and_scale(series[: cut.validation]) for series in values.series]
    problem = Forecasting(
        target=target,
        also=also,
        window=window,
        horizon=horizon,
        season=period,
        relative=trending(known) if choice.relative is None else choice.relative,
        mean=tuple(mean for mean, _ in figures),
        scale=tuple(scale for _, scale in figures),
        error=_seasonal_error(known, period),
    )
    return Forecast(replace(settings, window=window), values, problem)


def resume(settings: Settings, source: Table, problem: Forecasting, missing: str) -> Forecast:
    """The task of a run that goes on."""
    values = Values(source, problem.target, problem.also, missing == "interpolate")
    return Forecast(settings, values, problem)


def _mean_and_scale(series: NDArray[Any]) -> tuple[float, float]:
    """Mean and standard deviation; 1 of what never changes."""
    mean = sum(float(chunk.sum()) for chunk in chunks(series)) / len(series)
    square = sum(float(((chunk - mean) ** 2).sum()) for chunk in chunks(series)) / len(series)
    scale = float(numpy.sqrt(square))
    return mean, scale if scale > 1e-12 * max(1.0, abs(mean)) else 1.0


def _seasonal_error(series: NDArray[Any], season: int) -> float:
    """The mean absolute difference of values a season apart."""
    pairs = zip(chunks(series[season:]), chunks(series[:-season]), strict=True)
    total = sum(float(numpy.abs(now - before).sum()) for now, before in pairs)
    return total / (len(series) - season)
