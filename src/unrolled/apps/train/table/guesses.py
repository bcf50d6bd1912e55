"""How a table with a separator stands in its file, as its first lines show it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from ....errors import UserError
from .format import Format, FormatOptions
from .lines import LONGEST, Lines, encoding_of
from .numerals import Numerals, is_listed
from .numerals import recognised as numerals_of
from .source import Source

SEPARATORS = "\t;|, "
"""The signs that are tried, the least likely to stand in a cell first; the space at last."""

LOOKED_AT = 1000
"""How many lines a guess looks at."""

MOSTLY = 0.9
"""The share of a column's cells that makes it one of numbers: a slip is to be named, not taken."""


def recognised(
    source: Source, reading: FormatOptions, known: Format | None, header: bool
) -> tuple[Format, list[str]]:
    """Return how a table stands in its file, and what is to be said of it.

    Args:
        source: of its bytes.
        reading: what is told.
        known: how a run's own table was read: it is taken for what is not told.
        header: whether the first record names the columns where that cannot be seen.

    Raises:
        UserError: it can be read in two ways.
    """
    encoding = reading.encoding or encoding_of(source.beginning)
    separator, skip, notes = reading.sign("separator"), reading.skip_rows or 0, []
    lines = _beginning(source, encoding, skip)
    if separator is None and len(lines) > 1 and (told := _told(lines[0])):
        separator, skip, lines = told, skip + 1, lines[1:]
    comment = "#" if lines and lines[0].startswith("#") else ""
    if comment:
        notes.append("lines that begin with # are left out")
        lines = [line for line in lines if not line.startswith(comment)]
    quote = reading.sign("quote")
    quote = '"' if quote is None else quote
    if separator is None:
        tabs = source.suffix in (".tsv", ".tab")
        separator = "\t" if tabs else _separator(lines, quote)
    rows = _parsed(lines, separator, quote)
    decimal, thousands = _numerals(source, reading, known, rows, separator)
    marks = tuple(reading.missing_marks or (known.marks if known else ()))
    numerals = Numerals(decimal, thousands, marks)
    if reading.header is None:
        is_header = _is_header(rows, numerals, header)
        if not is_header:
            notes.append("the first line is a record, not a header: columns are called 1, 2, …")
    else:
        is_header = reading.header
    found = Format(
        "delimited", separator, quote, encoding, is_header, skip, comment, decimal, thousands, marks
    )
    return found, notes


def _numerals(
    source: Source,
    reading: FormatOptions,
    known: Format | None,
    rows: Sequence[Any],
    separator: str,
) -> tuple[str, str]:
    """Return the marks in numbers: as they are told, as a run's own table has them, or as seen."""
    decimal, thousands = reading.decimal, reading.sign("thousands")
    if decimal is None and thousands is None and known is not None and known.kind == "delimited":
        return known.decimal, known.thousands
    if decimal is None and thousands is None:
        cells = (cell for row in rows for cell in row)
        return numerals_of(cells, separator, source.name)
    decimal = decimal or ("," if thousands == "." else ".")
    if decimal == thousands:
        raise UserError(f"--decimal {decimal} and --thousands {decimal} cannot be the same")
    return decimal, thousands or ""


def _told(line: str) -> str | None:
    """Return the separator that Excel's first line tells: ``sep=;``."""
    bare = line.rstrip("\r\n").strip('"')
    return bare[-1] if bare.lower().startswith("sep=") and len(bare) == 5 else None


def _beginning(source: Source, encoding: str, skip: int) -> list[str]:
    """Return the first lines of a table."""
    try:
        "".encode(encoding)
    except LookupError:
        raise UserError(f"--encoding must be the name of an encoding, not {encoding!r}") from None
    found: list[str] = []
    letters = 0
    with source.opened() as file:
        for line in Lines(source.name, file, encoding, skip):
            found.append(line)
            letters += len(line)
            if len(found) == LOOKED_AT or letters > LONGEST:
                break
    return found


def _separator(lines: Sequence[str], quote: str) -> str:
    """Return the sign that divides all records into as many cells, and divides them best.

    >>> _separator(["a;b", "0,8;0,7", "1,5;2,5"], '"'), _separator(["list,class", "1;2,a"], '"')
    (';', ',')
    """
    best, best_score = ",", (0.0, 0.0)
    for sign in SEPARATORS:
        rows = _parsed(lines, sign, quote)
        widths = [len(row) for row in rows]
        usual = max(set(widths), key=widths.count, default=1)
        if usual == 1 or (sign == " " and not _are_numbers(rows)):
            continue
        alike = sum(width == usual for width in widths) / len(widths)
        cells = [cell for row in rows for cell in row if cell]
        score = (alike, sum(not _divides(cell, sign) for cell in cells) / max(len(cells), 1))
        if score > best_score:
            best, best_score = sign, score
    return best


def _are_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether all cells are numbers: only then a space is what stands between them."""
    numerals = Numerals()
    return all(numerals.number(cell) is not None for row in rows for cell in row)


def _divides(cell: str, sign: str) -> bool:
    """Return whether a cell holds another separator, and is no number with a decimal comma."""
    bare = cell.strip().lstrip("+-").replace(",", "", 1).replace(".", "")
    return not bare.isdigit() and any(other in cell for other in "\t;|," if other != sign)


def marks_of(quote: str) -> dict[str, Any]:
    """Return what tells the csv module of quotation marks."""
    return {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}


def _parsed(lines: Sequence[str], separator: str, quote: str) -> list[list[str]]:
    """Return the records of some lines, as far as they can be told."""
    found = []
    with suppress(csv.Error):
        for row in csv.reader(lines, delimiter=separator, **marks_of(quote)):
            row = [cell for cell in row if cell] if separator == " " else row
            if any(row):
                found.append(row)
    return found


def _is_header(rows: Sequence[Sequence[str]], numerals: Numerals, otherwise: bool) -> bool:
    """Return whether the first record names the columns.

    Over numbers, it does if it has none there, or 0, 1, 2, … It does not if what it says stands
    below as well: a class, not the name of one.
    """
    if len(rows) < 2:
        return otherwise
    first, below = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    columns = [[row[place] for row in below] for place in range(len(first))]
    values = [numerals.number(cell) for cell in first]
    over = [place for place, cells in enumerate(columns) if _mostly_numbers(cells, numerals)]
    repeated = any(cell and cell in column for cell, column in zip(first, columns, strict=True))
    if over and not repeated:
        found = [values[place] for place in over if first[place]]
        if any(value is None for value in found) or not found:
            return not any(is_listed(first[place]) for place in over)
        return _are_names([value for value in found if value is not None])
    return otherwise and not repeated


def _are_names(numbers: Sequence[float]) -> bool:
    """Return whether numbers name columns: they count, from 0 on, or years."""
    counts = all(b - a == 1 for a, b in pairwise(numbers))
    begins = numbers[0] == 0 or 1800 <= numbers[0] <= 2200
    return counts and (len(numbers) > 2 or (len(numbers) == 2 and begins))


def _mostly_numbers(cells: Sequence[str], numerals: Numerals) -> bool:
    """Return whether a column holds numbers, or lists of them."""
    there = [cell for cell in cells if not numerals.missing(cell)]
    fit = sum(numerals.number(cell) is not None or is_listed(cell) for cell in there)
    return bool(there) and fit >= MOSTLY * len(there)
