"""The values of a series in their order of time."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, final

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from ..table.numerals import Numerals
from ..table.spill import Spill
from ..table.table import LINE, Cell, Table

if TYPE_CHECKING:
    import polars

TIMES = ("date", "time", "datetime", "timestamp", "year", "month", "day", "week", "hour", "ds")


@final
class Values:
    """Columns of a table as series; they are kept on disk and mapped as they are used.

    Args:
        table: one record for each step of time, oldest first.
        target: the column that is forecast.
        also: further columns that are read.
        interpolate: whether empty cells get what lies between their neighbours.

    Attributes:
        series: float64, (N,), one for each column, the target first.
        first, last: what the column of time says of the first and last record; None without one.
        filled: how many cells were interpolated.

    Raises:
        UserError: a cell is empty or holds no number, or time does not rise.
    """

    def __init__(
        self, table: Table, target: str, also: tuple[str, ...], interpolate: bool = False
    ) -> None:
        self.table, self.target, self.also = table, target, also
        columns = [table.column(name) for name in (target, *also)]
        time = time_column(table, columns)
        self.time = None if time is None else table.columns[time]
        self.first = self.last = None
        series = [_Series(table, column, interpolate) for column in columns]
        for frame in table.frames([*columns, *([] if time is None else [time])]):
            if time is not None:
                for line, moment in zip(frame[LINE], frame[str(time)], strict=True):
                    self._follow(line, time, moment)
            for each in series:
                each.extend(frame)
        self.series = [each.end() for each in series]
        self.filled = sum(each.filled for each in series)

    def __len__(self) -> int:
        return len(self.series[0])

    def before(self, places: NDArray[Any], count: int) -> NDArray[Any]:
        """The ``count`` values of all columns before each of some places, (count, B, I)."""
        steps = places + numpy.arange(-count, 0)[:, None]
        return numpy.stack([series[steps] for series in self.series], 2)

    def _follow(self, line: int, time: int, moment: Cell) -> None:
        self.first = moment if self.first is None else self.first
        before, now = _moment(self.last), _moment(moment)
        if _falls(before, now):
            raise UserError(
                f"{self.table.where(line, time)}: {moment!r} stands after {self.last!r}: a "
                "series is expected oldest first"
            )
        self.last = moment


@final
class _Series:
    """One column, chunk by chunk."""

    def __init__(self, table: Table, column: int, interpolate: bool) -> None:
        self.table, self.column, self.interpolate = table, column, interpolate
        self.values, self.filled = Spill("float64"), 0
        self._numerals = Numerals.of(table.format)
        self._last: float | None = None
        self._gap: list[int] = []

    def extend(self, frame: polars.DataFrame) -> None:
        """Add the column of the next chunk."""
        if not self.interpolate:
            self.values.extend(self._numerals.column(self.table, frame, self.column))
            return
        values, missing, wrong = self._numerals.read(frame[str(self.column)])
        if wrong.any():
            self._numerals.column(self.table, frame.filter(~missing), self.column)
        if missing.all():
            self._gap += frame[LINE].to_list()
            self._require_begun()
            return
        there = numpy.flatnonzero(~missing)
        before, after = int(there[0]), int(there[-1]) + 1
        self._gap += frame[LINE][:before].to_list()
        self._require_begun()
        self._fill(float(values[before]))
        inner = numpy.arange(before, after)
        self.values.extend(numpy.interp(inner, there, values[there]))
        self.filled += int(missing[before:after].sum())
        self._last, self._gap = float(values[after - 1]), frame[LINE][after:].to_list()

    def _require_begun(self) -> None:
        if self._gap and self._last is None:
            raise UserError(
                f"{self.table.where(self._gap[0], self.column)}: the cell is empty, and there is "
                "no value before it to interpolate from"
            )

    def _fill(self, found: float) -> None:
        """Fill a gap that ends with a value."""
        if self._gap and self._last is not None:
            shares = numpy.arange(1, len(self._gap) + 1) / (len(self._gap) + 1)
            self.values.extend(self._last + shares * (found - self._last))
            self.filled += len(self._gap)
        self._gap = []

    def end(self) -> NDArray[Any]:
        """Return the whole column, (N,)."""
        if self._gap:
            raise UserError(
                f"{self.table.where(self._gap[0], self.column)}: the cell is empty, and there is "
                "no value after it to interpolate to"
            )
        return self.values.array()


def time_column(table: Table, taken: list[int]) -> int | None:
    """The column of time: the first with a usual name, or the first of all if it holds dates."""
    for place, name in enumerate(table.columns):
        if place not in taken and name.strip().lower() in TIMES:
            return place
    first = next(iter(table), None)
    if first is None or 0 in taken:
        return None
    return 0 if isinstance(_moment(first.values[0]), datetime.datetime) else None


def target_column(table: Table, target: str | None) -> str:
    """The column that is named, or else the only one that holds numbers and is not time.

    Raises:
        UserError: there is no such column, or several could be meant.
    """
    if target is not None:
        return table.columns[table.column(target)]
    first = next(iter(table), None)
    if first is None:
        raise UserError(f"{table.name} has no records: a series is expected")
    time = time_column(table, [])
    numerals = Numerals.of(table.format)
    found = [
        name
        for place, name in enumerate(table.columns)
        if place != time and numerals.number(first.values[place]) is not None
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(map(repr, found or table.columns))
    what = "has several columns of numbers" if found else "has no column of numbers"
    raise UserError(f"{table.name} {what}: name the one to forecast by --target: {names}")


def _falls(before: float | datetime.datetime | None, now: float | datetime.datetime | None) -> bool:
    """Whether time goes back; of what cannot be compared it is not said."""
    if isinstance(before, datetime.datetime) and isinstance(now, datetime.datetime):
        return now < before
    return isinstance(before, float) and isinstance(now, float) and now < before


def _moment(value: Cell) -> float | datetime.datetime | None:
    """A point in time that can be compared: a number, or an ISO date."""
    if value is None:
        return None
    number = Numerals().number(value)
    if number is not None:
        return number
    try:
        return datetime.datetime.fromisoformat(str(value).strip()).replace(tzinfo=None)
    except ValueError:
        return None
