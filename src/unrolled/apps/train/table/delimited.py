"""Tables with a separator: CSV, TSV and their relatives."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, final

from ....errors import UserError
from .file import FileTable
from .lines import LONGEST, Lines, opened
from .table import Record

SEPARATORS = ",;\t|"


@final
class Delimited(FileTable):
    """A file of which every line, or every few with quotation marks, holds one record.

    Args:
        path: of the file.
        header: whether the first record names the columns; else they are called 1, 2, …
        quoted: whether quotation marks enclose what holds separators or line ends.

    Raises:
        UserError: the file cannot be read, or its records differ in length.
    """

    def __init__(self, path: Path, header: bool = True, quoted: bool = True) -> None:
        super().__init__(path)
        self.header = header
        self.quoted = quoted
        with opened(path) as file:
            line = next(Lines(path, file))
        self.separator = _separator(path, line)
        self.columns: tuple[str, ...] = ()
        with opened(path) as file:
            first = next(self._rows(Lines(path, file)), None)
        if first is None:
            raise UserError(f"{path} has no records: a table is expected")
        names = first.values if header else range(1, len(first.values) + 1)
        self.columns = tuple(str(name).strip() for name in names)

    def _records(self, lines: Lines, first: bool) -> Iterator[Record]:
        rows = self._rows(lines)
        if first and self.header:
            next(rows, None)
        yield from rows

    def _rows(self, lines: Lines) -> Iterator[Record]:
        csv.field_size_limit(LONGEST)
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        reader = csv.reader(lines, delimiter=self.separator, quoting=quoting, strict=self.quoted)
        place, line = lines.offset, 1
        try:
            for values in reader:
                if values:
                    self._require_length(values, line)
                    yield Record(place, line, [value or None for value in values])
                place, line = lines.offset, lines.number + 1
        except csv.Error as error:
            raise UserError(
                f"{self.name}, the record that begins at line {line}: {error}"
            ) from None

    def _require_length(self, values: list[str], line: int) -> None:
        if self.columns and len(values) != len(self.columns):
            raise UserError(
                f"{self.name}, line {line}: {len(values)} values, but there are "
                f"{len(self.columns)} columns (separator {self.separator!r})"
            )


def row(values: Iterable[Any]) -> str:
    """A line of CSV, without its end.

    >>> row(["a,b", 1])
    '"a,b",1'
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(values)
    return out.getvalue()


def _separator(path: Path, line: str) -> str:
    """The separator of a first line: a tab in .tsv, else the most frequent one."""
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(SEPARATORS, key=lambda each: (line.count(each), -SEPARATORS.index(each)))
