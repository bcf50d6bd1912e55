"""The roles of a table's columns: time, target, features, and what tells several series apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy

from ....display import short
from ....errors import UserError
from ..table.numerals import Numerals
from ..table.table import Cell, Table
from .counting import EPOCHS, FORMATS, NUMBER
from .dates import Recogniser, recognise
from .options import NO_TIME
from .parts import cyclic, joined, part, time_columns

if TYPE_CHECKING:
    from .options import Choice

TIMES = frozenset(["datetime", "timestamp", "ts", "when", "period"])
"""What columns of times are called, in lower case and without signs, beside `parts.PARTS`."""

COUNTS = frozenset(
    [
        "t",
        "n",
        "no",
        "nr",
        "step",
        "steps",
        "tick",
        "index",
        "idx",
        "id",
        "row",
        "rowid",
        "obs",
        "sample",
        "frame",
    ]
)
"""What columns are called that count the records."""

LOOKED_AT = 5000
"""Records by which roles are told, at most: of hourly ones more than half a year."""

FIRST = 50
"""Records that show whether a column holds times or numbers; what follows may be a slip."""

UNREAD = 8
"""Columns that are not read, as many as are named."""


@final
@dataclass(frozen=True)
class Roles:
    """What the columns of a table of series are; a run keeps it.

    Attributes:
        target: the column that is forecast.
        also: further columns that are read.
        known: further columns that are read, and known for the future too.
        time: that of the time, or those of its parts; none: the records are in order.
        series: the one that tells several series apart; None: there is one.
    """

    target: str
    also: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    time: tuple[str, ...] = ()
    series: str | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that hold numbers, the target first."""
        return self.target, *self.also, *self.known

    @property
    def all(self) -> tuple[str, ...]:
        """All columns that are read, in the order in which they are described."""
        return *([] if self.series is None else [self.series]), *self.time, *self.numbers


def found(table: Table, choice: Choice, date_format: str | None = None) -> tuple[Roles, list[str]]:
    """Return the roles that options name, and else those that names and cells tell.

    Returns:
        The roles, and what is to be said of columns that were looked at.

    Raises:
        UserError: a column is missing or named for two roles, or the target cannot be told.
    """
    also, known = tuple(choice.also or ()), tuple(choice.known or ())
    told = [each for each in (choice.target, *also, *known, choice.series) if each is not None]
    sample = _Sample(table, told)
    if not sample.count:
        raise UserError(f"{table.name} has no records: a series is expected")
    time, notes = _time(sample, choice, date_format)
    target = choice.target or _target(sample, time)
    roles = Roles(target, also, known, time, choice.series)
    for name in roles.all:
        table.column(name)
        if roles.all.count(name) > 1:
            again = "the target" if name == target else "named already"
            raise UserError(f"the column {name!r} is {again}: it is read anyway, and once")
    return roles, notes


@final
class _Sample:
    """The first records of a table.

    Attributes:
        table: whose they are.
        count: how many.
        free: the columns that options give no role, and whose names are their own.
    """

    def __init__(self, table: Table, told: Sequence[str]) -> None:
        self.table = table
        frame = next(table.frames(), None)
        self._frame = None if frame is None else frame.head(LOOKED_AT)
        self.count = 0 if self._frame is None else len(self._frame)
        self.free = [
            each for each in table.columns if each not in told and table.columns.count(each) == 1
        ]

    def cells(self, name: str) -> list[Cell]:
        """Return the cells of a column."""
        return [] if self._frame is None else self._frame[str(self.table.column(name))].to_list()

    def is_number(self, name: str) -> bool:
        """Return whether the first cells of a column are numbers, but for slips and gaps."""
        numerals = Numerals.of(self.table.format)
        cells = [cell for cell in self.cells(name) if not numerals.missing(cell)][:FIRST]
        return bool(cells) and sum(numerals.number(cell) is not None for cell in cells) >= (
            len(cells) / 2
        )

    def counts(self, name: str) -> bool:
        """Return whether a column counts the records by its name and its cells."""
        bare = re.sub(r"[\W_\d]", "", name.casefold())
        place = self.table.column(name)
        is_named = bare in COUNTS or name.strip() in ("", "#", str(place + 1)) or bare == "unnamed"
        numerals = Numerals.of(self.table.format)
        numbers = [numerals.number(cell) for cell in self.cells(name)] if is_named else []
        if len(numbers) < 2 or None in numbers:
            return False
        steps = numpy.diff(numpy.array(numbers, "float64"))
        return bool((steps > 0).all() or (steps < 0).all())


def _time(
    sample: _Sample, choice: Choice, date_format: str | None
) -> tuple[tuple[str, ...], list[str]]:
    """Return the columns of the time, and what is to be said of others."""
    if choice.time is not None:
        is_none = choice.time == [NO_TIME] and NO_TIME not in sample.table.columns
        return (() if is_none else tuple(choice.time)), []
    together = time_columns(sample.free)
    if together:
        cells = joined({name: sample.cells(name)[:FIRST] for name in together})
        if _sureness(cells, date_format):
            return together, []
    named, notes = [], []
    for name in filter(_is_named, sample.free):
        cells = sample.cells(name)
        if cyclic(cells):
            notes.append(f"{name!r} repeats itself: it is no time")
        elif any(re.search(r"\d", cell or "") for cell in cells):
            named.append(name)

    def sureness(name: str) -> int:
        return _sureness(sample.cells(name)[:FIRST], date_format)

    if named:
        return (max(named, key=sureness),), notes
    dates = [name for name in sample.free if _is_dated(sample.cells(name)[:FIRST], date_format)]
    counts = [] if choice.series else list(filter(sample.counts, sample.free))
    dates.sort(key=sureness, reverse=True)
    return tuple([*dates, *counts][:1]), notes


def _is_named(name: str) -> bool:
    """Return whether a column has the name of a time or of its part."""
    words = re.split(r"[\W_]+", name.casefold())
    return part(name) is not None or "".join(words) in TIMES or "time" in words


def _is_dated(cells: Sequence[Cell], date_format: str | None) -> bool:
    """Return whether cells are dates by themselves, whatever their column is called."""
    found = [cell for cell in cells if cell and cell.strip()]
    sure = _sureness(found, date_format)
    if sure and all(NUMBER.fullmatch(re.sub(r"\d", "0", cell.strip())) for cell in found):
        form = recognise(found, date_format, "time")
        is_date = form.format in EPOCHS or form.format not in FORMATS
        return is_date and sure == IN_ORDER
    return bool(sure)


IN_ORDER = 2


def _sureness(cells: Sequence[Cell], date_format: str | None) -> int:
    """Return 2 if cells are times that rise or fall, or can be read in several ways; 1 if they are
    times in no order; 0 if they are none.
    """
    recogniser = Recogniser(date_format, "time")
    try:
        recogniser.see([cell for cell in cells if cell and cell.strip()])
    except UserError:
        return 0
    try:
        form = recogniser.form()
        steps = numpy.diff(form.read([cell for cell in cells if cell and cell.strip()]))
    except UserError:
        return IN_ORDER if recogniser.count else 0
    return IN_ORDER if bool((steps > 0).all() or (steps < 0).all()) else 1


def _target(sample: _Sample, time: Sequence[str]) -> str:
    """Return the only column that holds numbers and is no time.

    Raises:
        UserError: there is none, or several.
    """
    numbers = [
        name
        for name in sample.free
        if name not in time and sample.is_number(name) and not sample.counts(name)
    ]
    rest = [name for name in numbers if not (_is_named(name) and cyclic(sample.cells(name)))]
    if len(rest) == 1:
        return rest[0]
    table, some = sample.table, numbers or sample.table.columns
    names = ", ".join(map(repr, some[:20])) + (", …" if len(some) > 20 else "")
    what = "has several columns of numbers" if numbers else "has no column of numbers"
    raise UserError(f"{table.name} {what}: name the one to forecast by --target: {names}")


def unread(table: Table, roles: Roles) -> str:
    """Return the columns that are not read, in words; "" if there are none."""
    names = [repr(short(name, 40)) for name in table.columns if name not in roles.all]
    more = f" and {len(names) - UNREAD} more" if len(names) > UNREAD else ""
    return f"not read: {', '.join(names[:UNREAD])}{more}" if names else ""
