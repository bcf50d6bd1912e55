"""A table in memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, final

from .table import Record, Table


@final
class MemoryTable(Table):
    """A table whose records are there already.

    >>> table = MemoryTable("ages", ["name", "age"], [["Ada", 36], ["Alan", 41]])
    >>> [record.values for record in table], table.at(1)
    ([['Ada', 36], ['Alan', 41]], ['Alan', 41])
    """

    def __init__(self, name: str, columns: Sequence[str], rows: Sequence[list[Any]]) -> None:
        self.name, self.columns, self.rows = name, tuple(columns), rows

    def __iter__(self) -> Iterator[Record]:
        for place, values in enumerate(self.rows):
            yield Record(place, place + 1, values)

    def at(self, place: int) -> list[Any]:
        """The values of a record."""
        return self.rows[place]

    def digest(self) -> str:
        """SHA-256 of columns and records, in hexadecimal."""
        text = json.dumps([self.columns, self.rows])
        return hashlib.sha256(text.encode()).hexdigest()
