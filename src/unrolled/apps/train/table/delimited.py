"""Tables with a separator: CSV, TSV and their relatives."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, final

import msgspec

from ....errors import UserError
from .format import Format, FormatOptions
from .guesses import marks_of, recognised
from .lines import LONGEST, Lines
from .source import Source
from .table import Record, Table


def delimited(
    source: Source, reading: FormatOptions, known: Format | None = None, header: bool = True
) -> Table:
    """Return a table with a separator.

    Args:
        source: of its bytes.
        reading: what is told of how it is read.
        known: how a run's own table was read, to be taken for what is not told.
        header: whether the first record names the columns where that cannot be seen.

    Raises:
        UserError: it cannot be read, or its records differ in length.
    """
    found, notes = recognised(source, reading, known, header)
    try:
        return _table(source, found, notes)
    except _QuotationError as error:
        if reading.quote is None and found.quote:
            with suppress(UserError, _QuotationError):
                plain = msgspec.structs.replace(found, quote="")
                return _table(source, plain, [*notes, "quotation marks mean nothing in it"])
        raise UserError(f"{error}: are quotation marks no marks here? --quote none") from None


@final
class _QuotationError(Exception):
    """Quotation marks that do not enclose a cell."""


def _table(source: Source, found: Format, notes: Sequence[str]) -> Table:
    with source.opened() as file:
        records = _records(source.name, file, found)
        first = next(records, None)
        if first is None:
            raise UserError(f"{source.name} has no records: a table is expected")
        width = len(first.values)
        names = _names(first.values) if found.header else [str(n + 1) for n in range(width)]
        rows = records if found.header else chain([first], records)
        whole = _whole(source.name, rows, width, found.separator)
        return Table(source.name, names, whole, lambda: source.digest, found, notes)


def _names(values: Sequence[str | None]) -> list[str]:
    """Return names of columns; of one without a name, its number, as without a header."""
    return [(name or "").strip() or str(place) for place, name in enumerate(values, 1)]


def _records(name: str, file: Any, found: Format) -> Iterator[Record]:
    """Yield what stands in a file record by record, the header first if there is one."""
    lines = Lines(name, file, found.encoding, found.skip, found.comment)
    csv.field_size_limit(LONGEST)
    strict = bool(found.quote)
    reader = csv.reader(lines, delimiter=found.separator, strict=strict, **marks_of(found.quote))
    blank = found.separator == " "
    line = lines.number + 1
    try:
        for values in reader:
            if blank:
                values = [value for value in values if value]
            if any(values) or len(values) > 1:
                yield Record(line, [value or None for value in values])
            line = lines.number + 1
    except csv.Error as error:
        raise _QuotationError(f"{name}, the record that begins at line {line}: {error}") from None


def _whole(name: str, records: Iterable[Record], width: int, separator: str) -> Iterator[Record]:
    """Yield records of one length.

    Raises:
        UserError: one has another.
    """
    for line, values in records:
        if len(values) == width + 1 and values[-1] is None:
            values = values[:-1]  # a separator at the end of the line
        if len(values) != width:
            raise UserError(
                f"{name}, line {line}: {len(values)} values, but there are {width} columns "
                f"(separator {separator!r})"
            )
        yield Record(line, values)


def row(values: Iterable[Any]) -> str:
    """Return a line of CSV, without its end.

    >>> row(["a,b", 1])
    '"a,b",1'
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()
