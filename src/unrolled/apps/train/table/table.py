"""What a table is."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, final

from ....errors import UserError, refusing
from .format import CSV, Format

if TYPE_CHECKING:
    import polars

Cell = str | None
"""What stands in a cell, as text; None if nothing does."""

ROWS = 2**14
"""Records of a chunk, at most."""

LETTERS = 2**24
"""Characters of a chunk, about."""

KEPT = 2**26
"""Characters that are kept in memory; chunks beyond that go to a temporary folder."""

LINE = "\0line"
"""The column of a chunk that holds the records' lines."""


class Record(NamedTuple):
    """One record.

    Attributes:
        line: its line, for messages; counted from 1.
        values: in the order of the columns; None where there is none.
    """

    line: int
    values: Sequence[Cell]


@final
class Table:
    """Records of cells of text under names of columns, read once and kept column by column.

    A large table lies in a temporary folder; it is never in memory as a whole.

    Args:
        name: for messages, such as the file's.
        columns: their names; two may have the same.
        records: all of them in their order.
        format: how it stood in its file.
        digest: returns the SHA-256 of all that it holds, in hexadecimal.
        notes: what is to be said of how it was read.

    Raises:
        UserError: there is no room for it, or `records` says so.
    """

    def __init__(
        self,
        name: str,
        columns: Sequence[str],
        records: Iterable[Record],
        digest: Callable[[], str],
        format: Format = CSV,
        notes: Sequence[str] = (),
    ) -> None:
        self.name, self.columns, self.digest = name, tuple(columns), digest
        self.format, self.notes = format, tuple(notes)
        self._chunks: list[polars.DataFrame | Path] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._letters = self._count = 0
        lines: list[int] = []
        rows: list[Sequence[Cell]] = []
        letters = 0
        for line, values in records:
            lines.append(line)
            rows.append(values)
            letters += sum(map(len, filter(None, values)))
            if len(rows) == ROWS or letters >= LETTERS:
                self._append(lines, rows, letters)
                lines, rows, letters = [], [], 0
        self._append(lines, rows, letters)

    def _append(self, lines: list[int], rows: list[Sequence[Cell]], letters: int) -> None:
        import polars

        if not rows:
            return
        columns = zip(*rows, strict=True) if self.columns else ()
        chunk = polars.DataFrame(
            {
                LINE: polars.Series(lines, dtype=polars.UInt64),
                **{
                    str(place): polars.Series(values, dtype=polars.String)
                    for place, values in enumerate(columns)
                },
            }
        )
        self._count += len(rows)
        self._letters += letters
        if self._letters <= KEPT:
            self._chunks.append(chunk)
            return
        with refusing(f"write a temporary file in {tempfile.gettempdir()}"):
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory()
                weakref.finalize(self, self._folder.cleanup)
            path = Path(self._folder.name) / f"{len(self._chunks)}.arrow"
            chunk.write_ipc(path, compression="lz4")
        self._chunks.append(path)

    def __len__(self) -> int:
        return self._count

    def frames(self, columns: Sequence[int] | None = None) -> Iterator[polars.DataFrame]:
        """Yield the records in chunks: the lines under `LINE`, the cells under their places."""
        return self._read(self._chunks, range(len(self.columns)) if columns is None else columns)

    @staticmethod
    def _read(
        chunks: Sequence[polars.DataFrame | Path], columns: Iterable[int]
    ) -> Iterator[polars.DataFrame]:
        import polars

        names = [LINE, *map(str, columns)]
        for chunk in chunks:
            if isinstance(chunk, Path):
                yield polars.read_ipc(chunk, columns=names)
            else:
                yield chunk.select(names)

    def __iter__(self) -> Iterator[Record]:
        for frame in self.frames():
            for line, *values in frame.iter_rows():
                yield Record(line, values)

    def last(self) -> Record | None:
        """Return the last record; None if there is none."""
        frames = self._read(self._chunks[-1:], range(len(self.columns)))
        return next((Record(line, rest) for f in frames for line, *rest in f.tail(1).rows()), None)

    def column(self, name: str) -> int:
        """Return where a column stands.

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

    def where(self, line: int, column: int) -> str:
        """Return a cell's place, for messages."""
        return f"{self.name}, line {line}, column {self.columns[column]!r}"
