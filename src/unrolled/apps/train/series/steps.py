"""Steps of a regular axis of time, in terms of the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, final

import numpy
from msgspec import Meta
from numpy.typing import NDArray

from ....display import counted
from ....schema import Size
from .spelling import DAY, SECOND

HOUR = 3600 * SECOND
"""Microseconds."""

NAMES = {
    ("month", 1): ("monthly", "month"),
    ("month", 3): ("quarterly", "quarter"),
    ("month", 12): ("yearly", "year"),
    ("day", 1): ("daily", "day"),
    ("day", 7): ("weekly", "week"),
    ("microsecond", HOUR): ("hourly", "hour"),
    ("microsecond", 60 * SECOND): ("every minute", "minute"),
    ("microsecond", SECOND): ("every second", "second"),
    ("number", 1): ("counted", "step"),
}
"""By unit and count: how often, and the name of one step."""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@final
@dataclass(frozen=True)
class Step:
    """The distance between the records of a regular series.

    Attributes:
        unit: number: plain counts; microsecond: of equal length; day, month: of the calendar.
        count: of units in a step.
        day: of the month on which steps of months fall, the last where a month has fewer days; 31
            is the month's end; 0: it varies, and only the month is told.
        week: days of the week that have steps, Monday first, such as 1111100; steps of one day.
        slack: of days and months, by how many microseconds summer time may shift the hour.
    """

    unit: Literal["number", "microsecond", "day", "month"]
    count: Size
    day: Annotated[int, Meta(ge=0, le=31)] = 1
    week: Annotated[str, Meta(pattern="^[01]{7}$")] = "1111111"
    slack: Annotated[int, Meta(ge=0, le=2 * HOUR)] = 0

    def __post_init__(self) -> None:
        if "1" not in self.week:
            raise ValueError("week: no day of the week has steps")

    def places(self, moments: NDArray[Any], start: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the numbers of steps from a start on, int64 (n,), and whether moments lie there.

        >>> Step("month", 1, day=31).places(numpy.array([31, 59]) * DAY - DAY, 30 * DAY)
        (array([0, 1]), array([ True,  True]))
        """
        if self.unit in ("number", "microsecond"):
            places, rest = numpy.divmod(moments - start, self.count)
            return places, rest == 0
        moments = snapped(moments, start, self.slack)
        days, rest = numpy.divmod(moments, DAY)
        first, time = divmod(start, DAY)
        fits = rest == time
        if self.unit == "month":
            return self._months(days, first, fits)
        if self.week == "1111111":
            places, left = numpy.divmod(days - first, self.count)
            return places, fits & (left == 0)
        dates, begin = days.astype("M8[D]"), numpy.datetime64(first, "D")
        fits &= numpy.is_busday(dates, weekmask=self.week)
        return numpy.busday_count(begin, dates, weekmask=self.week), fits

    def _months(
        self, days: NDArray[Any], first: int, fits: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        months, day = month_and_day(days)
        begin = int(month_and_day(numpy.array([first]))[0][0])
        places, left = numpy.divmod(months - begin, self.count)
        if self.day == 0:
            return places, left == 0
        return places, fits & (left == 0) & (day == numpy.minimum(self.day, lengths(months)))

    def moments(self, places: NDArray[Any], start: int) -> NDArray[Any]:
        """Return the moments of steps, (n,): what `places` gives numbers for."""
        if self.unit in ("number", "microsecond"):
            return start + places * self.count
        first, time = divmod(start, DAY)
        if self.unit == "month":
            months = int(month_and_day(numpy.array([first]))[0][0]) + places * self.count
            day = numpy.minimum(max(self.day, 1), lengths(months))
            days = months.astype("M8[M]").astype("M8[D]").astype("int64") + day - 1
        elif self.week == "1111111":
            days = first + places * self.count
        else:
            begin = numpy.datetime64(first, "D")
            days = numpy.busday_offset(begin, places, weekmask=self.week).astype("int64")
        return days * DAY + time

    def alike(self, other: Step | None) -> bool:
        """Return whether another step is as long, on whatever day of the month or hour.

        >>> Step("month", 1).alike(Step("month", 1, day=31)), Step("day", 1).alike(Step("day", 7))
        (True, False)
        """
        if other is None:
            return False
        lengths = [(each.unit, each.count, each.week) for each in (self, other)]
        return lengths[0] == lengths[1]

    @property
    def name(self) -> str:
        """Of one step, such as day."""
        if self.unit == "day" and self.week != "1111111":
            return "day"
        return NAMES.get((self.unit, self.count), ("", "step"))[1]

    def __str__(self) -> str:
        """Return how often a step is: daily, every 15 minutes, month ends."""
        if self.unit == "day" and self.week != "1111111":
            days = [day for day, has in zip(DAYS, self.week, strict=True) if has == "1"]
            is_run = "01" not in self.week.lstrip("0")
            text = f"{days[0]} to {days[-1]}" if is_run and len(days) > 2 else ", ".join(days)
            return f"business days ({text})" if self.week == "1111100" else f"daily ({text})"
        if (self.unit, self.count) in NAMES:
            often = NAMES[self.unit, self.count][0]
        elif self.unit == "number":
            often = f"counted by {self.count}"
        else:
            often = f"every {_length(self.unit, self.count)}"
        if self.unit != "month" or self.day == 1:
            return often
        days = {0: "the day varies", 31: "month ends"}
        return f"{often} ({days.get(self.day, f'on day {self.day}')})"


def _length(unit: str, count: int) -> str:
    """Return a length of time in its greatest whole unit."""
    if unit != "microsecond":
        for larger, size in ("years", 12), ("weeks", 7):
            if count % size == 0 and (larger == "years") == (unit == "month"):
                return counted(count // size, larger)
        return counted(count, f"{unit}s")
    units = {
        "days": DAY,
        "hours": HOUR,
        "minutes": 60 * SECOND,
        "seconds": SECOND,
        "milliseconds": 1000,
    }
    name = next((name for name, size in units.items() if count % size == 0), "microseconds")
    return counted(count // units.get(name, 1), name)


def snapped(moments: NDArray[Any], start: int, slack: int) -> NDArray[Any]:
    """Return moments at the hour of a start, where they are no more than a slack away from it."""
    if not slack:
        return moments
    shift = (moments - start + DAY // 2) % DAY - DAY // 2
    return numpy.where(numpy.abs(shift) <= slack, moments - shift, moments)


def month_and_day(days: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return months since 1970 and days of the month, from 1 on, of days since 1970."""
    months = days.astype("M8[D]").astype("M8[M]")
    return months.astype("int64"), days - months.astype("M8[D]").astype("int64") + 1


def lengths(months: NDArray[Any]) -> NDArray[Any]:
    """Return how many days months since 1970 have."""
    ends = (months + 1).astype("M8[M]").astype("M8[D]") - months.astype("M8[M]").astype("M8[D]")
    return ends.astype("int64")
