"""The table in a file, by what the file holds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ....errors import UserError
from .columnar import columnar, kind_of
from .delimited import delimited
from .format import AS_FOUND, Format, FormatOptions
from .jsonlines import json_table
from .source import Source
from .table import Table

JSON = (".jsonl", ".ndjson", ".json")


def open_table(
    path: Path,
    reading: FormatOptions = AS_FOUND,
    known: Format | None = None,
    header: bool = True,
) -> Table:
    """Return a table: CSV and its relatives, JSON lines or an array, Parquet, Arrow.

    Args:
        path: of the file, compressed or not; ``-`` is standard input.
        reading: what is told of how it is read; the rest is found out, or as `known` says.
        known: how a run's own table was read.
        header: whether the first record names the columns where that cannot be seen.

    Raises:
        UserError: the file cannot be read, or is no table.
    """
    if importlib.util.find_spec("polars") is None:
        raise UserError("tables need polars: pip install 'unrolled[train]'")
    source = Source(path)
    if kind_of(source):
        return columnar(source, reading)
    starts = source.beginning.lstrip()
    if source.suffix in JSON or (not source.suffix and starts.startswith(b"{")):
        return json_table(source, reading)
    return delimited(source, reading, known, header)
