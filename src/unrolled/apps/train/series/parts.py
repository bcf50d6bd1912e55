"""Times whose parts stand in several columns, and columns of parts that repeat themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy

from ....errors import UserError
from .month_names import LANGUAGES, month, weekday

PARTS = {
    "year": "year yr yyyy jahr annee año ano anno 年 年份",
    "quarter": "quarter qtr quartal trimestre 季度 季",
    "month": "month mon mo mm monat mois mes mese 月 月份",
    "week": "week wk isoweek kw woche semaine 周",
    "day": "day dd dom dayofmonth mday tag jour dia 日",
    "date": "date datum fecha data dia_date ds 日期",
    "time": "time uhrzeit zeit heure hora ora clock timeofday 时间",
    "hour": "hour hr hh stunde hours 时 小时",
    "minute": "minute min minuten minutes 分 分钟",
    "second": "second sec sekunde seconds 秒",
}
"""By part of a time, what columns of it are called, in lower case and without signs."""

WHOLES = (("date",), ("year", "month", "day"), ("year", "month"), ("year", "quarter"))
WHOLES += (("year", "week"), ("year",))
"""Parts that tell the day, or what is coarser; the first that is there is taken."""

WITHIN = (("time",), ("hour", "minute", "second"), ("hour", "minute"), ("hour",))
"""Parts that tell the time of the day."""

CYCLES = ((0, 23), (1, 24), (0, 1), (1, 4), (0, 6), (1, 7), (0, 11), (1, 12), (0, 59), (1, 60))
CYCLES += ((1, 31), (1, 53), (1, 366), (0, 365), (0, 30), (0, 52))
"""First and last number of what repeats itself; months and years may end a little before."""

WHOLE = re.compile(r"[+-]?\d+(?:\.0*)?")


def part(name: str) -> str | None:
    """Return which part of a time a column is by its name; None if it is none.

    >>> part("Hour"), part("load")
    ('hour', None)
    """
    bare = re.sub(r"[\W_]", "", name.casefold())
    return next((each for each, names in PARTS.items() if bare in names.split()), None)


def time_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that tell a time together, the coarsest first; none if fewer than two do.

    >>> time_columns(["No", "year", "month", "day", "hour", "load"])
    ('year', 'month', 'day', 'hour')
    >>> time_columns(["date", "load"])
    ()
    """
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(part(name) or "", name)
    whole = next((each for each in WHOLES if all(one in found for one in each)), ())
    is_day = whole[-1:] in (("date",), ("day",))
    within = next((each for each in WITHIN if all(one in found for one in each)), ())
    if whole == ("date",) and "time" not in found and not within:
        return ()
    taken = (*whole, *(within if is_day else ()))
    return tuple(found[each] for each in taken) if len(taken) > 1 else ()


def joined(columns: Mapping[str, Sequence[str | None]]) -> list[str]:
    """Return the times that several columns tell together, as one column of cells.

    Args:
        columns: cells by the name of the column; see `time_columns`.

    Raises:
        UserError: they tell no time together.

    >>> joined({"year": ["2010", "2010"], "month": ["1", "Feb"], "day": ["2", "3.0"]})
    ['2010-01-02', '2010-02-03']
    >>> joined({"date": ["1/2/2010"], "hour": ["7"]}), joined({"year": ["1959"], "quarter": ["Q1"]})
    (['1/2/2010 07:00'], ['1959-Q1'])
    """
    by_part = {part(name): cells for name, cells in columns.items()}
    taken = time_columns(list(columns))
    if len(taken) != len(columns):
        raise UserError(
            f"the columns {', '.join(map(repr, columns))} tell no time together: expected such as "
            "year, month and day, or date and time"
        )
    names = [str(each) for each in by_part]
    return [
        _joined({name: (cell or "").strip() for name, cell in zip(names, cells, strict=True)})
        for cells in zip(*by_part.values(), strict=True)
    ]


def _joined(cells: Mapping[str, str]) -> str:
    """Return one time; it is empty if a part is."""
    if not all(cells.values()):
        return ""
    if "date" in cells:
        text = re.sub(r"[T ]0?0:00(:00(\.0+)?)?$", "", cells["date"])
        if re.search(r"\d[:h]\d", text):  # it has the time already
            return text
        if re.match(r"\d{4}\D\d|\d+\D\d+\D\d{4}", cells.get("time", "")):
            return cells["time"]
    else:
        text = _digits(cells["year"], 4)
        if "quarter" in cells:
            return f"{text}-Q{re.sub(r'^[Qq]', '', _digits(cells['quarter'], 1))}"
        if "week" in cells:
            return f"{text}-W{_digits(re.sub(r'^(?i:w|kw) ?', '', cells['week']), 2)}"
        if "month" in cells:
            text += f"-{_month(cells['month'])}"
        if "day" in cells:
            text += f"-{_digits(cells['day'], 2)}"
    time = _time(cells)
    return f"{text} {time}" if time else text


def _time(cells: Mapping[str, str]) -> str:
    if "time" in cells:
        time = cells["time"]
        digits = re.fullmatch(r"(\d{1,2})(\d\d)(?:\.0*)?", time)
        return f"{int(digits[1]):02}:{digits[2]}" if digits else time
    if "hour" not in cells or not WHOLE.fullmatch(cells["hour"]):
        return cells.get("hour", "")
    minute, second = (_digits(cells.get(each, "0"), 2) for each in ("minute", "second"))
    return f"{_digits(cells['hour'], 2)}:{minute}" + (f":{second}" if "second" in cells else "")


def _digits(cell: str, width: int) -> str:
    """Return a whole number with zeros before it; anything else as it is."""
    return f"{int(float(cell)):0{width}}" if WHOLE.fullmatch(cell) else cell


def _month(cell: str) -> str:
    if WHOLE.fullmatch(cell):
        return _digits(cell, 2)
    number = next(filter(None, (month(cell, language) for language in ("en", *LANGUAGES))), None)
    return cell if number is None else f"{number:02}"


def cyclic(values: Sequence[str | None]) -> bool:
    """Return whether a column repeats itself and so is no time: hours, months, weekdays by name.

    Args:
        values: cells in the order of the table, enough of them to show it.

    >>> cyclic([str(hour % 24) for hour in range(60)]), cyclic(["1", "2", "3"])
    (True, False)
    >>> cyclic(["Mon", "Tue"]), cyclic(["Jan", "Feb", "Mar"]), cyclic(["13:00", "14:00"])
    (True, True, True)
    """
    cells = [cell.strip() for cell in values if cell and cell.strip()]
    kinds = set(cells)
    if not cells:
        return False
    if len(kinds) <= 1440 and all(re.fullmatch(r"\d\d?:\d\d(:00)?", cell) for cell in kinds):
        return True
    if len(kinds) <= 60 and all(weekday(cell) is not None for cell in kinds):
        return True
    if len(kinds) <= 60 and any(
        all(month(cell, language) for cell in kinds) for language in ("en", *LANGUAGES)
    ):
        return True
    if len(kinds) > 367 or not all(WHOLE.fullmatch(cell) for cell in kinds):
        return False
    return _turns([int(float(cell)) for cell in cells])


def _turns(numbers: Sequence[int]) -> bool:
    """Return whether numbers begin again each time that they have come to an end."""
    array = numpy.array(numbers)
    steps = numpy.diff(array)
    if (steps < 0).sum() > (steps > 0).sum():
        array, steps = array[::-1], numpy.diff(array[::-1])
    falls = numpy.flatnonzero(steps < 0)
    if len(falls) == 0:
        return False
    ends, starts = array[falls], array[falls + 1]
    for first, last in CYCLES:
        slack = 5 if last in (30, 31) else 2 if last > 50 else 0
        slack += 2 if last > 12 else 0
        is_within = array.min() >= first and array.max() <= last
        if is_within and (ends >= last - slack).all() and (starts <= first + slack).all():
            return True
    return False
