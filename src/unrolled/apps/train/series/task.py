"""Learning to forecast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
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
from ..table.spill import taken
from ..task import Loss, Metric, Problem, Task, TestMetrics, evaluating
from .baseline import errors, mean_and_scale, naive, seasonal_error
from .options import AS_USUAL, Reading
from .problem import Forecasting
from .roles import found as roles_of
from .roles import unread
from .season import season, trending
from .values import Span, Values

if TYPE_CHECKING:
    from .options import Choice

SQUARES = Metric("scaled squared error", "windows")

CHUNK = 256
"""How many windows are evaluated at a time."""

LOOKED_AT = 100
"""Series that season and trend are told by, at most."""

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
                f"{name} has {counted(count, 'values')}: --held-out {held_out} leaves {lengths[0]} "
                f"to train on, {lengths[1]} to choose the best model by and {lengths[2]} to test "
                f"it: each needs at least --horizon {horizon}, training at least {horizon + 2}"
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
    settings: Settings,
    source: Table,
    choice: Choice,
    problem: Problem | None = None,
    reading: Reading = AS_USUAL,
) -> Forecast:
    """Return the task of a table, for the problem of a run that goes on.

    Without one, scale, season and trend are those of the training part.
    """
    if isinstance(problem, Forecasting):
        values = values_of(problem, source, reading)
        if tuple(span.name for span in values.spans) != problem.names:
            raise UserError(f"{source.name} has other series than those that the run began with")
        return Forecast(settings, values, _ended(problem, values))
    roles, notes = roles_of(source, choice, reading.date_format)
    values = Values(source, roles, reading)
    _require_one_step(values)
    shortest = min(values.spans, key=len)
    least = Cut.at(len(shortest), settings.held_out, choice.horizon or 1, called(values, shortest))
    known = list(_training_parts(values, settings.held_out, choice.horizon or 1))
    period = choice.season or _usual([season(each) for each in known[:LOOKED_AT]])
    if choice.season is None and period >= least.validation:
        raise UserError(
            f"{called(values, shortest)} has {counted(len(shortest), 'values')}: too few beside "
            f"series with a season of {period}: leave it out, or say --season 1"
        )
    _require_season(period, least, called(values, shortest))
    room = min(least.test - least.validation, least.count - least.test, least.validation - 2)
    horizon = choice.horizon or max(1, min(period, room))
    known = list(_training_parts(values, settings.held_out, horizon))
    longest = min(map(len, known)) - horizon - 1
    window = choice.window or max(1, min(3 * period if period > 1 else 32, longest))
    cuts = [span.start + len(each) for span, each in zip(values.spans, known, strict=True)]
    figures = [
        mean_and_scale(series[span.start : cut])
        for span, cut in zip(values.spans, cuts, strict=True)
        for series in values.series
    ]
    is_trending = _usual([trending(each) for each in known[:LOOKED_AT]])
    problem = Forecasting(
        target=roles.target,
        also=roles.also,
        window=window,
        horizon=horizon,
        season=period,
        relative=is_trending if choice.relative is None else choice.relative,
        mean=tuple(mean for mean, _ in figures),
        scale=tuple(scale for _, scale in figures),
        error=float(numpy.mean([seasonal_error(each, period) for each in known])),
        format=source.format,
        known=roles.known,
        time=roles.time,
        series=roles.series,
        names=tuple(span.name for span in values.spans),
        missing=reading.missing or "error",  # pyright: ignore[reportArgumentType]
        fill_gaps=bool(reading.fill_gaps),
    )
    return Forecast(replace(settings, window=window), values, _ended(problem, values), notes)


def _training_parts(values: Values, held_out: float, horizon: int) -> Iterator[NDArray[Any]]:
    """Give what is trained on of the target, for each series."""
    for span in values.spans:
        cut = Cut.at(len(span), held_out, horizon, called(values, span))
        yield values.series[0][span.start : span.start + cut.validation]


def _usual(found: list[Any]) -> Any:
    """Return what is found most often."""
    return Counter(found).most_common(1)[0][0]


def called(values: Values, span: Span) -> str:
    """Return the table, and the series in it, for messages."""
    return f"{values.table.name}, series {span.name!r}" if span.name else values.table.name


def _require_one_step(values: Values) -> None:
    """Refuse series of different steps: a network forecasts by steps."""
    first = values.spans[0]
    for span in values.spans[1:]:
        if span.axis is not None and first.axis is not None and span.axis.step != first.axis.step:
            raise UserError(
                f"{called(values, span)} is {span.axis.description()}, and series {first.name!r} "
                f"is {first.axis.description()}: all series of a run need one step"
            )


def _ended(problem: Forecasting, values: Values) -> Forecasting:
    """Return the problem with the ends of its series, from which a run can go on forecasting."""
    count = max(problem.window, problem.season)
    axes = tuple(span.axis for span in values.spans if span.axis is not None)
    future = [column for span in values.spans for column in span.future.T.tolist()]
    problem = replace(problem, axes=axes, future=tuple(map(tuple, future)))
    if min(map(len, values.spans)) < count:
        return problem
    stops = numpy.array([span.stop for span in values.spans])
    last = values.before(stops, count).transpose(1, 2, 0).reshape(-1, count)
    return replace(problem, last=tuple(map(tuple, last.tolist())))


@final
class Forecast(Task[Forecasting]):
    """Windows drawn from the training parts of series, in another order in every round.

    Args:
        settings: of the run.
        values: of the series.
        problem: what is forecast from what.
        notes: what is to be said of how the table was read.
    """

    def __init__(
        self,
        settings: Settings,
        values: Values,
        problem: Forecasting,
        notes: Sequence[str] = (),
    ) -> None:
        self.settings, self.values, self.problem, self.metric = settings, values, problem, SQUARES
        self.digest = values.table.digest()
        self._notes = notes
        self.cuts = [
            Cut.at(len(span), settings.held_out, problem.horizon, called(values, span))
            for span in values.spans
        ]
        self._starts = numpy.array([span.start for span in values.spans])
        counts = [self._windows(*each) for each in zip(values.spans, self.cuts, strict=True)]
        self._ends = numpy.cumsum(counts)
        self._order = Order(int(self._ends[-1]), settings.batch, settings.seed)

    def _windows(self, span: Span, cut: Cut) -> int:
        """Return how many windows the training part of a series has."""
        problem, name = self.problem, called(self.values, span)
        _require_season(problem.season, cut, name)
        if cut.validation < problem.window + problem.horizon:
            raise UserError(
                f"{name}: the training part has {cut.validation} values, and "
                f"--window {problem.window} with --horizon {problem.horizon} needs "
                f"{problem.window + problem.horizon}"
            )
        return cut.validation - problem.window - problem.horizon + 1

    def description(self) -> list[str]:
        """Return what was found in the table, and guessed of it."""
        values, problem = self.values, self.problem
        season = f"a season of {problem.season}" if problem.season > 1 else "no season"
        level = "counted from the last one read" if problem.relative else "as they are"
        ends = [(span.first, span.last) for span in values.spans if span.first]
        time = f" from {min(ends)[0]} to {max(end for _, end in ends)}" if ends else ""
        count = f"{counted(len(values), 'values')} of {problem.target!r}"
        of = f" in {len(values.spans):,} series," if len(values.spans) > 1 else ""
        trained, tested = (
            sum(getattr(cut, name) for cut in self.cuts) for name in ("validation", "test")
        )
        return [
            *values.table.notes,
            ". ".join(filter(None, [values.description(), unread(values.table, values.roles)])),
            *self._notes,
            f"{values.table.name}: {count}{of}{time}",
            f"{season}; values {level}; {problem.window} are read and the next "
            f"{problem.horizon} forecast",
            f"{trained:,} values to train on, the next {tested - trained:,} to "
            f"choose the best model by, the last {len(values) - tested:,} to test it",
            *values.notes(),
        ]

    def batch(self, step: int, shard: Shard) -> Batch:
        """Return windows (L, B, I), and what comes after them, (B, N)."""
        places = self._order.rows(step).numpy()[shard.rows(self.settings.batch)]
        inputs, targets, _ = self._at(self._origin(places))
        return Batch(inputs=(inputs,), targets=(targets,), count=self.settings.batch)

    def _origin(self, places: NDArray[Any]) -> NDArray[Any]:
        """Return from where the forecasts of windows begin, by the numbers of the windows."""
        which = numpy.searchsorted(self._ends, places, "right")
        before = numpy.concatenate([[0], self._ends[:-1]])
        return self._starts[which] + places - before[which] + self.problem.window

    def which(self, origins: NDArray[Any]) -> NDArray[Any]:
        """Return the series that values from some places on are of, (B,)."""
        return numpy.searchsorted(self._starts, origins, "right") - 1

    def _at(self, origins: NDArray[Any]) -> tuple[Tensor, Tensor, NDArray[Any]]:
        """Return inputs, scaled targets and the windows themselves of forecasts from places on."""
        problem, which = self.problem, self.which(origins)
        windows = self.values.before(origins, problem.window)
        truth = (self.truth(origins) - problem.level(windows, which)) / problem.unit(which)
        future = self.values.known(origins, problem.horizon) if problem.known else None
        inputs = problem.encode(windows, which, future)
        return inputs, torch.from_numpy(truth).float(), windows

    def truth(self, origins: NDArray[Any]) -> NDArray[Any]:
        """Return the values from some places on, (B, N)."""
        steps = origins[:, None] + numpy.arange(self.problem.horizon)
        return taken(self.values.series[0], steps)

    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Sum the squared error, in units of the standard deviation of the training part."""
        outputs, _ = model(*batch.inputs)
        answers = self.problem.answers(outputs, self.problem.horizon)
        return Loss((answers - batch.targets[0]).square().mean(-1).sum())

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure the loss, MAE and RMSE on the validation part."""
        origins = self._validated
        forecasts, truth = self.forecasts(model, origins), self.truth(origins)
        mae, rmse, _ = errors(forecasts, truth)
        return {"loss": self._loss(forecasts, origins), "MAE": mae, "RMSE": rmse}

    def _loss(self, forecasts: NDArray[Any], origins: NDArray[Any]) -> float:
        """Return the mean squared error of forecasts, each in the unit of its series."""
        distance = (forecasts - self.truth(origins)) / self.problem.unit(self.which(origins))
        return float((distance**2).mean())

    @property
    def _validated(self) -> NDArray[Any]:
        """The origins of an evaluation."""
        return self._origins("validation", "test", self.settings.evaluate_at_most)

    def _origins(self, start: str, stop: str, at_most: int) -> NDArray[Any]:
        """Return where forecasts can begin to lie in a part; at most so many, spread over it."""
        found = []
        for span, cut in zip(self.values.spans, self.cuts, strict=True):
            first = max(getattr(cut, start), self.problem.window, self.problem.season)
            count = getattr(cut, stop) - self.problem.horizon - first + 1
            every = max(1, -(-count * len(self.cuts) // at_most))
            found.append(span.start + numpy.arange(first, first + count, every))
        return numpy.concatenate(found)

    def forecasts(self, model: nn.Module, origins: NDArray[Any]) -> NDArray[Any]:
        """Return what the model says of the values from some places on, (B, N)."""
        found = []
        with evaluating(model) as device:
            for chunk in numpy.array_split(origins, -(-len(origins) // CHUNK)):
                inputs, _, windows = self._at(chunk)
                outputs = model(inputs.to(device))[0]
                answers = self.problem.answers(outputs, self.problem.horizon)
                found.append(self.problem.decode(answers, windows, self.which(chunk)))
        return numpy.concatenate(found)

    def baselines(self) -> dict[str, float]:
        """Return the same loss of naive forecasts."""
        origins = self._validated
        return {
            name: self._loss(forecasts, origins) for name, forecasts in self._naive(origins).items()
        }

    def _naive(self, origins: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return naive(self.values.series[0], origins, self.problem.season, self.problem.horizon)

    def test_metrics(self, model: nn.Module, name: str) -> TestMetrics:
        """Measure the model beside naive forecasts on the test part, in the series' own units."""
        origins = self._origins("test", "count", TESTED)
        truth, unit = self.truth(origins), self._units()[self.which(origins)]
        found = {**self._naive(origins), name: self.forecasts(model, origins)}
        rows = {each: errors(forecasts, truth, unit) for each, forecasts in found.items()}
        best = min((each for each in rows if each != name), key=lambda each: rows[each][0])
        notes = [_beside(rows[name][0], rows[best][0], best)]
        if rows[name][0] >= rows[best][0] > 0:
            notes.append(_advice(self.problem, self.settings.steps, best))
        part = (
            f"test part: {counted(self.problem.horizon, 'steps')} from each of "
            f"{counted(len(origins), 'places')}"
        )
        return TestMetrics(part, ("MAE", "RMSE", "MASE"), {**rows}, tuple(notes))

    def _units(self) -> NDArray[Any]:
        """Return the unit of MASE of each series, (S,)."""
        known = _training_parts(self.values, self.settings.held_out, self.problem.horizon)
        return numpy.array([seasonal_error(each, self.problem.season) for each in known])


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


def _advice(problem: Forecasting, steps: int, best: str) -> str:
    """Say why a naive forecast may be better, and what to try."""
    if best == "last value":
        why = "where changes are random, no forecast is better than the last value"
    else:
        why = "a season that repeats itself exactly leaves little to learn"
    other = "--absolute" if problem.relative else "--relative"
    longer = 3 * problem.season if problem.season > 1 else 2 * problem.window
    tried = [
        f"--steps {3 * steps}",
        *([f"--window {longer}"] if longer != problem.window else []),
        other,
        *([f"--horizon {problem.horizon // 2}"] if problem.horizon > 1 else []),
    ]
    return (
        f"{why}; else try, one at a time: {', '.join(tried)}, or columns that tell more by --also "
        "and --known"
    )


def values_of(problem: Forecasting, source: Table, reading: Reading = AS_USUAL) -> Values:
    """Return the values of a table's columns that a run reads, as the run reads them.

    Args:
        problem: of the run.
        source: the table.
        reading: what is told of times and gaps; what is not is as the run has it.

    Raises:
        UserError: a cell does not hold what it should.
    """
    fill = problem.fill_gaps if reading.fill_gaps is None else reading.fill_gaps
    reading = replace(reading, missing=reading.missing or problem.missing, fill_gaps=fill)
    return Values(source, problem.roles, reading, problem.axes[0] if problem.axes else None)


def values_for(problem: Forecasting, source: Table, reading: Reading = AS_USUAL) -> Values:
    """Return the values of a table from which a run can forecast.

    Raises:
        UserError: a series is too short, of another step than the run's, or none of the run's; or
            a cell does not hold what it should.
    """
    values, needed = values_of(problem, source, reading), max(problem.window, problem.season)
    step = problem.axes[0].step if problem.axes else None
    for span in values.spans:
        name = called(values, span)
        if span.name not in problem.names:
            names = ", ".join(map(repr, problem.names[:10])) + ", …" * (len(problem.names) > 10)
            raise UserError(f"{name} is none of those that the run was trained on: {names}")
        if len(span) < needed and not (len(span) == 0 and len(span.future)):
            raise UserError(
                f"{name} has {counted(len(span), 'values')}: the run reads the last {needed}"
            )
        if span.axis is not None and step is not None and not step.alike(span.axis.step):
            raise UserError(
                f"{name}: the times are {span.axis.description()}; the run was trained on "
                f"times that are {step}"
            )
    return values


def last_windows(problem: Forecasting, values: Values, count: int) -> Tensor:
    """Return what a model reads of the last ``count`` windows of the first series, (L, B, I)."""
    span = values.spans[0]
    stop = span.stop - (problem.horizon if problem.known else 0)
    ends = numpy.arange(max(span.start + problem.window, stop - count + 1), stop + 1)
    future = values.known(ends, problem.horizon) if problem.known else None
    which = numpy.full(len(ends), problem.names.index(span.name))
    return problem.encode(values.before(ends, problem.window), which, future)
