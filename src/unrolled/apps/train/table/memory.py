"""A table from memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from .table import Record, Table


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


def cell(value: Any) -> str | None:
    """Return a value as a cell has it: a text as such, anything else as JSON.

    >>> cell("a"), cell(1.5), cell(True), cell([1, [2]]), cell(None)
    ('a', '1.5', 'true', '[1, [2]]', None)
    """
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
