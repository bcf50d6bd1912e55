"""Refusals of cells that hold no time, or no time as the others do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn, final

from ....display import short
from ....errors import UserError

_TOTALS = """
    total totals subtotal sum mean average avg summe gesamt insgesamt mittelwert totale somme
    moyenne suma media totaal som итого всего 合计 总计 小计 平均 均值 总和
"""
TOTALS = frozenset(_TOTALS.split())
"""What a row of totals calls itself, as the first or last word of the cell."""

NAMED_ZONES = re.compile(r"\b(?:[A-Z]{3,5}|[A-Z][a-z]+/[A-Z][A-Za-z_]+)\]?$")


@final
@dataclass(frozen=True)
class Place:
    """Cells of a column, and where they stand.

    Attributes:
        name: of the column.
        values: the cells.
        rows: their lines in the file; None: they are counted, from 1.
        before: how many cells stand before them.
    """

    name: str
    values: Sequence[str | None]
    rows: Sequence[int] | None = None
    before: int = 0

    def where(self, index: int) -> str:
        """Return a cell's place in words."""
        if self.rows is not None:
            return f"{self.name}, line {self.rows[index]}"
        return f"{self.name}, row {self.before + index + 1}"


def is_total(cell: str | None) -> bool:
    """Return whether a cell calls its row one of totals.

    >>> is_total("Grand Total"), is_total("2020"), is_total(None)
    (True, False, False)
    """
    words = re.findall(r"[^\W\d_]+", (cell or "").casefold())
    return bool(words) and bool(TOTALS & {words[0], words[-1]})


def refuse_cell(place: Place, index: int, expected: str, is_other: bool = False) -> NoReturn:
    """Raise an error that names a cell, what is wrong with it, and what can be done.

    Args:
        place: of the cells.
        index: of the one that is refused.
        expected: what should stand there, or a cell that is as it should be.
        is_other: whether ``expected`` is how the other cells are.
    """
    cell = (place.values[index] or "").strip()
    raise UserError(f"{place.where(index)}: {_reason(cell, expected, is_other)}")


def _reason(cell: str, expected: str, is_other: bool) -> str:
    quoted = repr(short(cell, 60))
    if not cell:
        return "the time is empty: fill it in, or remove the row if it is a total or a remark"
    if is_total(cell):
        return f"{quoted} is no time: a row of totals is no step of the series; remove it"
    if re.fullmatch(r"\d\d?:\d\d(:\d\d)?(\.\d+)?( ?[AaPp]\.?[Mm]\.?)?", cell):
        return f"{quoted} is a time of day without a date: expected the date in the same cell"
    if NAMED_ZONES.search(cell) and re.match(r"\d", cell) and "/" in cell + "/" and ":" in cell:
        return f"{quoted} names a time zone: write its offset from UTC, such as +01:00"
    if is_other:
        return (
            f"{quoted} does not fit the others ({expected}): correct it, or write all times in "
            "one form"
        )
    return (
        f"{quoted} is not {expected}: tell how times are spelled by --date-format, or say --time "
        "none if the column is no time"
    )


def refuse_day(place: Place, index: int) -> NoReturn:
    """Raise an error that names a cell with a day that is in no calendar."""
    cell = short((place.values[index] or "").strip(), 60)
    raise UserError(f"{place.where(index)}: {cell!r}: there is no such day; correct it")
