"""Which columns of a table hold the sequence and the class."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import islice
from typing import NamedTuple

from ....errors import UserError
from ..table.numerals import Numerals, is_listed
from ..table.table import Cell, Table
from .identifying import identifying
from .reading import Cells

LABELS = ("label", "class", "category", "target", "y", "digit", "species", "sentiment", "language")
SEQUENCES = ("sequence", "text", "sentence", "review", "message", "content", "x", "name")
LOOKED_AT = 200
"""How many records a guess looks at."""


class Chosen(NamedTuple):
    """The columns that are read.

    Attributes:
        cells: of the sequence.
        label: of the class.
        left_out: columns that are part of neither because they tell records apart: name and why.
    """

    cells: Cells
    label: str
    left_out: dict[str, str]


def choose(table: Table, sequence: list[str], label: str | None, step: int) -> Chosen:
    """Return the columns of the sequence and of the class; what is not named is guessed.

    The class: a column with a usual name, else the last one, or the first if the table has no
    header and only that one holds few different values. The sequence: all others that hold numbers,
    if all do, but for those that tell records apart; else a column with a usual name, else the one
    with the longest texts.

    Args:
        table: that is looked at.
        sequence: names of columns; ``*`` and ``?`` stand for any characters.
        label: the column of the class.
        step: how many numbers make a step, where each has a column of its own.

    Raises:
        UserError: there is no such column, or nothing to guess from.
    """
    if step < 1:
        raise UserError(f"--step must be at least 1, not {step}")
    if len(table) == 0:
        raise UserError(f"{table.name} has a header, but no records")
    some = [record.values for record in islice(table, LOOKED_AT)]
    label = _label(table, sequence, some) if label is None else label
    table.column(label)  # says so if there is none
    left_out: dict[str, str] = {}
    names = list(_named(table, sequence)) if sequence else []
    if not names:
        names, left_out = _guessed(table, label, some)
    if label in names:
        raise UserError(f"the column {label!r} cannot be both the class and part of the sequence")
    if len(names) % step:
        without = ", ".join(f"{name!r}, {why}" for name, why in left_out.items())
        hint = f"; left out: {without}; --sequence names those to read" if without else ""
        raise UserError(f"{len(names)} columns cannot be divided into steps of --step {step}{hint}")
    if len(names) > 1:
        return Chosen(Cells(tuple(names), False, step), label, left_out)
    cells = _column(table, names[0], some)
    is_text = not _are_lists(cells, Numerals.of(table.format))
    return Chosen(Cells(tuple(names), is_text, 1), label, left_out)


def by_words(texts: list[str]) -> bool:
    """Return whether texts are better read word by word: they have five or more on average."""
    return sum(len(text.split()) for text in texts) >= 5 * len(texts)


def _column(table: Table, name: str, some: Sequence[Sequence[Cell]]) -> list[Cell]:
    place = table.column(name)
    return [values[place] for values in some]


def _label(table: Table, sequence: list[str], some: Sequence[Sequence[Cell]]) -> str:
    lower = [name.lower() for name in table.columns]
    for usual in LABELS:
        if usual in lower and table.columns[lower.index(usual)] not in sequence:
            return table.columns[lower.index(usual)]
    if len(table.columns) == 1:
        raise UserError(
            f"{table.name} has one column, {', '.join(table.columns)!r}: a sequence and a class "
            "are expected in columns of their own"
        )
    first, last = table.columns[0], table.columns[-1]
    if not table.format.header and _is_class(_column(table, first, some)):
        return last if _is_class(_column(table, last, some)) else first
    return last


def _is_class(cells: Sequence[Cell]) -> bool:
    """Return whether a column holds few different values, none of them with decimals."""
    there = [cell.strip() for cell in cells if cell]
    numerals = Numerals()
    numbers = [numerals.number(cell) for cell in there]
    whole = all(number is None or number.is_integer() for number in numbers)
    return whole and 1 < len(set(there)) <= max(2, len(there) // 2)


def _named(table: Table, patterns: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for pattern in patterns:
        matching = [name for name in table.columns if fnmatchcase(name, pattern)]
        if pattern in table.columns or not matching:
            matching = [table.columns[table.column(pattern)]]
        found += [name for name in matching if name not in found]
    return tuple(found)


def _guessed(
    table: Table, label: str, some: Sequence[Sequence[Cell]]
) -> tuple[list[str], dict[str, str]]:
    others = [name for name in table.columns if name != label]
    cells = {name: _column(table, name, some) for name in others}
    numerals = Numerals.of(table.format)
    left_out = identifying(table, others, label)
    rest = [name for name in others if name not in left_out]
    if rest and all(_numeric(cells[name], numerals) for name in rest):
        return rest, left_out
    for usual in SEQUENCES:
        for name in rest or others:
            if name.lower() == usual:
                return [name], {}
    lists = [name for name in rest if _are_lists(cells[name], numerals)]
    longest = max(
        lists or rest or others, key=lambda name: sum(len(cell or "") for cell in cells[name])
    )
    return [longest], {}


def _numeric(cells: Sequence[Cell], numerals: Numerals) -> bool:
    """Return whether most cells that are not empty hold a number: a slip is to be named, not taken
    so.
    """
    there = [cell for cell in cells if not numerals.missing(cell)]
    return bool(there) and 10 * sum(numerals.number(cell) is not None for cell in there) >= 9 * len(
        there
    )


def _are_lists(cells: Sequence[Cell], numerals: Numerals) -> bool:
    """Return whether half of the cells or more look like lists."""
    there = [cell for cell in cells if not numerals.missing(cell)]
    lists = sum(is_listed(cell) for cell in there)
    numbers = sum(numerals.number(cell) is not None for cell in there)
    whole = lists > 0 or numbers == len(there)
    return bool(there) and whole and 2 * (lists + numbers) >= len(there)
