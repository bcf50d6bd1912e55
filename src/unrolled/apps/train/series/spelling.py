"""Spellings of dates: formats as strptime has them, and what they read in many cells at once.

Cells whose digits stand in the same places are read together: a format is matched once against
their skeleton, which has 0 for every digit, and the digits are then columns of an array.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple, final

import numpy
from numpy.typing import NDArray

from .month_names import month, weekday

LONGEST = 80
"""Letters of a cell that is read as a date, at most."""

SECOND = 1_000_000
"""Microseconds."""
DAY = 86_400 * SECOND
"""Microseconds, where no summer time begins or ends."""

UNITS = ("year", "quarter", "month", "week", "day", "minute", "second", "microsecond")
"""How finely a date tells a time."""

LETTERS = r"[^\W\d_]+\.?"
ZONE = (
    r"(?P<zone>[Zz]|(?:UTC|GMT)?(?P<sign>[-+\u2212])(?P<zone_hour>\d\d?)(?::?(?P<zone_minute>\d\d))?"
    r"|UTC|GMT)"
)
HALF = r"(?P<half>[AaPp]\.?[Mm]\.?)"
TIME = (
    r"(?:(?:[Tt]|[ _]+|, ?| ?[:-] ?)(?:"
    r"(?P<H>\d\d?)(?:[:.h](?P<M>\d\d)(?::(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?)?)?"
    r"|(?P<H2>\d\d)(?P<M2>\d\d)(?P<S2>\d\d)?)"
    rf"(?: ?{HALF})?(?: ?{ZONE})?)?"
)
DIRECTIVES = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d\d)",
    "m": r"(?P<m>\d\d?)",
    "d": r"(?P<d>\d\d?)(?:st|nd|rd|th)?",
    "H": r"(?P<H>\d\d?)",
    "I": r"(?P<H>\d\d?)",
    "M": r"(?P<M>\d\d?)",
    "S": r"(?P<S>\d\d?)",
    "f": r"(?P<f>\d{1,9})",
    "p": HALF,
    "b": rf"(?P<B>{LETTERS})",
    "a": rf"(?P<a>{LETTERS})",
    "z": ZONE,
    "Z": ZONE,
    "j": r"(?P<j>\d{3})",
    "q": r"(?P<q>\d)",
    "G": r"(?P<G>\d{4})",
    "V": r"(?P<V>\d\d?)",
    "u": r"(?P<u>\d)",
    "%": "%",
}
"""Regular expressions of directives: those of strptime, and %q for a quarter."""

SAME = {"B": "%b", "h": "%b", "A": "%a", "e": "%d", "F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M"}

SPELLED = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "hh": "%H", "mm": "%M", "ss": "%S"}
SPELLED |= {"yyyy": "%Y", "dd": "%d", "YY": "%y", "yy": "%y", "MMM": "%b"}


@cache
def formats() -> tuple[str, ...]:
    """Return the formats that are understood without being told."""
    found = ["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y %m %d", "%Y年%m月%d日", "%Y%m%d"]
    for order in ("%d_%m_%Y", "%m_%d_%Y", "%d_%m_%y", "%m_%d_%y", "%y_%m_%d"):
        found += [order.replace("_", sign) for sign in "/-. "]
    found += ["%d%m%Y", "%m%d%Y", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S", "%Y%m%dT%H%M%S"]
    for year in "%Y", "%y":
        for sign in (" ", "-", "/", ""):
            found.append(f"%d{sign}%b{sign}{year}")
            found.append(f"%b{sign}{year}")
    found += ["%d. %b %Y", "%d.%b.%Y", "%d de %b de %Y", "%b %d, %Y", "%b %d,%Y", "%b %d %Y"]
    found += ["%Y-%b-%d", "%Y %b %d", "%Y/%b/%d", "%b, %Y", "%Y %b", "%Y-%b", "%Y/%b", "%Y%b"]
    found += ["%b %d %H:%M:%S %Y", "%d %b, %Y"]
    found += ["%Y-%m", "%Y/%m", "%Y%m", "%YM%m", "%Ym%m", "%Y-M%m", "%Y M%m", "%YM%m"]
    found += ["%m/%Y", "%m-%Y", "%m.%Y", "%Y年%m月", "%Y:%m"]
    found += [
        "%YQ%q",
        "%Y-Q%q",
        "%Y Q%q",
        "%Y:Q%q",
        "%Y/Q%q",
        "%Yq%q",
        "Q%q %Y",
        "Q%q-%Y",
        "Q%q/%Y",
    ]
    found += ["Q%q%Y", "%qQ%Y", "%q. Quartal %Y", "%Y年第%q季度", "%Y年%q季度"]
    found += ["%G-W%V", "%GW%V", "%G W%V", "%G-W%V-%u", "%GW%V%u", "%Y-%j", "%Y%j", "%Y年"]
    return tuple(dict.fromkeys(found))


def spelled(date_format: str) -> str:
    """Return a format as strptime has it: what is told as DD/MM/YYYY too.

    Raises:
        ValueError: a directive is not known, or the year is left out.

    >>> spelled("DD/MM/YYYY hh:mm"), spelled("%d-%B-%Y")
    ('%d/%m/%Y %H:%M', '%d-%b-%Y')
    """
    if "%" not in date_format:
        letters = sorted(SPELLED, key=len, reverse=True)
        date_format = re.sub("|".join(letters), lambda it: SPELLED[it[0]], date_format)
    date_format = re.sub("%(.)", lambda it: SAME.get(it[1], it[0]), date_format)
    for directive in re.findall("%(.)", date_format):
        if directive not in DIRECTIVES:
            raise ValueError(f"%{directive} is not known")
    if not re.search("%[YyG]", date_format):
        raise ValueError("it has no year (%Y)")
    return date_format


@cache
def _pattern(date_format: str) -> re.Pattern[str]:
    """Return the regular expression of a format, with a weekday before and a time after a day."""
    parts = re.findall("%.|[^%]+", date_format)
    found, previous = [], ""
    for place, part in enumerate(parts):
        following = parts[place + 1] if place + 1 < len(parts) else ""
        if part[0] != "%":
            found.append(re.sub(r"(?:\\ )+", " +", re.escape(re.sub("[0-9]", "0", part))))
        else:
            pattern = DIRECTIVES[part[1]]
            if previous[-1:] not in ("b", "a") and previous.startswith("%"):
                pattern = pattern.replace(r"\d\d?", r"\d\d")
            if following.startswith("%") and following[-1] not in ("b", "a"):
                pattern = pattern.replace(r"\d\d?", r"\d\d").replace("(?:st|nd|rd|th)?", "")
            found.append(pattern)
        previous = part
    prefix = "" if "%a" in date_format else rf"(?:(?P<a>{LETTERS}),? +)?"
    suffix = TIME if re.search("%[dju]", date_format) and "%H" not in date_format else ""
    whole = prefix + "".join(found) + (suffix if "%I" not in date_format else "")
    return re.compile(re.sub(r"(?<!W)\\d", "0", whole))


class Times(NamedTuple):
    """Cells as times.

    Attributes:
        moments: of the local wall time, int64, (n,), in microseconds since 1970.
        offsets: of the wall time from UTC, in minutes, (n,); None if it is not told.
        wrong: bool, (n,): a number is out of its range, such as a month 13.
        impossible: bool, (n,): all numbers are in their ranges, but there is no such day.
    """

    moments: NDArray[Any]
    offsets: NDArray[Any] | None
    wrong: NDArray[Any]
    impossible: NDArray[Any]


@final
@dataclass(frozen=True)
class Layout:
    """A format and where its parts stand in cells of one skeleton.

    Attributes:
        format: as strptime has it.
        spans: by part, where its digits or letters begin and end.
        words: by part, what stands there in all of them.
    """

    format: str
    spans: dict[str, tuple[int, int]]
    words: dict[str, str]

    @property
    def unit(self) -> str:
        """How finely it tells a time: one of `UNITS`."""
        parts = ("f", "microsecond"), ("S", "second"), ("H", "minute"), ("d", "day"), ("j", "day")
        parts += ("u", "day"), ("V", "week"), ("m", "month"), ("B", "month"), ("q", "quarter")
        return next((unit for part, unit in parts if part in self.spans), "year")

    @property
    def zone(self) -> str:
        """``Z`` where the time is said to be UTC, ``+`` where an offset is told, else empty."""
        if "zone" not in self.words:
            return ""
        return "+" if "sign" in self.words else "Z"

    def years(self, codes: NDArray[Any]) -> NDArray[Any] | None:
        """Return the years of two digits, (n,); None where there are four."""
        return self._number(codes, "y", 0) if "y" in self.spans else None

    def times(self, codes: NDArray[Any], language: str) -> Times:
        """Return the times in cells of this skeleton.

        Args:
            codes: of the letters, (n, width).
            language: of the names of months.
        """
        if "y" in self.spans:
            short = self._number(codes, "y", 0)
            year = short + numpy.where(short < 69, 2000, 1900)
        else:
            year = self._number(codes, "G" if "G" in self.spans else "Y", 1970)
        days, wrong, impossible = self._days(codes, year, language)
        time, wrong_time = self._time(codes)
        offsets = None
        if self.zone:
            hour, minute = (self._number(codes, f"zone_{part}", 0) for part in ("hour", "minute"))
            offsets = (60 * hour + minute) * (-1 if self.words.get("sign") in ("-", "−") else 1)
            wrong_time = wrong_time | (hour > 15) | (minute > 59)
        least, most = _years(self.format)
        wrong = wrong | wrong_time | (year < least) | (year > most)
        return Times(days * DAY + time, offsets, wrong, impossible & ~wrong)

    def _number(self, codes: NDArray[Any], part: str, default: int) -> NDArray[Any]:
        first, end = self.spans.get(part, (0, 0))
        if first == end:
            return numpy.full(len(codes), default, "int64")
        powers = 10 ** numpy.arange(end - first - 1, -1, -1, dtype="int64")
        return (codes[:, first:end].astype("int64") - 48) @ powers

    def _days(
        self, codes: NDArray[Any], year: NDArray[Any], language: str
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return the days since 1970, and which of them are wrong and which impossible."""
        if "V" in self.spans:
            week, day = self._number(codes, "V", 1), self._number(codes, "u", 1)
            wrong = (week < 1) | (week > 53) | (day < 1) | (day > 7)
            monday = monday_of(days_of(year, 1, 4)) + 7 * (week - 1)
            return monday + day - 1, wrong, year_of(monday + 3) != year
        if "j" in self.spans:
            day = self._number(codes, "j", 1)
            days = days_of(year, 1, 1) + day - 1
            return days, (day < 1) | (day > 366), year_of(days) != year
        if "q" in self.spans:
            quarter = self._number(codes, "q", 1)
            wrong = (quarter < 1) | (quarter > 4)
            return days_of(year, 3 * quarter - 2, 1), wrong, numpy.zeros(len(codes), bool)
        if "B" in self.spans:
            number = numpy.full(len(codes), month(self.words["B"], language) or 0)
        else:
            number = self._number(codes, "m", 1)
        day = self._number(codes, "d", 1)
        wrong = (number < 1) | (number > 12) | (day < 1) | (day > 31)
        first = days_of(year, numpy.clip(number, 1, 12), 1)
        following = days_of(year, numpy.clip(number, 1, 12) + 1, 1)
        return first + day - 1, wrong, first + day > following

    def _time(self, codes: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the time of the day in microseconds, and where it is wrong."""
        hour, minute, second = (self._number(codes, part, 0) for part in "HMS")
        wrong = (hour > 24) | (minute > 59) | (second > 59)
        if "half" in self.words:
            wrong |= (hour < 1) | (hour > 12)
            hour = hour % 12 + 12 * (self.words["half"][0] in "Pp")
        first, end = self.spans.get("f", (0, 0))
        fraction = self._number(codes, "f", 0) * 10 ** max(6 - (end - first), 0)
        fraction //= 10 ** max(end - first - 6, 0)
        time = ((60 * hour + minute) * 60 + second) * SECOND + fraction
        return time, wrong | (time > DAY)


def _years(date_format: str) -> tuple[int, int]:
    """Return between which years a format's are: digits without signs may be any number."""
    if re.fullmatch("(?:%[Ymdj])+", date_format):
        return (1500, 2200) if date_format in ("%Y%m%d", "%Y%m") else (1900, 2100)
    return (1900, 2100) if re.fullmatch("(?:%[YmdHMS])+", date_format) else (1, 9999)


def layouts(skeleton: str, told: str | None = None) -> list[Layout]:
    """Return the layouts that fit cells of a skeleton: those of a format that is told, or of all.

    >>> [layout.format for layout in layouts("00/00/0000")]
    ['%d/%m/%Y', '%m/%d/%Y']
    """
    found = []
    for date_format in formats() if told is None else (told,):
        match = _pattern(date_format).fullmatch(skeleton)
        if match is None:
            continue
        words = {part: text for part, text in match.groupdict().items() if text is not None}
        if "a" in words and weekday(words["a"]) is None:
            continue
        spans = {part.rstrip("2"): match.span(part) for part in words}
        kept = {part: words[part] for part in ("B", "half", "zone", "sign") if part in words}
        found.append(Layout(date_format, spans, kept))
    return found


class Group(NamedTuple):
    """Cells of one skeleton.

    Attributes:
        skeleton: with 0 for every digit.
        places: of the cells, int64, (n,).
        codes: of their letters, (n, width).
    """

    skeleton: str
    places: NDArray[Any]
    codes: NDArray[Any]


def grouped(cells: Sequence[str]) -> Iterator[Group]:
    """Give cells by their skeletons, in the order of the first of each.

    >>> [(group.skeleton, group.places.tolist()) for group in grouped(["1 Jan", "2 Jan", "10"])]
    [('0 Jan', [0, 1]), ('00', [2])]
    """
    if not cells:
        return
    width = min(max(map(len, cells)), LONGEST + 1) or 1
    codes = numpy.array(cells, f"U{width}").view("uint32").reshape(len(cells), width)
    skeletons = numpy.where((codes >= 48) & (codes <= 57), numpy.uint32(48), codes)
    if (skeletons == skeletons[0]).all():
        yield Group(_text(skeletons[0]), numpy.arange(len(cells)), codes)
        return
    texts = numpy.ascontiguousarray(skeletons).view(f"U{width}").ravel()
    names, first, inverse = numpy.unique(texts, return_index=True, return_inverse=True)
    order = numpy.argsort(inverse, kind="stable")
    ends = numpy.cumsum(numpy.bincount(inverse, minlength=len(names)))
    for which in numpy.argsort(first):
        start = 0 if which == 0 else ends[which - 1]
        places = order[start : ends[which]]
        yield Group(str(names[which]), places, codes[places])


def _text(codes: NDArray[Any]) -> str:
    return "".join(map(chr, codes)).rstrip("\0")


def days_of(year: Any, number: Any, day: Any) -> NDArray[Any]:
    """Return days since 1970 of days of months; a month 13 is the first of the next year."""
    months = (numpy.asarray(year, "int64") - 1970) * 12 + number - 1
    return months.astype("M8[M]").astype("M8[D]").astype("int64") + day - 1


def monday_of(days: NDArray[Any]) -> NDArray[Any]:
    """Return the Mondays of the weeks of days since 1970."""
    return days - (days + 3) % 7


def year_of(days: NDArray[Any]) -> NDArray[Any]:
    """Return the years of days since 1970."""
    return numpy.asarray(days, "int64").astype("M8[D]").astype("M8[Y]").astype("int64") + 1970
