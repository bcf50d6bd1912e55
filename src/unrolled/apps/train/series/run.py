"""A run of `unrolled train series`, in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy
from numpy.typing import NDArray

from ....display import counted, text_of
from ....errors import UserError
from ..run import Run
from ..table.numerals import GREATEST, numbers
from ..task import evaluating
from .baseline import naive
from .problem import Forecasting

LONGEST = 100_000
"""Steps that can be forecast, at most."""


@final
@dataclass(frozen=True, eq=False)
class ForecastValues:
    """The next N values of a series, as they are forecast.

    Attributes:
        target: the column.
        values: the model's forecasts: float64, (N,).
        naive: by name, simple forecasts of the same: the last value, the last season.
    """

    target: str
    values: NDArray[Any]
    naive: dict[str, NDArray[Any]]

    __repr__ = text_of

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return numpy.array(self.values, dtype)

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """All forecasts by name, the model's first, as a data frame takes them."""
        return {self.target: self.values, **self.naive}


@final
class SeriesRun(Run[Forecasting]):
    """A model that forecasts a series."""

    PROBLEM: ClassVar = Forecasting
    DOES: ClassVar = "forecasts"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read, the one that is forecast first."""
        return self.problem.target, *self.problem.also

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

    def forecast(self, values: Any = None, *, steps: int | None = None) -> ForecastValues:
        """Forecast the values after the end of a series.

        More steps than the model's horizon are forecast again from the forecasts, as often as need
        be; further columns repeat their last season there.

        Args:
            values: of one column (T,), or of all that the run reads, the target first (T, C); or by
                name, as a mapping or a data frame; oldest first. None: the end of the series that
                the run was trained on.
            steps: how many; None: the horizon.

        Raises:
            UserError: the values do not fit the run or are too few, ``steps`` is out of range, or
                the forecasts are not finite.
        """
        steps = self.problem.horizon if steps is None else steps
        if not 1 <= steps <= LONGEST:
            raise UserError(f"--steps must be from 1 to {LONGEST}, not {steps}")
        known = self._values(values)
        end = numpy.array([len(known)])
        simple = naive(known[:, 0], end, self.problem.season, steps)
        told = {name: forecasts[0] for name, forecasts in simple.items()}
        return ForecastValues(self.problem.target, self._continued(known, steps), told)

    def encode(self, values: Any = None) -> NDArray[Any]:
        """Return the hidden states of the last layer over the last window of a series.

        Args:
            values: as those of `forecast`.

        Returns:
            float32, (L, H): a row after each of the ``problem.window`` values.

        Raises:
            UserError: the values do not fit the run or are too few.
        """
        window = self._values(values)[-self.problem.window :, None]
        return self._hidden(self.model.recurrent, [self.problem.encode(window)[:, 0]])[0]

    def _continued(self, known: NDArray[Any], steps: int) -> NDArray[Any]:
        """Return the model's forecasts (N,) after values (T, C)."""
        problem, found = self.problem, numpy.empty(0)
        while len(found) < steps:
            window = known[-problem.window :, None]
            with evaluating(self.model) as device:
                outputs = self.model(problem.encode(window).to(device))[0]
            told = problem.decode(outputs, window)[0]
            if not numpy.isfinite(told).all():
                raise UserError("the forecasts are not finite: weights or scale are too large")
            found = numpy.concatenate([found, told])
            season = known[-problem.season :]
            later = season[numpy.arange(len(told)) % problem.season]
            later[:, 0] = told
            known = numpy.concatenate([known, later])[-self.needed :]
        return found[:steps]

    def _values(self, given: Any) -> NDArray[Any]:
        """Return the last values of all columns, float64 (``needed``, C)."""
        if given is None:
            if not self.problem.last:
                raise UserError(
                    f"{self.path} does not hold the end of its series, as runs of earlier versions "
                    "do not: give the values to go on from"
                )
            return numpy.array(self.problem.last).T[-self.needed :]
        named = isinstance(given, Mapping) or hasattr(given, "columns")
        found = self._named(given) if named else self._array(given)
        if len(found) < self.needed:
            raise UserError(
                f"the series has {len(found)} values: the run reads the last {self.needed}"
            )
        found = found[-self.needed :]
        for name, column in zip(self.columns, found.T, strict=True):
            fits = numpy.abs(column) <= GREATEST
            if not fits.all():
                place = int(fits.argmin()) - len(found)
                raise UserError(
                    f"{name!r}, value {place} from its end: {column[place]} is not finite, or "
                    f"beyond {GREATEST:g}"
                )
        return found

    def _named(self, given: Any) -> NDArray[Any]:
        known = list(given if isinstance(given, Mapping) else given.columns)
        columns: list[NDArray[Any]] = []
        for name in self.columns:
            if name not in known:
                names = ", ".join(map(repr, known[:20]))
                raise UserError(
                    f"the series has no column {name!r}, which the run reads: only {names}"
                )
            columns.append(_numbers(given[name], f"the column {name!r}"))
            if columns[-1].shape != (len(columns[0]),):
                shape = columns[-1].shape
                raise UserError(
                    f"the column {name!r} has the shape {shape}: as many values as in "
                    f"{self.columns[0]!r} are expected"
                )
        return numpy.stack([column[-self.needed :] for column in columns], 1)

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
