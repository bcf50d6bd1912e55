"""Which columns of a table hold the sequence and the class."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import islice
from typing import Any

from ....errors import UserError
from ..table.numbers import is_number, missing, numbers
from ..table.table import Record, Table
from .reading import Cells

LABELS = ("label", "class", "category", "target", "y", "digit", "species", "sentiment", "language")
SEQUENCES = ("sequence", "text", "sentence", "review", "message", "content", "x", "name")
LOOKED_AT = 200
"""How many records a guess looks at."""


def choose(table: Table, sequence: list[str], label: str | None, step: int) -> tuple[Cells, str]:
    """The cells of the sequence, and the column of the class; what is not named is guessed.

    The class: a column with a usual name, else the last one. The sequence: all others if they hold
    numbers, else a column with a usual name, else the one with the longest texts.

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
    label = _label(table, sequence) if label is None else label
    table.column(label)  # says so if there is none
    records = list(islice(table, LOOKED_AT))
    if not records:
        raise UserError(f"{table.name} has a header, but no records")
    names = list(_named(table, sequence) if sequence else _guessed(table, label, records))
    if label in names:
        raise UserError(f"the column {label!r} cannot be both the class and part of the sequence")
    if len(names) % step:
        raise UserError(f"{len(names)} columns cannot be divided into steps of --step {step}")
    if len(names) > 1:
        return Cells(tuple(names), False, step), label
    place = table.column(names[0])
    return Cells(
        tuple(names), not _are_lists([record.values[place] for record in records]), 1
    ), label


def by_words(texts: list[str]) -> bool:
    """Whether texts are better read word by word: they have five or more on average."""
    return sum(len(text.split()) for text in texts) >= 5 * len(texts)


def _label(table: Table, sequence: list[str]) -> str:
    lower = [name.lower() for name in table.columns]
    for usual in LABELS:
        if usual in lower and table.columns[lower.index(usual)] not in sequence:
            return table.columns[lower.index(usual)]
    if len(table.columns) == 1:
        raise UserError(
            f"{table.name} has one column, {', '.join(table.columns)!r}: a sequence and a class "
            "are expected in columns of their own"
        )
    return list(table.columns)[-1]


def _named(table: Table, patterns: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for pattern in patterns:
        matching = [name for name in table.columns if fnmatchcase(name, pattern)]
        if pattern in table.columns or not matching:
            matching = [table.columns[table.column(pattern)]]
        found += [name for name in matching if name not in found]
    return tuple(found)


def _guessed(table: Table, label: str, records: list[Record]) -> tuple[str, ...]:
    others = [name for name in table.columns if name != label]
    cells = {name: [r.values[table.column(name)] for r in records] for name in others}
    if all(any(map(is_number, cells[name])) and _numeric(cells[name]) for name in others):
        return tuple(others)
    for usual in SEQUENCES:
        for name in others:
            if name.lower() == usual:
                return (name,)
    return (max(others, key=lambda name: sum(len(str(cell)) for cell in cells[name])),)


def _numeric(cells: list[Any]) -> bool:
    """Whether most cells that are not empty hold a number: a slip is to be named, not taken so."""
    there = [cell for cell in cells if not missing(cell)]
    return 10 * sum(map(is_number, there)) >= 9 * len(there)


def _are_lists(cells: list[Any]) -> bool:
    there = [cell for cell in cells if not missing(cell)]
    lists = [numbers(cell) is not None for cell in there]
    return bool(there) and 10 * sum(lists) >= 9 * len(lists)
