"""The ends of series, from which forecasts go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from .axis import Axis
from .problem import Forecasting
from .values import Span, Values


@final
@dataclass(frozen=True, eq=False)
class Ends:
    """The last values of S series, and what is known of the steps after them.

    Attributes:
        which: the series that they are of, int (S,).
        values: of all columns, float64 (T, S, C): as many as a forecast is made from.
        axes: of their times; none without times.
        future: of each series what its columns that are known for the future hold, (F, K).
    """

    which: NDArray[Any]
    values: NDArray[Any]
    axes: tuple[Axis, ...]
    future: tuple[NDArray[Any], ...]

    @classmethod
    def stored(cls, problem: Forecasting, path: object) -> Ends:
        """Return those of the series that a run was trained on.

        Raises:
            UserError: the run does not hold them.
        """
        if not problem.last:
            raise UserError(
                f"{path} does not hold the end of its series, as runs of earlier versions "
                "do not: give the values to go on from"
            )
        count, known = len(problem.names), len(problem.known)
        values = numpy.array(problem.last).T.reshape(-1, count, len(problem.last) // count)
        columns = [numpy.array(column) for column in problem.future]
        future = tuple(
            numpy.stack(columns[known * place : known * (place + 1)] or [numpy.empty(0)], 1)
            for place in range(count)
        )
        return cls(numpy.arange(count), values, problem.axes, future)

    @classmethod
    def of(cls, problem: Forecasting, values: Values, path: object) -> Ends:
        """Return those of the series of a table.

        A series that has only what is known for the future goes on where the run's own ends.

        Raises:
            UserError: the steps of such a one do not follow on those of the run.
        """
        needed = max(problem.window, problem.season)
        which = numpy.array([problem.names.index(span.name) for span in values.spans])
        own = None if all(map(len, values.spans)) else cls.stored(problem, path)
        columns, axes = [], []
        for place, span in zip(which.tolist(), values.spans, strict=True):
            if len(span) or own is None:
                columns.append(values.before(numpy.array([span.stop]), needed))
                axes.append(span.axis)
            else:
                _require_following(problem, place, span)
                columns.append(own.values[:, place : place + 1])
                axes.append(problem.axes[place] if problem.axes else None)
        known = () if None in axes else tuple(axes)
        future = tuple(span.future for span in values.spans)
        return cls(which, numpy.concatenate(columns, 1), known, future)

    def steps(self, problem: Forecasting, asked: int | None) -> int:
        """Return how many steps can be forecast: as many as are asked for, else the horizon.

        Raises:
            UserError: too little is known of the future.
        """
        if not problem.known:
            return problem.horizon if asked is None else asked
        known, names = min(map(len, self.future)), ", ".join(map(repr, problem.known))
        if known == 0 or (asked is not None and known < asked):
            needed = "steps" if asked is None else f"{asked} steps"
            raise UserError(
                f"forecasts need {names} of the {needed} after the end, and {known} are there: "
                f"give records of these steps, with {names} and without {problem.target!r}"
            )
        return min(problem.horizon, known) if asked is None else asked

    def times(self, steps: int) -> tuple[str, ...]:
        """Return the times of the next steps in ISO form, one series after the other.

        There are none without times, where they only count, or where they are irregular.
        """
        if not self.axes or any(axis.form.unit == "number" for axis in self.axes):
            return ()
        times = [axis.after(steps) for axis in self.axes]
        return tuple(time for each in times for time in each) if all(times) else ()

    def known(self, start: int, stop: int) -> NDArray[Any]:
        """Return what is known of some steps after the end, (n, S, K)."""
        return numpy.stack([future[start:stop] for future in self.future], 1)


def _require_following(problem: Forecasting, place: int, span: Span) -> None:
    """Refuse steps that are known for the future and do not follow on the run's own series."""
    if not problem.axes:
        return
    expected = problem.axes[place].after(len(span.times))
    for time, right in zip(span.times, expected, strict=False):
        if not time.startswith(right):
            name = f"series {span.name!r}: " if span.name else ""
            raise UserError(
                f"{name}{time} is known for the future, and the series of the run goes on at "
                f"{right}: give the records between, with {problem.target!r}"
            )
