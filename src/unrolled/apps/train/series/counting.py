"""Times that stand as numbers: years, fractions of years, seconds since 1970, plain counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, final

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from .spelling import DAY, SECOND, days_of

NUMBER = re.compile(r"[-+]?(?:0+\.?0*|\.0+)(?:[eE][-+]?0+)?")
"""A number's skeleton."""

EPOCHS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""By name, units since 1970 in a second."""

MULTIPLES = [count * seconds for count in EPOCHS.values() for seconds in (1, 86_400)]
"""Numbers of them in a second and in a day."""

FORMATS = ("number", "year", "excel", *EPOCHS, "year.mm", "year/12", "year/4")
"""How numbers are read as times, beside formats of strptime."""

EARLIEST, LATEST = 10**8, 4_200_000_000
"""Seconds since 1970 that are taken for such: 1973 to 2103."""

YEARS = (1500, 2200)
"""Numbers that are taken for years."""

SERIALS = (20_000, 80_000)
"""Days since 1900 as a spreadsheet counts them, that look like such: 1954 to 2119."""

NEAR = 0.08
"""How far a fraction of a year may lie from a twelfth, in twelfths: months differ in length."""

DECIMALS = 9
"""Digits behind the point of a plain count, at most."""


@final
class Counting:
    """What a column of numbers says of how they tell the time, chunk by chunk.

    Attributes:
        least, most: of the numbers.
        decimals: digits behind the point that are not all 0, at most.
    """

    def __init__(self) -> None:
        self.least, self.most, self.decimals = numpy.inf, -numpy.inf, 0
        self._fits = {"year/4": True, "year/12": True, "year.mm": True}
        self._is_padded = False
        self._wholes: dict[int, bool] = {}

    def see(self, cells: Sequence[str]) -> None:
        """Look at the next numbers."""
        values = numpy.array(cells, "U40").astype("float64")
        self.least = min(self.least, float(values.min()))
        self.most = max(self.most, float(values.max()))
        for count in MULTIPLES:
            self._wholes[count] = self.is_whole(count) and bool((values % count == 0).all())
        if (values % 1 == 0).all():
            self._fits["year.mm"] = False
            return
        tails = [cell.partition(".")[2] for cell in cells]
        self.decimals = max(self.decimals, *(len(tail.rstrip("0")) for tail in tails))
        self._is_padded |= any(tail[:1] == "0" and len(tail) == 2 for tail in tails)
        fraction = values % 1
        quarters, twelfths = 4 * fraction, 12 * fraction
        middle = numpy.abs(twelfths % 1 - 0.5)
        start = numpy.abs(twelfths - numpy.round(twelfths))
        self._fits["year/4"] &= bool((numpy.abs(quarters - numpy.round(quarters)) < 0.01).all())
        self._fits["year/12"] &= bool((start < NEAR).all() or (middle < NEAR).all())
        months = numpy.array([_month(tail) for tail in tails])
        self._fits["year.mm"] &= bool(((months >= 1) & (months <= 12)).all())

    def is_whole(self, count: int) -> bool:
        """Return whether all numbers are multiples of one: of a second's or day's `EPOCHS`."""
        return self._wholes.get(count, True)

    def format(self, name: str) -> str:
        """Return how the numbers tell the time: one of `FORMATS`.

        Raises:
            UserError: that cannot be told.
        """
        least, most = self.least, self.most
        if YEARS[0] <= least and most <= YEARS[1]:
            return self._years(name)
        if "year" in name.casefold() and least >= 1 and most <= 9999 and not self.decimals:
            return "year"
        for unit, count in EPOCHS.items():
            if EARLIEST * count <= least and most <= LATEST * count:
                return unit
        if SERIALS[0] <= least and most <= SERIALS[1]:
            day = numpy.datetime64("1899-12-30") + numpy.timedelta64(int(least), "D")
            raise UserError(
                f"{name}: {least:g} looks like a day as spreadsheets count them ({day}): say "
                "--date-format excel, or, if it is a plain count, --date-format number"
            )
        return "number"

    def _years(self, name: str) -> str:
        if not self.decimals:
            return "year"
        if self._fits["year.mm"] and self._is_padded:
            return "year.mm"
        for each in ("year/4", "year/12"):
            if self._fits[each]:
                return each
        raise UserError(
            f"{name}: {self.least:.10g} looks like a year with a fraction, of which the day cannot "
            "be told: give dates, or say --date-format number to take them as plain numbers"
        )


def _month(tail: str) -> int:
    """Return the month in the two digits behind the point; a last 0 may have been lost."""
    return int(tail.ljust(2, "0")) if tail.isdigit() and len(tail) <= 2 else 0


def read_numbers(cells: Sequence[str], how: str, decimals: int) -> NDArray[Any]:
    """Return moments in microseconds since 1970 of numbers; of plain ones 10**decimals of each.

    >>> read_numbers(["1970.5"], "year/4", 0) // 86_400_000_000
    array([181])
    """
    values = numpy.array(cells, "U40").astype("float64")
    if how == "number":
        if decimals == 0 and all(cell.lstrip("+-").isdigit() and len(cell) < 19 for cell in cells):
            return numpy.array(cells, "U40").astype("int64")
        return numpy.round(values * 10.0**decimals).astype("int64")
    if how in EPOCHS:
        return numpy.round(values * (SECOND / EPOCHS[how])).astype("int64")
    if how == "excel":
        return (
            numpy.round((values + int(days_of(1899, 12, 30))) * (DAY / 1000)).astype("int64") * 1000
        )
    year = numpy.floor(values).astype("int64")
    if how == "year":
        return days_of(year, 1, 1) * DAY
    if how == "year.mm":
        months = numpy.array([_month(cell.partition(".")[2]) for cell in cells])
        return days_of(year, months, 1) * DAY
    if how == "year/4":
        quarter = numpy.round((values - year) * 4).astype("int64")
        return days_of(year, 1 + 3 * quarter, 1) * DAY
    twelfths = (values - year) * 12
    is_start = numpy.abs(twelfths - numpy.round(twelfths)) < NEAR
    number = numpy.where(is_start, numpy.round(twelfths), numpy.floor(twelfths)).astype("int64")
    return days_of(year, 1 + number, 1) * DAY
