"""Columns that are no part of a sequence: they tell records apart, or tell the class alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy
from numpy.typing import NDArray

from ..table.numerals import Numerals
from ..table.table import Table

if TYPE_CHECKING:
    import polars

NAMES = {
    "index": "a row number",
    "idx": "a row number",
    "row": "a row number",
    "rowid": "a row number",
    "no": "a row number",
    "nr": "a row number",
    "#": "a row number",
    "id": "an identifier",
    "uid": "an identifier",
    "uuid": "an identifier",
    "guid": "an identifier",
    "key": "an identifier",
    "fold": "a fold number",
    "split": "a part of the data",
    "partition": "a part of the data",
    "subset": "a part of the data",
    "time": "a time",
    "date": "a time",
    "datetime": "a time",
    "timestamp": "a time",
    "label": "another class",
    "labels": "another class",
    "class": "another class",
    "classes": "another class",
    "category": "another class",
    "target": "another class",
}
"""What columns of these names hold, whatever stands in them; also as the last word of a name."""

SPOKEN = 50
"""Columns beyond which a name alone leaves none out: x, y, id may then be numbers of a sequence."""

LEVELS = 1000
"""Different values of a column up to which each is asked which class it has."""

ALONE = 0.99
"""The share of records that a column by itself tells rightly from which on it is pointed out."""


def identifying(table: Table, names: Sequence[str], label: str) -> dict[str, str]:
    """Return which of some columns tell records apart, and why: row numbers, times, folds, ….

    Args:
        table: that is looked at, all of it.
        names: of the columns.
        label: of the column of the class.
    """
    found: dict[str, str] = {}
    watches = {name: _Watch() for name in names if table.columns.count(name) == 1}
    places = {name: table.column(name) for name in watches}
    numerals = Numerals.of(table.format)
    for frame in table.frames(list(places.values())):
        for name, watch in watches.items():
            cells = frame[str(places[name])]
            watch.see(cells, numerals.read(cells).values)
    for name, watch in watches.items():
        is_unnamed = table.format.header and name == str(places[name] + 1) and watch.counts
        why = "a row number" if is_unnamed else _why(name, len(names), watch)
        if why:
            found[name] = why
    numbers = [name for name, watch in watches.items() if watch.numbers and name not in found]
    if len(numbers) >= len(names) / 2:  # what is read are numbers
        others = {name: watch for name, watch in watches.items() if not watch.numbers}
        found |= {name: "an identifier" for name, watch in others.items() if watch.differs}
    return found


def _why(name: str, count: int, watch: _Watch) -> str | None:
    """Return what a column holds that tells records apart; None for what may be read."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    words = re.split(r"[\s_.:-]+", words.removeprefix("unnamed: ").strip())
    if name.lower().startswith("unnamed"):
        return "a row number"
    known = NAMES.get(words[-1])
    if known and (count <= SPOKEN or watch.rises):
        return known
    if watch.counts and watch.length >= COUNTED:
        return "a row number"
    return "a time" if watch.dated else None


COUNTED = 10
"""Records from which on a column that counts them is no chance."""

DATE = r"^\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([T ].*)?$"


@final
class _Watch:
    """A column, chunk by chunk.

    Attributes:
        length: how many records there are.
        numbers: whether some cells are numbers.
        counts, rises: whether each is one more than the one before, or more.
        dated: whether all cells hold dates.
        differs: whether no two cells of a chunk are the same.
    """

    def __init__(self) -> None:
        self.length, self.numbers = 0, False
        self.counts = self.rises = self.dated = self.differs = True
        self._last: float | None = None

    def see(self, cells: polars.Series, values: NDArray[Any]) -> None:
        """Look at the next chunk."""
        steps = numpy.diff(values, prepend=[] if self._last is None else [self._last])
        self.numbers = self.numbers or bool(numpy.isfinite(values).any())
        self.counts = self.counts and self.numbers and bool((steps == 1).all())
        self.rises = self.rises and self.numbers and bool((steps > 0).all())
        self.dated = self.dated and bool(cells.str.contains(DATE).fill_null(False).all())
        self.differs = self.differs and cells.n_unique() == len(cells)
        self.length += len(values)
        self._last = float(values[-1]) if len(values) else self._last


def telling(columns: Iterable[tuple[str, NDArray[Any]]], targets: NDArray[Any]) -> list[str]:
    """Return the columns that tell the class by themselves, by their names.

    Args:
        columns: names and numbers, (N,).
        targets: the class of each record, (N,).

    >>> same = numpy.arange(40) % 2
    >>> telling([("copy", same * 2.0), ("noise", numpy.arange(40.0))], same)
    ['copy']
    """
    most = Counter(targets.tolist()).most_common(1)[0][1] / max(len(targets), 1)
    return [
        name
        for name, values in columns
        if most < ALONE and _right(values, targets) >= max(ALONE, (1 + most) / 2)
    ]


def _right(values: NDArray[Any], targets: NDArray[Any]) -> float:
    """Return the share of records that have the usual class of their value."""
    levels, places = numpy.unique(values, return_inverse=True)
    if len(levels) > min(LEVELS, len(values) / 4):
        return 0.0
    pairs = Counter(zip(places.tolist(), targets.tolist(), strict=True))
    best: dict[int, int] = {}
    for (level, _), number in pairs.items():
        best[level] = max(best.get(level, 0), number)
    return sum(best.values()) / len(values)
