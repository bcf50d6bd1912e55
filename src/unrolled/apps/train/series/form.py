"""The form of a column's times: how they are spelled, read, and written as ISO dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy
from numpy.typing import NDArray

from .counting import FORMATS, NUMBER, read_numbers
from .month_names import LANGUAGES, month
from .refusals import Place, refuse_cell, refuse_day
from .spelling import DAY, SECOND, UNITS, Group, Times, grouped, layouts, monday_of, spelled

Unit = Literal[
    "number", "year", "quarter", "month", "week", "day", "minute", "second", "microsecond"
]


@final
@dataclass(frozen=True)
class Form:
    """How the times of a column are spelled; a run keeps it, so that others are read the same way.

    Moments are int64: microseconds since 1970, of UTC if offsets are told, else of the local wall
    time; or plain numbers times ``10**decimals``.

    Attributes:
        format: of strptime, with %q for a quarter; or one of `counting.FORMATS`.
        unit: how finely they tell the time; ``number`` where they only count.
        offset: of the last time from UTC, such as ``+01:00`` or ``Z``; "" if none is told.
        language: of the names of months.
        decimals: of plain numbers.

    >>> form = Form("%d/%m/%Y", "day")
    >>> [form.write(moment) for moment in form.read(["31/01/2020"]).tolist()]
    ['2020-01-31']
    """

    format: str
    unit: Unit
    offset: str = ""
    language: str = "en"
    decimals: int = 0

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            spelled(self.format)
        if not 0 <= self.decimals <= 9:
            raise ValueError(f"decimals must be from 0 to 9, not {self.decimals}")
        if self.offset not in ("", "Z"):
            minutes_of(self.offset)
        if self.language not in ("en", *LANGUAGES):
            raise ValueError(f"language: {self.language!r} is none of {', '.join(LANGUAGES)}")

    def read(
        self, values: Sequence[str | None], rows: Sequence[int] | None = None, name: str = "time"
    ) -> NDArray[Any]:
        """Return the moments of cells, (n,).

        Args:
            values: the cells.
            rows: their lines in the file, for messages; without, they are counted from 1.
            name: of the column, for messages.

        Raises:
            UserError: a cell is empty or spelled otherwise, or there is no such day.
        """
        place = Place(name, values, rows)
        cells = bare(place)
        if self.format in FORMATS:
            for group in grouped(cells):
                if not NUMBER.fullmatch(group.skeleton):
                    refuse_cell(place, int(group.places[0]), "a number")
            return read_numbers(cells, self.format, self.decimals)
        moments = numpy.empty(len(cells), "int64")
        for group in grouped(cells):
            times = self._times(place, group)
            if times.wrong.any():
                index = int(group.places[times.wrong.argmax()])
                refuse_cell(place, index, f"times as {self.format}", True)
            if times.impossible.any():
                refuse_day(place, int(group.places[times.impossible.argmax()]))
            moments[group.places] = instants(times)
        return moments

    def _times(self, place: Place, group: Group) -> Times:
        """Return the times of cells of one skeleton."""
        layout, first = next(iter(layouts(group.skeleton, self.format)), None), int(group.places[0])
        if layout is None or bool(layout.zone) != bool(self.offset):
            zone = ", with an offset such as +01:00" if self.offset else ""
            refuse_cell(place, first, f"times as {self.format}{zone}", True)
        if "B" in layout.words and month(layout.words["B"], self.language) is None:
            refuse_cell(place, first, f"a month in the language {self.language!r}")
        return layout.times(group.codes, self.language)

    def write(self, moment: int) -> str:
        """Return a moment in ISO form, as coarse as the data: 1959, 1959-Q1, 1959-W05, …."""
        moment = int(moment)
        if self.unit == "number":
            if self.decimals == 0:
                return str(moment)
            digits = f"{abs(moment):0{self.decimals + 1}d}"
            whole, rest = digits[: -self.decimals], digits[-self.decimals :].rstrip("0")
            return "-" * (moment < 0) + whole + ("." + rest if rest else "")
        text = iso(moment + minutes_of(self.offset) * 60 * SECOND, self.unit)
        return text + self.offset if UNITS.index(self.unit) > UNITS.index("day") else text


def iso(moment: int, unit: str) -> str:
    """Return a wall time in ISO form, told as finely as a unit.

    >>> [iso(0, unit) for unit in ("year", "quarter", "month", "week", "day", "minute")]
    ['1970', '1970-Q1', '1970-01', '1970-W01', '1970-01-01', '1970-01-01T00:00']
    """
    text = str(numpy.datetime64(moment, "us"))
    if unit == "quarter":
        return f"{text[:4]}-Q{(int(text[5:7]) + 2) // 3}"
    if unit == "week":
        thursday = int(monday_of(numpy.asarray(moment // DAY))) + 3
        year = numpy.datetime64(thursday, "D").astype("M8[Y]")
        week = (thursday - int(year.astype("M8[D]").astype("int64"))) // 7 + 1
        return f"{year}-W{week:02}"
    ends = {"year": 4, "month": 7, "day": 10, "minute": 16, "second": 19}
    return text[: ends[unit]] if unit in ends else text.rstrip("0").rstrip(".")


def minutes_of(offset: str) -> int:
    """Return an offset in minutes; 0 of "" and of Z.

    >>> minutes_of("-03:30"), minutes_of("Z")
    (-210, 0)
    """
    if offset in ("", "Z"):
        return 0
    sign = {"+": 1, "-": -1}.get(offset[0])
    if sign is None or len(offset) != 6 or not (offset[1:3] + offset[4:]).isdigit():
        raise ValueError(f"offset: {offset!r} is not such as +01:00")
    return sign * (60 * int(offset[1:3]) + int(offset[4:]))


def offset_of(minutes: int) -> str:
    """Return an offset as it is written.

    >>> offset_of(-210), offset_of(60)
    ('-03:30', '+01:00')
    """
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def instants(times: Times) -> NDArray[Any]:
    """Return moments of UTC where offsets are told, else of the wall time, (n,)."""
    return times.moments if times.offsets is None else times.moments - times.offsets * 60 * SECOND


def bare(place: Place) -> list[str]:
    """Return cells without spaces around them.

    Raises:
        UserError: one is empty.
    """
    cells = [
        (cell or "").strip().replace("\u202f", " ").replace("\xa0", " ") for cell in place.values
    ]
    if "" in cells:
        refuse_cell(place, cells.index(""), "a time")
    return cells
