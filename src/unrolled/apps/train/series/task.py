"""Learning to forecast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....display import counted
from ....errors import UserError
from ..batch import Batch, Shard, States
from ..counter_rng import Order
from ..settings import Settings
from ..table import Table, open_table
from ..table.builtin import sunspots
from ..table.format import AS_FOUND, Format, FormatOptions
from ..task import Loss, Metric, Problem, Task, TestMetrics, evaluating
from .baseline import errors, mean_and_scale, naive, seasonal_error
from .problem import Forecasting
from .season import season, trending
from .values import Values, target_column

if TYPE_CHECKING:
    from .command import Choice

SQUARES = Metric("scaled squared error", "windows")

CHUNK = 256
"""How many windows are evaluated at a time."""

TESTED = 50_000
"""How many windows the test goes through at most, spread over the part."""


@final
@dataclass(frozen=True)
class Cut:
    """The places at which a series of N values is cut, in order of time.

    Attributes:
        validation: where that part begins, and training ends.
        test: where that part begins; it goes on to the end.
        count: N.
    """

    validation: int
    test: int
    count: int

    @classmethod
    def at(cls, count: int, held_out: float, horizon: int, name: str) -> Cut:
        """Cut so that half of what is held out is for validation, the last half for the test.

        Raises:
            UserError: a part is shorter than the horizon.

        >>> Cut.at(100, 0.2, 5, "series")
        Cut(validation=80, test=90, count=100)
        """
        held = round(count * held_out)
        test = count - held // 2
        cut = cls(count - held, test, count)
        lengths = cut.validation, cut.test - cut.validation, cut.count - cut.test
        if min(lengths) < horizon or cut.validation < horizon + 2:
            raise UserError(
                f"{name} has {count} values: --held-out {held_out} leaves {lengths[0]} to train "
                f"on, {lengths[1]} to choose the best model by and {lengths[2]} to test it: each "
                f"needs at least --horizon {horizon}, training at least {horizon + 2}"
            )
        return cut


def _require_season(season: int, cut: Cut, name: str) -> None:
    if season >= cut.validation:
        raise UserError(
            f"{name}: the training part has {cut.validation} values: --season must be less, "
            f"not {season}"
        )


def table(
    file: Path | None, options: FormatOptions = AS_FOUND, known: Format | None = None
) -> Table:
    """Return the table in a file; without one, yearly sunspot numbers."""
    return sunspots() if file is None else open_table(file, options, known)


def open_task(
    settings: Settings, source: Table, choice: Choice, problem: Problem | None = None
) -> Forecast:
    """Return the task of a table, for the problem of a run that goes on.

    Without one, scale, season and trend are those of the training part.
    """
    fill = choice.missing == "interpolate"
    if isinstance(problem, Forecasting):
        values = Values(source, problem.target, problem.also, fill)
        return Forecast(settings, values, _ended(problem, values))
    target = target_column(source, choice.target)
    also = tuple(source.columns[source.column(name)] for name in choice.also or ())
    if target in also:
        raise UserError(f"the column {target!r} is the target: it is read anyway")
    values = Values(source, target, also, fill)
    least = Cut.at(len(values), settings.held_out, choice.horizon or 1, source.name)
    known = values.series[0][: least.validation]
    period = choice.season or season(known)
    _require_season(period, least, source.name)
    room = min(least.test - least.validation, least.count - least.test, least.validation - 2)
    horizon = choice.horizon or max(1, min(period, room))
    cut = Cut.at(len(values), settings.held_out, horizon, source.name)
    longest = cut.validation - horizon - 1
    window = choice.window or max(1, min(3 * period if period > 1 else 32, longest))
    figures = [mean_and_scale(series[: cut.validation]) for series in values.series]
    problem = Forecasting(
        target=target,
        also=also,
        window=window,
        horizon=horizon,
        season=period,
        relative=trending(known) if choice.relative is None else choice.relative,
        mean=tuple(mean for mean, _ in figures),
        scale=tuple(scale for _, scale in figures),
        error=seasonal_error(known, period),
        format=source.format,
    )
    return Forecast(replace(settings, window=window), values, _ended(problem, values))


def _ended(problem: Forecasting, values: Values) -> Forecasting:
    """Return the problem with the end of the series, from which a run can go on forecasting."""
    count = max(problem.window, problem.season)
    if len(values) < count:
        return problem
    last = values.before(numpy.array([len(values)]), count)[:, 0].T
    return replace(problem, last=tuple(map(tuple, last.tolist())))


@final
class Forecast(Task[Forecasting]):
    """Windows drawn from the training part of a series, in another order in every round."""

    def __init__(self, settings: Settings, values: Values, problem: Forecasting) -> None:
        self.settings, self.values, self.problem, self.metric = settings, values, problem, SQUARES
        self.digest = values.table.digest()
        self.cut = Cut.at(len(values), settings.held_out, problem.horizon, values.table.name)
        self._windows = self.cut.validation - problem.window - problem.horizon + 1
        if self._windows < 1:
            raise UserError(
                f"{values.table.name}: the training part has {self.cut.validation} values, and "
                f"--window {problem.window} with --horizon {problem.horizon} needs "
                f"{problem.window + problem.horizon}"
            )
        _require_season(problem.season, self.cut, values.table.name)
        self._order = Order(self._windows, settings.batch, settings.seed)

    def description(self) -> list[str]:
        """Return what was found in the table, and guessed of it."""
        values, problem, cut = self.values, self.problem, self.cut
        time = ""
        if values.time is not None:
            time = f" from {values.first} to {values.last} ({values.time!r})"
        also = f", beside it {', '.join(map(repr, problem.also))}" if problem.also else ""
        season = f"a season of {problem.season}" if problem.season > 1 else "no season"
        level = "counted from the last one read" if problem.relative else "as they are"
        found = [
            *values.table.notes,
            f"{values.table.name}: {counted(len(values), 'values')} of "
            f"{problem.target!r}{also}{time}",
            f"{season}; values {level}; {problem.window} are read and the next "
            f"{problem.horizon} forecast",
            f"{cut.validation:,} values to train on, the next {cut.test - cut.validation:,} to "
            f"choose the best model by, the last {cut.count - cut.test:,} to test it",
        ]
        if values.filled:
            found.append(f"{values.filled:,} empty cells are interpolated")
        return found

    def batch(self, step: int, shard: Shard) -> Batch:
        """Return windows (L, B, I), and what comes after them, (B, N)."""
        places = self._order.rows(step).numpy()[shard.rows(self.settings.batch)]
        inputs, targets, _ = self._at(places + self.problem.window)
        return Batch(inputs=(inputs,), targets=(targets,), count=self.settings.batch)

    def _at(self, origins: NDArray[Any]) -> tuple[Tensor, Tensor, NDArray[Any]]:
        """Return inputs, scaled targets and the windows themselves of forecasts from places on."""
        windows = self.values.before(origins, self.problem.window)
        truth = (self.truth(origins) - self.problem.level(windows)) / self.problem.scale[0]
        return self.problem.encode(windows), torch.from_numpy(truth).float(), windows

    def truth(self, origins: NDArray[Any]) -> NDArray[Any]:
        """Return the values from some places on, (B, N)."""
        return self.values.series[0][origins[:, None] + numpy.arange(self.problem.horizon)]

    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Sum the squared error, in units of the standard deviation of the training part."""
        outputs, _ = model(*batch.inputs)
        return Loss((outputs - batch.targets[0]).square().mean(-1).sum())

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure the loss, MAE and RMSE on the validation part."""
        mae, rmse, _ = errors(self.forecasts(model, self._validated), self.truth(self._validated))
        return {"loss": (rmse / self.problem.scale[0]) ** 2, "MAE": mae, "RMSE": rmse}

    @property
    def _validated(self) -> NDArray[Any]:
        """The origins of an evaluation."""
        return self._origins(self.cut.validation, self.cut.test, self.settings.evaluate_at_most)

    def _origins(self, start: int, stop: int, at_most: int) -> NDArray[Any]:
        """Return where forecasts can begin to lie in a part; at most so many, spread over it."""
        first = max(start, self.problem.window, self.problem.season)
        count = stop - self.problem.horizon - first + 1
        return numpy.arange(first, first + count, max(1, -(-count // at_most)))

    def forecasts(self, model: nn.Module, origins: NDArray[Any]) -> NDArray[Any]:
        """Return what the model says of the values from some places on, (B, N)."""
        found = []
        with evaluating(model) as device:
            for chunk in numpy.array_split(origins, -(-len(origins) // CHUNK)):
                inputs, _, windows = self._at(chunk)
                found.append(self.problem.decode(model(inputs.to(device))[0], windows))
        return numpy.concatenate(found)

    def baselines(self) -> dict[str, float]:
        """Return the same loss of naive forecasts."""
        truth, scale = self.truth(self._validated), self.problem.scale[0]
        return {
            name: (errors(forecasts, truth)[1] / scale) ** 2
            for name, forecasts in self._naive(self._validated).items()
        }

    def _naive(self, origins: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return naive(self.values.series[0], origins, self.problem.season, self.problem.horizon)

    def test_metrics(self, model: nn.Module, name: str) -> TestMetrics:
        """Measure the model beside naive forecasts on the test part, in the series' own units."""
        origins = self._origins(self.cut.test, self.cut.count, TESTED)
        truth, unit = self.truth(origins), self.problem.error
        found = {**self._naive(origins), name: self.forecasts(model, origins)}
        rows = {each: errors(forecasts, truth, unit) for each, forecasts in found.items()}
        best = min((each for each in rows if each != name), key=lambda each: rows[each][0])
        notes = (_beside(rows[name][0], rows[best][0], best),)
        part = (
            f"test part: {counted(self.problem.horizon, 'steps')} from each of "
            f"{counted(len(origins), 'places')}"
        )
        return TestMetrics(part, ("MAE", "RMSE", "MASE"), {**rows}, notes)


def _beside(found: float, naive: float, name: str) -> str:
    """Say how a mean absolute error compares with that of the best naive forecast.

    >>> _beside(0.5, 1.0, "last value")
    'its MAE is 50% below that of the best naive forecast, last value'
    >>> _beside(0.5, 0.0, "last value")
    'the best naive forecast, last value, is always right: nothing is left to learn'
    """
    if naive == 0:
        return f"the best naive forecast, {name}, is always right: nothing is left to learn"
    better = 1 - found / naive
    word = "below" if better > 0 else "above"
    share = f"{abs(better):.0%}" if better > -9 else f"{1 - better:.3g} times"
    said = f"{share} {word} that" if better > -9 else f"{share} that"
    return f"its MAE is {said} of the best naive forecast, {name}"


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
