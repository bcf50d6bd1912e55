"""A table from memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from ....errors import UserError
from .columnar import as_text
from .table import Record, Table

if TYPE_CHECKING:
    import polars


def memory_table(name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Return a table of values: texts, numbers, lists; None where there is none.

    >>> table = memory_table("ages", ["name", "age"], [["Ada", 36], ["Alan", 41]])
    >>> [record.values for record in table]
    [['Ada', '36'], ['Alan', '41']]
    """
    records = (Record(number, list(map(cell, row))) for number, row in enumerate(rows, 1))

    def digest() -> str:
        """Return SHA-256 of columns and values, as runs on data of packages have it."""
        return hashlib.sha256(json.dumps([columns, rows]).encode()).hexdigest()

    return Table(name, columns, records, digest)


COUNTING = (0, "int64", "uint64", "int32")
"""The kinds of an index that only counts, or is none."""


def frame_table(name: str, given: Any, index: Sequence[str] = ()) -> Table:
    """Return the table of a mapping of columns, or of a data frame of pandas or polars.

    Args:
        name: for messages.
        given: columns by name: of numbers, texts, times.
        index: what the index of pandas is called, if there is no such column.

    Raises:
        UserError: a column has several dimensions, or another length than the first.

    >>> table = frame_table("sales", {"day": ["2020-01-01", "2020-01-02"], "load": [1.5, 2]})
    >>> [record.values for record in table]
    [['2020-01-01', '1.5'], ['2020-01-02', '2.0']]
    """
    import polars

    names = list(given if isinstance(given, Mapping) else given.columns)
    columns = {str(each): given[each] for each in names}
    rows = getattr(given, "index", None)
    if len(index) == 1 and index[0] not in columns and getattr(rows, "dtype", 0) not in COUNTING:
        columns = {index[0]: rows, **columns}
    texts = {each: _texts(each, column) for each, column in columns.items()}
    lengths = {each: len(column) for each, column in texts.items()}
    for each, length in lengths.items():
        first = next(iter(lengths))
        if length != lengths[first]:
            raise UserError(
                f"{name}: the column {each!r} has {length} values, and {first!r} {lengths[first]}"
            )
    frame = polars.DataFrame(texts)
    records = (Record(number, row) for number, row in enumerate(frame.iter_rows(), 1))

    def digest() -> str:
        """Return SHA-256 of columns and values."""
        return hashlib.sha256(frame.write_json().encode()).hexdigest()

    return Table(name, frame.columns, records, digest)


def _texts(name: str, given: Any) -> polars.Series:
    """Return a column as cells."""
    import polars

    if hasattr(given, "detach"):
        given = given.detach().cpu()
    if isinstance(given, polars.Series):
        return as_text(given)
    found = numpy.asarray(given)
    if found.ndim != 1:
        raise UserError(
            f"the column {name!r} has the shape {found.shape}: one value a record is expected"
        )
    if found.dtype.kind == "M":
        found = found.astype("M8[us]")
    if found.dtype.kind in "biufM":
        return as_text(polars.Series(name, found))
    texts = [None if each is None or each != each else str(each) for each in found.tolist()]
    return polars.Series(name, texts, dtype=polars.String)


def cell(value: Any) -> str | None:
    """Return a value as a cell has it: a text as such, anything else as JSON.

    >>> cell("a"), cell(1.5), cell(True), cell([1, [2]]), cell(None)
    ('a', '1.5', 'true', '[1, [2]]', None)
    """
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
