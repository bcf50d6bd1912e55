"""Recognition of the form of times from all cells of a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any, final

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from .counting import EPOCHS, FORMATS, NUMBER, Counting
from .form import Form, Unit, bare, instants, iso, offset_of
from .month_names import languages, month
from .refusals import Place, refuse_cell, refuse_day
from .spelling import DAY, UNITS, Group, Layout, Times, grouped, layouts, spelled

MOSTLY = 0.9
"""The share of cells that makes digits a date: the others are slips, not plain numbers."""

UNSURE = (30, 68)
"""Years of two digits that are of either century: Excel and POSIX differ here."""


@dataclass
class _Candidate:
    """One way to read the column, and what speaks for and against it."""

    unit: int = 0
    fits: int = 0
    unfit: tuple[Place, int] | None = None
    impossible: tuple[Place, int] | None = None
    unsure: str = ""
    is_timed: bool = False
    first: str = ""
    telling: str = ""
    without: tuple[Place, int] | None = None
    zones: int = 0
    latest: tuple[int, str] = (-(2**63), "")
    last: int | None = None
    rises: int = 0
    falls: int = 0

    def add(
        self, place: Place, parts: Sequence[tuple[Group, Layout]], language: str
    ) -> NDArray[Any]:
        """Return the moments of the next cells, read as far as this way can; else 0."""
        count = len(place.values)
        fits, moments = numpy.zeros(count, bool), numpy.zeros(count, "int64")
        for group, layout in parts:
            times = layout.times(group.codes, language)
            self._note(place, group, layout, times)
            fits[group.places] = ~times.wrong
            moments[group.places] = instants(times)
        self.fits += int(fits.sum())
        if not fits.all() and self.unfit is None:
            self.unfit = place, int(fits.argmin())
        if fits.any():
            self.first = self.first or str(place.values[int(fits.argmax())]).strip()
            self._follow(moments[fits])
        return moments

    def _follow(self, moments: NDArray[Any]) -> None:
        """Count where the time rises and falls."""
        before = moments[0] if self.last is None else self.last
        steps = numpy.diff(moments, prepend=before)
        self.rises += int((steps > 0).sum())
        self.falls += int((steps < 0).sum())
        self.last = int(moments[-1])

    def _note(self, place: Place, group: Group, layout: Layout, times: Times) -> None:
        self.unit = max(self.unit, UNITS.index(layout.unit))
        if times.impossible.any() and self.impossible is None:
            self.impossible = place, int(group.places[times.impossible.argmax()])
        fine = ~times.wrong
        if not fine.any():
            return
        self.is_timed |= bool((times.moments[fine] % DAY != 0).any())
        if layout.zone:
            self.zones += int(fine.sum())
            moments = numpy.where(fine, instants(times), self.latest[0])
            place_of = int(moments.argmax())
            if moments[place_of] > self.latest[0] and times.offsets is not None:
                text = "Z" if layout.zone == "Z" else offset_of(int(times.offsets[place_of]))
                self.latest = int(moments[place_of]), text
        elif self.without is None:
            self.without = place, int(group.places[0])
        short = layout.years(group.codes)
        if short is not None:
            unsure = fine & (short >= UNSURE[0]) & (short <= UNSURE[1])
            if unsure.any() and not self.unsure:
                self.unsure = str(place.values[int(group.places[unsure.argmax()])]).strip()


@final
class Recogniser:
    """What a column's cells say of how their times are spelled: all of them are looked at.

    Args:
        date_format: that is told; None: it is found out.
        name: of the column, for messages.

    >>> recogniser = Recogniser(None, "day")
    >>> for chunk in (["01/02/2020", "02/02/2020"], ["13/02/2020"]):
    ...     recogniser.see(chunk)
    >>> recogniser.form().format
    '%d/%m/%Y'

    Raises:
        UserError: the format is none.
    """

    def __init__(self, date_format: str | None, name: str) -> None:
        self.name, self.told, self.count = name, date_format, 0
        if date_format is not None and date_format not in FORMATS:
            try:
                self.told = spelled(date_format)
            except ValueError as error:
                raise UserError(
                    f"--date-format {date_format}: {error}; expected one such as %d/%m/%Y, or "
                    f"{', '.join(FORMATS[:7])}"
                ) from None
        self._candidates: dict[str, _Candidate] = {}
        self._counting: Counting | None = Counting()
        self._words: set[str] = set()
        self._languages = ["en"]

    def see(self, values: Sequence[str | None], rows: Sequence[int] | None = None) -> None:
        """Look at the next cells.

        Args:
            values: the cells.
            rows: their lines in the file, for messages.

        Raises:
            UserError: a cell is empty, or no time.
        """
        place = Place(self.name, values, rows, self.count)
        cells = bare(place)
        if not cells:
            return
        ways: dict[str, list[tuple[Group, Layout]]] = {}
        numbers = True
        for group in grouped(cells):
            is_number = bool(NUMBER.fullmatch(group.skeleton))
            numbers = numbers and is_number
            found = [] if self.told in FORMATS else layouts(group.skeleton, self.told)
            found = [layout for layout in found if self._knows(layout)]
            if not found and not (is_number and self.told in (None, *FORMATS)):
                expected = self.told or self._first() or "a time"
                refuse_cell(place, int(group.places[0]), expected, bool(self.count))
            for layout in found:
                ways.setdefault(layout.format, []).append((group, layout))
        if not numbers:
            self._counting = None
        if self._counting is not None:
            self._counting.see(cells)
        if self.count == 0:
            self._candidates = {name: _Candidate() for name in ways}
        first: NDArray[Any] | None = None
        for name, candidate in self._candidates.items():
            moments = candidate.add(place, ways.get(name, []), self._languages[0])
            first = moments if first is None else first
            if not candidate.telling and (moments != first).any():
                candidate.telling = cells[int((moments != first).argmax())]
        if (
            self._counting is None
            and self.count
            and not any(candidate.fits for candidate in self._candidates.values())
        ):
            refuse_cell(place, 0, "times as they stand before")
        self.count += len(cells)

    def form(self) -> Form:
        """Return how the times are spelled.

        Raises:
            UserError: they can be read in two ways, differ from each other, or name no day.
        """
        if self.count == 0:
            raise UserError(f"{self.name}: there are no times")
        fit = [name for name, each in self._candidates.items() if each.fits == self.count]
        if not fit:
            usual = max(self._candidates, key=lambda name: self._candidates[name].fits, default="")
            candidate = self._candidates.get(usual, _Candidate())
            if self._counting is not None and candidate.fits < MOSTLY * self.count:
                return self._counted(self._counting)
            assert candidate.unfit is not None
            expected = candidate.first or self.told or "a time"
            refuse_cell(*candidate.unfit, expected, bool(candidate.first))
        name = fit[0] if len(fit) == 1 else self._decided(fit)
        return self._formed(name, self._candidates[name])

    def _counted(self, counting: Counting) -> Form:
        how = self.told if self.told is not None else counting.format(self.name)
        if how == "number":
            return Form(how, "number", decimals=min(counting.decimals, 9))
        units: dict[str, Unit] = {"year": "year", "year/4": "quarter", "excel": "day"}
        unit = units.get(how, "month")
        if how in EPOCHS:
            is_whole = counting.is_whole(86_400 * EPOCHS[how])
            fine: Unit = "second" if counting.is_whole(EPOCHS[how]) else "microsecond"
            return Form(how, "day" if is_whole else fine, "Z")
        if how == "excel" and counting.decimals:
            unit = "second"
        return Form(how, unit)

    def _formed(self, name: str, candidate: _Candidate) -> Form:
        if candidate.impossible is not None:
            refuse_day(*candidate.impossible)
        if candidate.zones and candidate.without is not None:
            refuse_cell(*candidate.without, "an offset from UTC, as other cells have one", True)
        if candidate.unsure and self.told is None:
            raise UserError(
                f"{self.name}: the century of {candidate.unsure!r} cannot be told: write years "
                f"with four digits, or say --date-format {quote(name)}, which takes 69 to 99 as "
                "1969 to 1999 and all others as 2000 to 2068"
            )
        unit = UNITS[candidate.unit]
        if unit in ("minute", "second", "microsecond") and not candidate.is_timed:
            unit = "day" if not candidate.zones else unit
        return Form(name, unit, candidate.latest[1], self._language())

    def _language(self) -> str:
        for word in sorted(self._words):
            numbers = {month(word, language) for language in self._languages}
            if len(numbers) > 1:
                raise UserError(
                    f"{self.name}: {word!r} is another month in another language "
                    f"({', '.join(self._languages)}): write months as numbers"
                )
        return self._languages[0]

    def _knows(self, layout: Layout) -> bool:
        """Return whether a layout's month has a name in a language that knows all before it."""
        word = layout.words.get("B")
        if word is None or word in self._words:
            return True
        found = languages([*self._words, word])
        if found:
            self._words.add(word)
            self._languages = found
        return bool(found)

    def _first(self) -> str:
        return next((each.first for each in self._candidates.values() if each.first), "")

    def _decided(self, fit: Sequence[str]) -> str:
        """Return the one of several ways that is meant.

        Raises:
            UserError: that cannot be told.
        """
        best = min(map(_rank, fit))
        fit = [name for name in fit if _rank(name) == best]
        if len(fit) > 1 and any(name.startswith("%y") for name in fit):
            ordered = [name for name in fit if not self._is_mixed(name)]
            fit = ordered or fit
        telling = next(filter(None, (self._candidates[name].telling for name in fit)), "")
        if len(fit) == 1 or not telling:
            return fit[0]
        ways = list(self._readings(fit, telling))
        raise UserError(
            f"{self.name}: {telling!r} can be read in {len(fit)} ways: "
            + ", or ".join(f"{day}: --date-format {quote(name)}" for day, name in ways)
        )

    def _is_mixed(self, name: str) -> bool:
        candidate = self._candidates[name]
        return min(candidate.rises, candidate.falls) > 0

    def _readings(self, fit: Sequence[str], cell: str) -> Iterator[tuple[str, str]]:
        """Give what a cell may mean, with the format of each."""
        for group in grouped([cell]):
            for name in fit:
                for layout in layouts(group.skeleton, name):
                    times = layout.times(group.codes, self._languages[0])
                    yield iso(int(times.moments[0]), "day"), name


def _rank(name: str) -> int:
    """Return how unusual a spelling is where the cells do not tell: 0 is taken before 1."""
    is_first = name not in ("%m.%d.%Y", "%m.%d.%y", "%d%m%Y", "%m%d%Y", "%Y%j")
    return 0 if is_first and not (name[:2] == "%y" and name[2] in "/ ") else 1


def recognise(
    sample: Sequence[str | None],
    date_format: str | None,
    name: str,
    rows: Sequence[int] | None = None,
) -> Form:
    """Return how the times of a column are spelled: `Recogniser` takes it chunk by chunk.

    Args:
        sample: all cells of the column; what is left out cannot decide.
        date_format: that is told; None: it is found out.
        name: of the column, for messages.
        rows: their lines in the file, for messages.

    Raises:
        UserError: a cell is no time, or it can be read in two ways; the message says which option
            decides.

    >>> recognise(["1959Q1", "1959Q2"], None, "quarter").unit
    'quarter'
    """
    recogniser = Recogniser(date_format, name)
    recogniser.see(sample, rows)
    return recogniser.form()
