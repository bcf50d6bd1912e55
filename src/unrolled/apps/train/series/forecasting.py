"""The values after the end of a series, told by a trained model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy
import torch

from ....errors import UserError
from ..checkpoint import best
from ..checkpoint import problem as of_kind
from ..table import Table
from ..table.delimited import row
from .baseline import last_value, seasonal
from .making import Choice, table
from .problem import Forecasting
from .values import Values


def forecast(run: Path, file: Path | None, missing: str) -> Iterator[str]:
    """For each of the next values how many steps ahead it is, the forecast and naive ones, as CSV.

    Args:
        run: folder of a run, or a checkpoint.
        file: the series; None: the built-in sunspot numbers.
        missing: what is done with an empty cell: error or interpolate.

    Raises:
        UserError: it is a run of another kind, or the series is too short.
    """
    checkpoint = best(run)
    problem = of_kind(checkpoint, Forecasting, run)
    values = values_for(problem, table(file), missing)
    series, end = values.series[0], numpy.array([len(values)])
    window = values.before(end, problem.window)
    with torch.no_grad():
        outputs, _ = checkpoint.model().eval()(problem.encode(window))
    forecasts = problem.decode(outputs, window)[0]
    if not numpy.isfinite(forecasts).all():
        raise UserError("the forecasts are not finite: weights or scale are too large")
    columns = {
        problem.target: forecasts,
        "last value": last_value(series, end, problem.horizon)[0],
    }
    if problem.season > 1:
        naive = seasonal(series, end, problem.horizon, problem.season)[0]
        columns[f"seasonal naive ({problem.season})"] = naive
    yield row(["step", *columns])
    for step in range(problem.horizon):
        yield ",".join([f"+{step + 1}", *(f"{each[step]:.6g}" for each in columns.values())])


def values_for(problem: Forecasting, source: Table, missing: str) -> Values:
    """The values of a table's columns that a run reads.

    Args:
        problem: of the run.
        source: the table.
        missing: what is done with an empty cell: error or interpolate.

    Raises:
        UserError: the series is too short, or a cell does not hold what it should.
    """
    choice = Choice(missing=missing)
    values = Values(source, problem.target, problem.also, choice.missing == "interpolate")
    needed = max(problem.window, problem.season)
    if len(values) < needed:
        raise UserError(f"{source.name} has {len(values)} values: the run reads the last {needed}")
    return values
