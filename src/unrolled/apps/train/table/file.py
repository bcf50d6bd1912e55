"""A table in a file: its records are read from where they stand."""

from __future__ import annotations

import hashlib
import weakref
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .lines import Lines, opened
from .table import Record, Table

BLOCK = 2**20


class FileTable(Table):
    """Abstract: a table of which a file holds one record after the other.

    Raises:
        UserError: the file cannot be read, or is no table.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self._file = opened(path)
        weakref.finalize(self, self._file.close)

    @abstractmethod
    def _records(self, lines: Lines, first: bool) -> Iterator[Record]:
        """The records of these lines; whether they are those from the file's beginning on."""

    def __iter__(self) -> Iterator[Record]:
        with opened(self.path) as file:
            yield from self._records(Lines(self.path, file), True)

    def at(self, place: int) -> list[Any]:
        """The values of the record at a place that iteration gave."""
        self._file.seek(place)
        return next(self._records(Lines(self.path, self._file), place == 0)).values

    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        digest = hashlib.sha256()
        with opened(self.path) as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()
