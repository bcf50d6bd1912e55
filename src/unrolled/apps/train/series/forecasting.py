"""The values after the end of a series, told by a trained model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy
import torch

from ....errors import UserError
from ..checkpoint import best_model
from ..table import Table
from ..table.delimited import row
from .baseline import naive
from .problem import Forecasting
from .task import table
from .values import Values


def forecast(run: Path, file: Path | None, interpolate: bool) -> Iterator[str]:
    """Yield for each of the next values how many steps ahead it is, and forecasts of it, as CSV.

    Args:
        run: folder of a run, or a checkpoint.
        file: the series; None: the built-in sunspot numbers.
        interpolate: whether empty cells get what lies between their neighbours.

    Raises:
        UserError: it is a run of another kind, or the series is too short.
    """
    problem, model = best_model(run, Forecasting)
    values = values_for(problem, table(file), interpolate)
    end = numpy.array([len(values)])
    window = values.before(end, problem.window)
    with torch.no_grad():
        forecasts = problem.decode(model(problem.encode(window))[0], window)
    if not numpy.isfinite(forecasts).all():
        raise UserError("the forecasts are not finite: weights or scale are too large")
    columns = {problem.target: forecasts, **naive(values.series[0], end, problem)}
    yield row(["step", *columns])
    for step in range(problem.horizon):
        yield ",".join([f"+{step + 1}", *(f"{each[0, step]:.6g}" for each in columns.values())])


def values_for(problem: Forecasting, source: Table, interpolate: bool = False) -> Values:
    """Return the values of a table's columns that a run reads.

    Raises:
        UserError: the series is too short, or a cell does not hold what it should.
    """
    values = Values(source, problem.target, problem.also, interpolate)
    needed = max(problem.window, problem.season)
    if len(values) < needed:
        raise UserError(f"{source.name} has {len(values)} values: the run reads the last {needed}")
    return values
