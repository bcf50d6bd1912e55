"""Tables that stand column by column in their files: Parquet and Arrow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ....errors import UserError
from .format import Format, FormatOptions
from .source import Source
from .table import Record, Table

if TYPE_CHECKING:
    import polars

KINDS = {b"PAR1": "parquet", b"ARROW1": "arrow"}
"""What files begin with."""


def kind_of(source: Source) -> str | None:
    """Return parquet or arrow, if a file is one of these."""
    return next((kind for mark, kind in KINDS.items() if source.beginning.startswith(mark)), None)


def columnar(source: Source, reading: FormatOptions) -> Table:
    """Return the table of a Parquet or Arrow file; its cells as text: times in ISO form.

    Raises:
        UserError: it is damaged.
    """
    import polars

    kind = kind_of(source)
    scan = polars.scan_parquet if kind == "parquet" else polars.scan_ipc
    found = Format(
        "parquet" if kind == "parquet" else "arrow", marks=tuple(reading.missing_marks or ())
    )
    try:
        frame = scan(source.path)
        names = frame.collect_schema().names()
        records = _records(frame)
        return Table(source.name, names, records, lambda: source.digest, found)
    except (polars.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{source.name} is damaged: {str(error).splitlines()[0]}") from error


def _records(frame: polars.LazyFrame) -> Iterator[Record]:
    number = 0
    for batch in frame.collect_batches(maintain_order=True):
        for values in batch.with_columns(map(as_text, batch)).iter_rows():
            number += 1
            yield Record(number, values)


def as_text(column: polars.Series) -> polars.Series:
    """Return a column as text."""
    import polars

    kind = column.dtype
    if kind in (polars.Datetime, polars.Time):
        return column.dt.to_string("iso:strict")
    if kind.is_nested() or kind == polars.Binary or kind == polars.Object:
        return polars.Series(
            column.name,
            [None if each is None else json.dumps(each, default=str) for each in column.to_list()],
            dtype=polars.String,
        )
    return column.cast(polars.String)
