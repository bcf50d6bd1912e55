"""The table in a file, by the file's name."""

from __future__ import annotations

from pathlib import Path

from .delimited import Delimited
from .jsonl import JsonLines
from .table import Table

JSON = (".jsonl", ".ndjson", ".json")


def open_table(path: Path) -> Table:
    """One JSON object a line in .jsonl, .ndjson and .json; else a CSV file with a header.

    Raises:
        UserError: the file cannot be read, or is no table.
    """
    return JsonLines(path) if path.suffix.lower() in JSON else Delimited(path)
