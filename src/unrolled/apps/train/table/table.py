"""What a table is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

from ....errors import UserError


class Record(NamedTuple):
    """One record.

    Attributes:
        place: where it stands, for `Table.at`.
        line: its line, for messages; counted from 1.
        values: in the order of the columns; None where there is none.
    """

    place: int
    line: int
    values: list[Any]


class Table(ABC):
    """Abstract: records that are read one by one, or one at its place; never all at once.

    Attributes:
        name: for messages, such as the file's.
        columns: their names.
    """

    name: str
    columns: tuple[str, ...]

    @abstractmethod
    def __iter__(self) -> Iterator[Record]:
        """All records in their order."""

    @abstractmethod
    def at(self, place: int) -> list[Any]:
        """The values of the record at a place that iteration gave."""

    @abstractmethod
    def digest(self) -> str:
        """SHA-256 of all that the table holds, in hexadecimal."""

    def column(self, name: str) -> int:
        """Where a column stands.

        Raises:
            UserError: there is none of that name, or several.
        """
        count = self.columns.count(name)
        if count == 1:
            return self.columns.index(name)
        known = ", ".join(map(repr, self.columns[:20])) + (", …" if len(self.columns) > 20 else "")
        if count == 0:
            raise UserError(f"{self.name} has no column {name!r}: it has {known}")
        raise UserError(f"{self.name} has {count} columns called {name!r}: it has {known}")

    def where(self, record: Record, column: int) -> str:
        """A cell, for messages."""
        return f"{self.name}, line {record.line}, column {self.columns[column]!r}"
