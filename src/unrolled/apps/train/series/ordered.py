"""The records of one series in their order of time: what goes before, and what is known after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy
from numpy.typing import NDArray

from ....display import counted
from ....errors import UserError
from ..table import spill
from .axis import Axis
from .cells import Cells
from .options import Reading
from .order import CHUNK, runs_backwards
from .steps import Step


@final
class Ordered:
    """The records of one series, turned round if the newest stands first.

    Where columns are known for the future, its last records may lack the target: they are what
    comes after the series.

    Args:
        cells: of the table.
        name: of the series; "" where there is one.
        rows: its records in the table: a slice, or places.
        reading: how gaps are read.
        known: the step of a run's own series.

    Attributes:
        count: of its records, without those after it.
        axis: of its times; None without times, or without records.
        first, last: the times of its first and last record in ISO form; "" without times.
        future: what is known after it, (F, K).
        times: of these steps in ISO form; none without times.
        filled: how many cells are interpolated, as far as `chunks` has given them.

    Raises:
        UserError: a cell is empty, times are in no order, or gaps cannot be filled.
    """

    def __init__(
        self, cells: Cells, name: str, rows: Any, reading: Reading, known: Step | None = None
    ) -> None:
        self.cells, self.name, self._reading = cells, name, reading
        moments = None if cells.moments is None else cells.moments[rows]
        is_turned = moments is not None and len(moments) > 1 and runs_backwards(moments)
        self._turn = slice(None, None, -1 if is_turned else 1)
        self._lines = cells.lines[rows][self._turn]
        self._numbers = [each[rows][self._turn] for each in cells.numbers]
        self._moments = None if moments is None else moments[self._turn]
        roles = cells.roles
        self.count = len(self._lines) - (_trailing(self._numbers[0]) if roles.known else 0)
        self.future = self._future(len(roles.known))
        self.axis, self.first, self.last, self.times = None, "", "", ()
        if self._moments is not None:
            self._place(self._moments, known)
        if reading.fill_gaps:
            self._require_fillable()

    @property
    def called(self) -> str:
        """The table, and the series in it, for messages."""
        name = self.cells.table.name
        return f"{name}, series {self.name!r}" if self.name else name

    def columns(self) -> Iterator[Iterator[NDArray[Any]]]:
        """Give the numbers of each column in chunks, without gaps."""
        self.filled = 0
        for name, numbers in zip(self.cells.roles.numbers, self._numbers, strict=True):
            yield self._chunks(name, numbers[: self.count])

    def _future(self, known: int) -> NDArray[Any]:
        """Return what is known of the steps after the last record, (F, K)."""
        names = self.cells.roles.known
        columns = self._numbers[len(self._numbers) - known :]
        future = numpy.stack([column[self.count :] for column in columns] or [[]], 1)
        for name, column in zip(names, future.T, strict=False):
            if numpy.isnan(column).any():
                place = self.count + int(numpy.isnan(column).argmax())
                self._refuse(place, name, "it is known for the future, so a number is expected")
        return future if known else numpy.empty((0, 0))

    def _place(self, moments: NDArray[Any], known: Step | None) -> None:
        """Find the axis of the times, and check those after the last record."""
        form = self.cells.form
        assert form is not None
        own, after = moments[: self.count], moments[self.count :]
        lone = Axis(form, None, 0, 0, 1)
        if self.count:
            name = self.cells.time_name + (f", series {self.name!r}" if self.name else "")
            lines = self._lines[: self.count][self._turn]
            self.axis = Axis.of(own[self._turn], form, name, lines, known)
            self.first, self.last = self.axis.write(own[[0, -1]])
        self.times = tuple((self.axis or lone).write(after))
        expected = [] if self.axis is None else self.axis.after(len(after))
        for place, (time, right) in enumerate(zip(self.times, expected, strict=False)):
            if time != right:
                raise UserError(
                    f"{self.cells.time_name}, line {self._lines[self.count + place]}: {time} is "
                    f"known for the future, and the step after {self.last} number {place + 1} is "
                    f"{right}: every step needs a record"
                )

    def _require_fillable(self) -> None:
        axis = self.axis
        if not self.cells.roles.time:
            raise UserError(f"--fill-gaps: {self.called} has no times, so no gaps are known")
        if axis is not None and axis.records > 1 and axis.step is None:
            raise UserError(f"--fill-gaps: {self.called} is {axis.description()}")
        if axis is not None and axis.missing > axis.records:
            raise UserError(
                f"--fill-gaps: {self.called} has {counted(axis.records, 'records')} and "
                f"{counted(axis.missing, 'steps')} without: too few to fill them in"
            )

    def _chunks(self, name: str, numbers: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Give the numbers of a column in chunks, without gaps."""
        gaps = [
            (first, numpy.isnan(chunk))
            for first, chunk in _numbered(numbers)
            if numpy.isnan(chunk).any()
        ]
        is_filled = (
            bool(self._reading.fill_gaps) and self.axis is not None and self.axis.missing > 0
        )
        if gaps and self._reading.missing != "interpolate":
            first, missing = gaps[0]
            self._refuse(first + int(missing.argmax()), name, "a number is expected")
        if not gaps and not is_filled:
            yield from spill.chunks(numbers, CHUNK)
            return
        self._require_ends(name, numbers)
        self.filled += sum(int(missing.sum()) for _, missing in gaps)
        yield from interpolated(self._places(), spill.chunks(numbers, CHUNK), is_filled)

    def _places(self) -> Iterator[NDArray[Any]]:
        """Give the steps on which the records lie, in chunks."""
        if self.axis is not None and self._moments is not None:
            yield from self.axis.places(self._moments[: self.count][self._turn])
            return
        for first, chunk in _numbered(self._lines[: self.count]):
            yield numpy.arange(first, first + len(chunk))

    def _require_ends(self, name: str, numbers: NDArray[Any]) -> None:
        """Refuse a column that begins or ends with a gap."""
        for place, word, to in (0, "before", "from"), (self.count - 1, "after", "to"):
            if numpy.isnan(numbers[place]):
                self._refuse(place, name, f"there is no value {word} it to interpolate {to}")

    def _refuse(self, place: int, name: str, why: str) -> None:
        raise UserError(f"{self.cells.empty(int(self._lines[place]), name)}: {why}")


def interpolated(
    places: Iterator[NDArray[Any]], chunks: Iterator[NDArray[Any]], every: bool
) -> Iterator[NDArray[Any]]:
    """Give numbers in chunks, those that are NaN from their neighbours by their distance.

    Args:
        places: of the numbers, whole and rising.
        chunks: of numbers; the first and the last one are there.
        every: whether all whole places between get numbers.

    >>> found = interpolated(iter([numpy.array([0, 1, 4])]), iter([numpy.array([0, 1, 4.0])]), True)
    >>> numpy.concatenate(list(found)).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    waiting, following = numpy.empty(0, "int64"), 0
    x, y = numpy.empty(0, "int64"), numpy.empty(0)
    for at, numbers in zip(places, chunks, strict=True):
        is_there = ~numpy.isnan(numbers)
        wanted = numpy.arange(following, at[-1] + 1) if every else at
        waiting, following = numpy.concatenate([waiting, wanted]), int(at[-1]) + 1
        x, y = numpy.concatenate([x, at[is_there]]), numpy.concatenate([y, numbers[is_there]])
        ready = int(numpy.searchsorted(waiting, x[-1], "right")) if len(x) else 0
        yield numpy.interp(waiting[:ready], x, y) if ready else numpy.empty(0)
        waiting, x, y = waiting[ready:], x[-1:], y[-1:]


def _numbered(array: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give an array in chunks, each with the place of its first number."""
    first = 0
    for chunk in spill.chunks(array, CHUNK):
        yield first, chunk
        first += len(chunk)


def _trailing(numbers: NDArray[Any]) -> int:
    """Return how many numbers at the end are missing."""
    last = -1
    for first, chunk in _numbered(numbers):
        there = numpy.flatnonzero(~numpy.isnan(chunk))
        last = first + int(there[-1]) if len(there) else last
    return len(numbers) - 1 - last
