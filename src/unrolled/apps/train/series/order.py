"""The order of times: which way they run, what stands twice, and where summer time shifts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, final

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from ..table.spill import chunks
from .form import Form
from .spelling import DAY
from .steps import HOUR, lengths, month_and_day

CHUNK = 2**18
"""Moments that are looked at at once."""

KINDS = 10_000
"""Different distances that are counted, at most about twice as many."""

MOST = 1000
"""Places where time does not rise that may be changes of summer time."""

CHANGES = {(3, 2), (3, 5), (4, 1), (4, 5), (9, 1), (9, 5), (10, 1), (10, 5), (11, 1)}
"""Months and Sundays in them, 5 being the last, on which clocks are changed somewhere."""

SUMMER = 250 * DAY
"""Longer than any summer time."""


@final
@dataclass(frozen=True)
class Change:
    """A change between summer and winter time that wall times show.

    Attributes:
        place: of the first moment after it, in the order of time.
        shift: what is added to wall times from there on, in microseconds: an hour, or minus one.
    """

    place: int
    shift: int


@final
@dataclass(frozen=True)
class Distances:
    """The distances of moments that rise.

    Attributes:
        counts: how often each distance occurs.
        is_whole: whether all are counted.
    """

    counts: Counter[int]
    is_whole: bool

    @property
    def usual(self) -> int:
        """The most frequent one, the shortest of several."""
        most = max(self.counts.values())
        return min(distance for distance, count in self.counts.items() if count == most)


@final
@dataclass(frozen=True)
class Rows:
    """The rows of moments, for messages.

    Attributes:
        form: of the times.
        name: of the column.
        count: of all moments.
        lines: of the file; None: rows are counted from 1.
        newest_first: whether they stand in the file the other way round.
    """

    form: Form
    name: str
    count: int
    lines: Sequence[int] | NDArray[Any] | None = None
    newest_first: bool = False

    def line(self, place: int) -> int:
        """Return the line or row of a moment, by its place in the order of time."""
        index = self.count - 1 - place if self.newest_first else place
        return index + 1 if self.lines is None else int(self.lines[index])

    def where(self, *places: int) -> str:
        """Return the lines of moments in words."""
        lines = " and ".join(str(line) for line in sorted(map(self.line, places)))
        word = "row" if self.lines is None else "line"
        return f"{word}{'s' * (len(places) > 1)} {lines}"


def runs_backwards(moments: NDArray[Any]) -> bool:
    """Return whether moments fall more often than they rise."""
    rises = falls = 0
    for _, steps in differences(moments):
        rises, falls = rises + int((steps > 0).sum()), falls + int((steps < 0).sum())
    return falls > rises


def differences(moments: NDArray[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give differences of neighbours in chunks, with the place of the first moment of each."""
    first, before = 0, moments[:0]
    for chunk in chunks(moments, CHUNK):
        yield max(first - 1, 0), numpy.diff(chunk, prepend=before)
        first, before = first + len(chunk), chunk[-1:].copy()


def distances(moments: NDArray[Any], rows: Rows) -> tuple[Distances, tuple[Change, ...]]:
    """Return how far moments are apart, and the changes of summer time.

    Raises:
        UserError: times are equal, or in no order.
    """
    counts: Counter[int] = Counter()
    is_whole, stuck = True, []
    for first, steps in differences(moments):
        kinds, numbers = numpy.unique(steps, return_counts=True)
        if len(kinds) > KINDS:
            order = numpy.argsort(-numbers)[:KINDS]
            kinds, numbers, is_whole = kinds[order], numbers[order], False
        counts.update(dict(zip(kinds.tolist(), numbers.tolist(), strict=True)))
        if len(counts) > 2 * KINDS:
            counts, is_whole = Counter(dict(counts.most_common(KINDS))), False
        if len(stuck) <= MOST:
            stuck += (numpy.flatnonzero(steps <= 0)[: MOST + 1] + first).tolist()
    counts = Counter({length: count for length, count in counts.items() if length > 0})
    found = Distances(counts, is_whole)
    if not counts:
        _refuse(moments, rows, stuck[0])
    changes = _changes(moments, rows, found.usual, stuck)
    return found, changes


def _changes(
    moments: NDArray[Any], rows: Rows, usual: int, stuck: Sequence[int]
) -> tuple[Change, ...]:
    """Return where clocks are put back, time standing twice, and forward, an hour being left out.

    Raises:
        UserError: time does not rise for another reason.
    """
    is_fine = rows.form.offset == "" and rows.form.unit != "number" and HOUR % usual == 0
    for place in stuck:
        if not is_fine or len(stuck) > MOST or not _is_change(moments, place, usual - HOUR):
            _refuse(moments, rows, place)
    if not is_fine:
        return ()
    back = [Change(place + 1, HOUR) for place in stuck]
    forward = [
        Change(int(place) + 1, -HOUR)
        for first, steps in differences(moments)
        for place in numpy.flatnonzero(steps == usual + HOUR) + first
        if _is_change(moments, int(place), usual + HOUR)
    ]
    both = sorted([*back, *forward], key=lambda change: change.place)
    return tuple(both if _alternate(both, moments) else back)


def _is_change(moments: NDArray[Any], place: int, distance: int) -> bool:
    """Return whether the clock may be changed between a moment and the next."""
    now, following = int(moments[place]), int(moments[place + 1])
    day, time = divmod(min(now, following), DAY)
    months, days = month_and_day(numpy.array([day]))
    month, number = int(months[0]) % 12 + 1, int(days[0])
    is_last = number + 7 > int(lengths(months)[0])
    sunday = {(month, (number - 1) // 7 + 1)} | ({(month, 5)} if is_last else set())
    is_sunday = (day + 3) % 7 == 6
    return following - now == distance and is_sunday and bool(sunday & CHANGES) and time < 4 * HOUR


def _alternate(changes: Sequence[Change], moments: NDArray[Any]) -> bool:
    """Return whether summer time ends as often as it begins: else hours are missing."""
    for place, change in enumerate(changes):
        following = changes[place + 1] if place + 1 < len(changes) else None
        if following is not None and following.shift == change.shift:
            return False
        end = int(moments[-1 if following is None else following.place])
        if change.shift < 0 and end - int(moments[change.place]) > SUMMER:
            return False
    return True


def _refuse(moments: NDArray[Any], rows: Rows, place: int) -> NoReturn:
    """Raise an error that names a moment that does not stand after the one before it."""
    now, following = (rows.form.write(int(each)) for each in moments[place : place + 2])
    several = "if a column tells several series apart, name it by --series COLUMN"
    if now == following:
        raise UserError(
            f"{rows.name}: {now} stands twice, in {rows.where(place, place + 1)}: a step has one "
            f"record; {several}"
        )
    if rows.newest_first:
        line, first, order = place, f"{now} stands after {following}", "newest first"
    else:
        line, first, order = place + 1, f"{following} stands after {now}", "oldest first"
    raise UserError(
        f"{rows.name}, {rows.where(line)}: {first}, where most are {order}: sort the table by "
        f"time, or say --time none if it is no time; {several}"
    )
