"""The axis of a series' times: its step, what is missing on it, and how it goes on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy
from numpy.typing import NDArray

from ....display import counted
from ....errors import UserError
from ....schema import Count, Size
from ..table import spill
from .form import Form, iso, minutes_of
from .order import CHUNK, Change, Distances, Rows, distances, runs_backwards
from .spelling import DAY, SECOND
from .steps import HOUR, Step, lengths, month_and_day, snapped

SHORTEST_MONTH = 28 * DAY - HOUR

USUAL = 0.5
"""The share of records that follow the one before by a single step, at least; else it is
irregular."""

NAMED = 3
"""Missing steps that are named."""

Chunks = Callable[[], Iterator[tuple[int, NDArray[Any]]]]


@final
@dataclass(frozen=True)
class Axis:
    """The times of a series; a run keeps it, so that its forecasts have dates.

    Attributes:
        form: of the times.
        step: between records; None where it is irregular, or there is one record.
        start: the first time, in microseconds of the wall, at the last offset; or a number.
        last: the step of the last record, the first being 0.
        records: how many there are.
        first_missing: the first steps that have no record, in ISO form.
        newest_first: whether they stand in the table the other way round.
        changes: of summer time, in wall times without offsets.
        usual: the most frequent distance.

    >>> form = Form("%Y-%m-%d", "day")
    >>> axis = Axis.of(form.read(["2020-02-27", "2020-02-28", "2020-03-01"]), form, "day")
    >>> axis.description(), axis.after(2)
    ('daily, 1 day missing (2020-02-29)', ['2020-03-02', '2020-03-03'])
    """

    form: Form
    step: Step | None
    start: int
    last: Count
    records: Size
    first_missing: tuple[str, ...] = ()
    newest_first: bool = False
    changes: tuple[Change, ...] = ()
    usual: Count = 0

    def __post_init__(self) -> None:
        if self.step is not None:
            places, fits = self.step.places(numpy.array([self.start]), self.start)
            if places[0] != 0 or not fits[0]:
                raise ValueError("start: it does not lie on a step")
        if self.last + 1 < self.records:
            raise ValueError(f"last: {self.records} records need as many steps")

    @classmethod
    def of(
        cls,
        moments: NDArray[Any],
        form: Form,
        name: str,
        rows: Sequence[int] | NDArray[Any] | None = None,
        known: Step | None = None,
    ) -> Axis:
        """Return the axis of a column's times.

        Args:
            moments: what ``form`` reads, int64, (N,); it may be mapped from a file.
            form: of the times.
            name: of the column, for messages.
            rows: lines of the records, for messages; without, they are counted from 1.
            known: the step of a run: it is taken if the records lie on it, be they ever so few.

        Raises:
            UserError: there are none, two are equal, or they are in no order.
        """
        if len(moments) == 0:
            raise UserError(f"{name}: there are no times")
        if len(moments) == 1:
            start = int(moments[0]) + _offset(form)
            is_on = known is not None and bool(known.places(numpy.array([start]), start)[1][0])
            return cls(form, known if is_on else None, start, 0, 1)
        backwards = runs_backwards(moments)
        ordered = moments[::-1] if backwards else moments
        lengths, changes = distances(ordered, Rows(form, name, len(moments), rows, backwards))
        start, end = (int(ordered[place]) + _offset(form) for place in (0, -1))
        if _is_calendar(lengths.usual, form):  # the hour is the last record's, at its offset
            start = int(snapped(numpy.array([start]), end, _slack(form))[0])

        def chunks() -> Iterator[tuple[int, NDArray[Any]]]:
            return _chunks(ordered, form, changes)

        step = _step(chunks, form, start, lengths, len(moments), known)
        missing = () if step is None else tuple(_missing(chunks, step, start, form, changes))
        last = len(moments) - 1
        if step is not None:
            end += sum(change.shift for change in changes)
            last = int(step.places(numpy.array([end]), start)[0][0])
        usual = lengths.usual
        return cls(form, step, start, last, len(moments), missing, backwards, changes, usual)

    @property
    def missing(self) -> int:
        """How many steps between the first and the last record have none."""
        return self.last + 1 - self.records

    def places(self, moments: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Give the steps of the records in chunks, in the order of time, the first being 0.

        Args:
            moments: those that it is the axis of, as they stand in the table.
        """
        ordered = moments[::-1] if self.newest_first else moments
        for first, chunk in _chunks(ordered, self.form, self.changes):
            if self.step is None:
                yield numpy.arange(first, first + len(chunk))
            else:
                yield self.step.places(chunk, self.start)[0]

    def after(self, count: int) -> list[str]:
        """Return the times of the steps after the last record in ISO form; none if irregular."""
        if self.step is None:
            return []
        places = self.last + 1 + numpy.arange(count)
        shift = sum(change.shift for change in self.changes)
        moments = self.step.moments(places, self.start) - shift
        return [_write(self.form, self.step, int(moment)) for moment in moments]

    def write(self, moments: NDArray[Any]) -> list[str]:
        """Return moments, as ``form`` reads them, in ISO form, as `after` has them."""
        whole = Step("microsecond", 1) if self.step is None else self.step
        return [_write(self.form, whole, int(each) + _offset(self.form)) for each in moments]

    def description(self) -> str:
        """Return step, what is missing, and the order in one line."""
        if self.records == 1:
            return "one record"
        if self.step is None:
            unit = "number" if self.form.unit == "number" else "microsecond"
            length = str(Step(unit, max(self.usual, 1)))
            return f"irregular (mostly {length}): records are read as they come" + self._order()
        text = str(self.step)
        if self.missing:
            named = ", ".join(self.first_missing)
            first = "first: " if self.missing > len(self.first_missing) else ""
            text += f", {counted(self.missing, f'{self.step.name}s')} missing ({first}{named})"
        back = sum(change.shift > 0 for change in self.changes)
        if self.changes:
            times = "an hour stands twice, or is left out, where summer time ends or begins"
            text += f", local time with {counted(len(self.changes), 'changes')} of summer time"
            text += f" ({times})" if back else ""
        return text + self._order()

    def _order(self) -> str:
        return ", newest first: turned round" if self.newest_first else ""


def _offset(form: Form) -> int:
    return minutes_of(form.offset) * 60 * SECOND


def _slack(form: Form) -> int:
    """Return by how much summer time may shift the hour of days, in microseconds."""
    return HOUR if form.offset not in ("", "Z") else 0


def _is_calendar(distance: int, form: Form) -> bool:
    """Return whether a distance is one of whole days."""
    days = round(distance / DAY)
    return form.unit != "number" and days > 0 and abs(distance - days * DAY) <= _slack(form)


def _write(form: Form, step: Step, moment: int) -> str:
    """Return a moment of the wall in ISO form."""
    if step.unit == "month" and step.day == 0:
        return iso(moment, "month")
    return form.write(moment - _offset(form))


def _chunks(
    ordered: NDArray[Any], form: Form, changes: Sequence[Change]
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give moments of the wall without changes of summer time, with the place of the first."""
    places = numpy.array([change.place for change in changes], "int64")
    shifts = numpy.array([0, *numpy.cumsum([change.shift for change in changes])], "int64")
    first = 0
    for part in spill.chunks(ordered, CHUNK):
        chunk = numpy.asarray(part) + _offset(form)
        if changes:
            indices = numpy.arange(first, first + len(chunk))
            chunk = chunk + shifts[numpy.searchsorted(places, indices, "right")]
        yield first, chunk
        first += len(chunk)


class _Calendar(NamedTuple):
    """Where moments lie in the calendar.

    Attributes:
        week: how many lie on each day of the week, Monday first.
        months: how often they are so many months apart.
        day: of the month, if it is always the same, or the last of the month where that is
            shorter; 31 for month ends; 0: it varies.
    """

    week: NDArray[Any]
    months: Counter[int]
    day: int


def _calendar(chunks: Chunks, start: int, slack: int) -> _Calendar:
    week, months = numpy.zeros(7, "int64"), Counter[int]()
    least, most, is_end, previous = 32, 0, True, None
    for _, chunk in chunks():
        days = snapped(chunk, start, slack) // DAY
        week += numpy.bincount((days + 3) % 7, minlength=7)
        month, day = month_and_day(days)
        kinds, counts = numpy.unique(
            numpy.diff(month if previous is None else [previous, *month]), return_counts=True
        )
        months.update(dict(zip(kinds.tolist(), counts.tolist(), strict=True)))
        least, most, previous = min(least, int(day.min())), max(most, int(day.max())), month[-1]
        is_end &= bool((day == lengths(month)).all())
    anchor = 31 if is_end else most if least == most or least >= 28 else 0
    return _Calendar(week, months, anchor)


def _step(
    chunks: Chunks, form: Form, start: int, lengths: Distances, count: int, known: Step | None
) -> Step | None:
    """Return the step on which all records lie, and most follow each other; None if there is none.

    Of several, it is the one that leaves the fewest steps empty; or a known one.
    """
    if known is not None:
        steps, single = _fill(chunks, known, start)
        if single >= USUAL * (count - 1) and steps < math.inf:
            return known
    best, fewest = None, math.inf
    for step in _candidates(chunks, form, start, lengths):
        if best is not None and step.day == 0:  # days that vary, only where none do not
            continue
        steps, single = _fill(chunks, step, start)
        if steps < fewest and single >= USUAL * (count - 1):
            best, fewest = step, steps
            if steps == count:
                break
    return best


def _candidates(chunks: Chunks, form: Form, start: int, lengths: Distances) -> Iterator[Step]:
    usual, common = lengths.usual, math.gcd(*lengths.counts) if lengths.is_whole else 0
    if form.unit == "number":
        yield from (Step("number", each) for each in _different(usual, common))
        return
    slack, days = _slack(form), round(usual / DAY)
    if not _is_calendar(usual, form):
        yield from (Step("microsecond", each) for each in _different(usual, common))
        return
    found = _calendar(chunks, start, slack)
    months = [each for each in found.months if each > 0]
    usual_months = max(months, key=lambda each: (found.months[each], -each), default=0)
    every = _different(usual_months, math.gcd(*months))
    if usual >= SHORTEST_MONTH and found.day:
        yield from (Step("month", each, found.day, slack=slack) for each in every)
    yield Step("day", days, slack=slack)
    if days > 1:
        whole = {round(length / DAY) for length in lengths.counts}
        yield from (Step("day", each, slack=slack) for each in _different(math.gcd(*whole)))
    week = "".join("1" if each else "0" for each in found.week)
    weeks = int(found.week.max())
    if 1 < week.count("1") < 7 and (weeks > 2 or week in ("1111100", "1111110", "1111001")):
        yield Step("day", 1, week=week, slack=slack)
    if usual >= SHORTEST_MONTH:
        yield from (Step("month", each, 0, slack=slack) for each in every)
    if not slack:
        yield from (Step("microsecond", each) for each in _different(common))


def _different(*counts: int) -> list[int]:
    return list(dict.fromkeys(count for count in counts if count > 0))


def _fill(chunks: Chunks, step: Step, start: int) -> tuple[float, int]:
    """Return how many steps there are from the first to the last record, and how many records
    follow the one before by a single one; infinitely many if one lies on none.
    """
    single, previous = 0, -1
    for _, chunk in chunks():
        places, fits = step.places(chunk, start)
        gaps = numpy.diff(places, prepend=previous)
        if not fits.all() or (gaps < 1).any():
            return math.inf, 0
        single, previous = single + int((gaps == 1).sum()), int(places[-1])
    return previous + 1, single - 1


def _missing(
    chunks: Chunks, step: Step, start: int, form: Form, changes: Sequence[Change]
) -> Iterator[str]:
    """Give the first steps that have no record."""
    previous, left = -1, NAMED
    for first, chunk in chunks():
        places, _ = step.places(chunk, start)
        gaps = numpy.diff(places, prepend=previous)
        for index in numpy.flatnonzero(gaps > 1)[:left]:
            before = int(places[index]) - int(gaps[index])
            some = numpy.arange(before + 1, int(places[index]))[:left]
            shift = sum(change.shift for change in changes if change.place <= first + index)
            for moment in step.moments(some, start):
                yield _write(form, step, int(moment) - shift)
            left -= len(some)
        if left <= 0:
            return
        previous = int(places[-1])
