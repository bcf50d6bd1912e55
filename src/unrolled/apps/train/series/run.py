"""A run of `unrolled train series`, in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, final

import numpy
from numpy.typing import NDArray

from ....display import counted, text_of
from ....errors import UserError
from ..run import Run
from ..table.memory import frame_table
from ..table.numerals import GREATEST, numbers
from ..table.table import Table
from ..task import evaluating
from .baseline import naive
from .ends import Ends
from .options import AS_USUAL, Reading
from .problem import Forecasting
from .task import values_for

LONGEST = 100_000
"""Steps that can be forecast, at most."""


@final
@dataclass(frozen=True, eq=False)
class ForecastValues:
    """The next values of series, as they are forecast: N steps of each.

    Attributes:
        target: the column.
        values: the model's forecasts: float64, (N,); of several series one after the other.
        naive: by name, simple forecasts of the same: the last value, the last season.
        steps: their numbers, from 1 on, (N,).
        times: in ISO form, (N,); none where the series has no times, or irregular ones.
        series: by the name of its column, which series each is of, (N,); empty where there is one.
    """

    target: str
    values: NDArray[Any]
    naive: dict[str, NDArray[Any]]
    steps: NDArray[Any]
    times: tuple[str, ...] = ()
    series: dict[str, tuple[str, ...]] = field(default_factory=dict)

    __repr__ = text_of

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return numpy.array(self.values, dtype)

    @property
    def columns(self) -> dict[str, Any]:
        """All that is forecast by name, as a data frame takes it: series, times, the model's
        forecasts, naive ones.
        """
        name = "date" if self.target != "date" else "time"
        times = {name: self.times} if self.times else {}
        return {**self.series, **times, self.target: self.values, **self.naive}


@final
class SeriesRun(Run[Forecasting]):
    """A model that forecasts series."""

    PROBLEM: ClassVar = Forecasting
    DOES: ClassVar = "forecasts"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of numbers that are read, the one that is forecast first."""
        return self.problem.roles.numbers

    @property
    def needed(self) -> int:
        """How many values a forecast is made from."""
        return max(self.problem.window, self.problem.season)

    @property
    def reads(self) -> str:
        """What the model reads, in words."""
        names = ", ".join(map(repr, self.columns))
        return f"the last {counted(self.problem.window, 'values')} of {names}"

    @property
    def writes(self) -> str:
        """What it answers, in words."""
        return f"the next {counted(self.problem.horizon, 'values')} of {self.problem.target!r}"

    def forecast(
        self, values: Any = None, *, steps: int | None = None, reading: Reading = AS_USUAL
    ) -> ForecastValues:
        """Forecast the values after the end of a series, or of several.

        More steps than the model's horizon are forecast again from the forecasts, as often as need
        be; further columns repeat their last season there, unless they are known for the future.

        Args:
            values: of one column (T,), or of all that the run reads, the target first (T, C),
                oldest first; or by name, as a mapping, a data frame or a table; with times in any
                order of these, and with the names of several series. Records at the end without the
                target tell what is known for the future. None: the end of the series that the run
                was trained on.
            steps: how many; None: the horizon.
            reading: how times and gaps of a table are read.

        Raises:
            UserError: the values do not fit the run or are too few, ``steps`` is out of range, or
                the forecasts are not finite.

        Example:
            run.forecast(steps=3).columns
        """
        if steps is not None and not 1 <= steps <= LONGEST:
            raise UserError(f"--steps must be from 1 to {LONGEST}, not {steps}")
        ends = self._ends(values, reading)
        steps = ends.steps(self.problem, steps)
        told = self._continued(ends, steps)
        last = ends.values[:, :, 0].T
        origins = numpy.arange(1, len(last) + 1) * last.shape[1]
        simple = naive(last.ravel(), origins, self.problem.season, steps)
        series: dict[str, tuple[str, ...]] = {}
        if self.problem.series is not None:
            names = [self.problem.names[place] for place in ends.which for _ in range(steps)]
            series = {self.problem.series: tuple(names)}
        return ForecastValues(
            self.problem.target,
            told.ravel(),
            {name: forecasts.ravel() for name, forecasts in simple.items()},
            numpy.tile(numpy.arange(1, steps + 1), len(last)),
            ends.times(steps),
            series,
        )

    def notes(self, found: ForecastValues) -> list[str]:
        """Return what is to be said of forecasts: which are made of others, why some lack times."""
        problem, notes = self.problem, []
        if int(found.steps.max()) > problem.horizon:
            also = ", ".join(map(repr, problem.also))
            repeated = f"; the last season of {also} is repeated" if also else ""
            notes.append(f"after +{problem.horizon} they are forecast from the forecasts{repeated}")
        if problem.axes and not found.times and problem.axes[0].step is None:
            notes.append(f"there are no dates: the times are {problem.axes[0].description()}")
        return notes

    def encode(self, values: Any = None) -> NDArray[Any]:
        """Return the hidden states of the last layer over the last window of a series.

        Args:
            values: as those of `forecast`.

        Returns:
            float32, (L, H): a row after each of the ``problem.window`` values; (S, L, H) of a run
            on several series.

        Raises:
            UserError: the values do not fit the run or are too few.
        """
        ends, problem = self._ends(values, AS_USUAL), self.problem
        window = ends.values[-problem.window :]
        none = numpy.empty((0, window.shape[1], len(problem.known))) if problem.known else None
        read = problem.encode(window, ends.which, none)
        states = numpy.stack(self._hidden(self.model.recurrent, list(read.unbind(1))))
        return states[0] if problem.series is None else states

    def _continued(self, ends: Ends, steps: int) -> NDArray[Any]:
        """Return the model's forecasts after the ends of series, (S, N)."""
        problem, known = self.problem, ends.values
        found = numpy.empty((known.shape[1], 0))
        while found.shape[1] < steps:
            done = found.shape[1]
            count = min(problem.horizon, steps - done) if problem.known else problem.horizon
            future = ends.known(done, done + count) if problem.known else None
            window = known[-problem.window :]
            with evaluating(self.model) as device:
                outputs = self.model(problem.encode(window, ends.which, future).to(device))[0]
            told = problem.decode(problem.answers(outputs, count), window, ends.which)
            if not numpy.isfinite(told).all():
                raise UserError("the forecasts are not finite: weights or scale are too large")
            found = numpy.concatenate([found, told], 1)
            later = known[-problem.season :][numpy.arange(count) % problem.season]
            later[:, :, 0] = told.T
            if future is not None:
                later[:, :, later.shape[2] - future.shape[2] :] = future
            known = numpy.concatenate([known, later])[-self.needed :]
        return found[:, :steps]

    def _ends(self, given: Any, reading: Reading) -> Ends:
        """Return the ends of series to go on from."""
        problem = self.problem
        if given is None:
            return Ends.stored(problem, self.path)
        if hasattr(given, "collect_schema") and hasattr(given, "collect"):
            given = given.collect()
        if hasattr(given, "to_frame") and hasattr(given, "index"):
            given = given.to_frame(problem.target)
        if not isinstance(given, Table) and (
            isinstance(given, Mapping) or hasattr(given, "columns")
        ):
            given = frame_table("the series", given, problem.time)
            if problem.time and not set(problem.time) <= set(given.columns):
                problem = replace(problem, time=(), axes=())
        if isinstance(given, Table):
            return Ends.of(problem, values_for(problem, given, reading), self.path)
        if problem.series is not None:
            names = ", ".join(map(repr, problem.roles.all))
            raise UserError(f"the run forecasts several series: give them by name, {names}")
        values = self._array(given)
        if len(values) < self.needed:
            raise UserError(
                f"the series has {len(values)} values: the run reads the last {self.needed}"
            )
        values = values[-self.needed :]
        for name, column in zip(self.columns, values.T, strict=True):
            fits = numpy.abs(column) <= GREATEST
            if not fits.all():
                place = int(fits.argmin()) - len(values)
                raise UserError(
                    f"{name!r}, value {place} from its end: {column[place]} is not finite, or "
                    f"beyond {GREATEST:g}"
                )
        return Ends(numpy.zeros(1, int), values[:, None], (), (numpy.empty((0, 0)),))

    def _array(self, given: Any) -> NDArray[Any]:
        found = _numbers(given, "the series")
        count = len(self.columns)
        if found.ndim == 1 and count == 1:
            found = found[:, None]
        if found.ndim != 2 or found.shape[1] != count:
            names = ", ".join(map(repr, self.columns))
            expected = f"(T, {count})" + (" or (T,)" if count == 1 else "")
            raise UserError(
                f"the series has the shape {found.shape}: {expected} is expected, {names}"
            )
        return found


def _numbers(given: Any, what: str) -> NDArray[Any]:
    """Return numbers as an array.

    Raises:
        UserError: it is something else.
    """
    if hasattr(given, "detach"):
        given = given.detach().cpu()
    try:
        found = numpy.asarray(given)
        if found.dtype.kind not in "biuf" and not (found.dtype.kind == "O" and found.ndim == 1):
            raise ValueError(found.dtype)
        return found.astype("float64", copy=False)
    except (TypeError, ValueError):
        raise UserError(f"{what} is {repr(given)[:60]}: numbers are expected") from None


def written(text: str) -> NDArray[Any]:
    """Return a series that is written out as a list: (T,), or (T, C) of lists.

    Raises:
        UserError: it is no list of numbers.
    """
    found = numbers(text)
    if found is None:
        raise UserError(f"--text {text[:60]!r} is no list of finite numbers")
    return found[:, 0] if found.shape[1] == 1 else found
