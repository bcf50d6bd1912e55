"""The pairs of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

from numpy.typing import NDArray

from ....errors import UserError
from ..alphabet import split
from ..parts import key
from ..table.numerals import Numerals
from ..table.spill import Spill, Store
from ..table.table import Cell, Table


@final
class Pairs:
    """Every pair of texts, kept on disk.

    Args:
        table: one pair a record.
        source, target: the columns; None: the first and the second.
        by: what a text is split into.
        longest: pairs with a text of more symbols are left out.
        drop_missing: whether pairs with an empty cell are left out; else they are errors.

    Attributes:
        keys: of the content of each source, (N,).
        left_out: how many pairs were left out because they were too long, or had an empty cell.

    Raises:
        UserError: a cell is empty, or there is no such column.
    """

    def __init__(
        self,
        table: Table,
        source: str | None,
        target: str | None,
        by: str,
        longest: int,
        drop_missing: bool = False,
    ) -> None:
        self.table, self.by, self.longest = table, by, longest
        self._columns = _columns(table, source, target)
        self._numerals, self._store = Numerals.of(table.format), Store()
        self.left_out = {"too long": 0, "with an empty cell": 0}
        keys = Spill("int64")
        for frame in table.frames(self._columns):
            for line, *cells in frame.iter_rows():
                first, second = (self._text(cell) for cell in cells)
                if not first or not second:
                    if not drop_missing:
                        where = table.where(line, self._columns[1 if first else 0])
                        raise UserError(f"{where}: the cell is empty: a text is expected")
                    self.left_out["with an empty cell"] += 1
                elif self._too_long(first) or self._too_long(second):
                    self.left_out["too long"] += 1
                else:
                    self._store.append(first.encode("utf-8", "surrogatepass"))
                    self._store.append(second.encode("utf-8", "surrogatepass"))
                    keys.append(key(first))
        self.keys = keys.array()

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def names(self) -> tuple[str, str]:
        """The columns."""
        source, target = self._columns
        return self.table.columns[source], self.table.columns[target]

    def at(self, indices: NDArray[Any]) -> Iterator[tuple[str, str]]:
        """Yield some pairs."""
        for index in indices:
            first, second = (self._store[2 * int(index) + side] for side in (0, 1))
            yield first.decode("utf-8", "surrogatepass"), second.decode("utf-8", "surrogatepass")

    def _text(self, cell: Cell) -> str:
        return "" if cell is None or self._numerals.marked(cell) else cell.strip()

    def _too_long(self, text: str) -> bool:
        return len(text) > self.longest and len(split(text, self.by)) > self.longest


def _columns(table: Table, source: str | None, target: str | None) -> tuple[int, int]:
    if len(table.columns) < 2:
        raise UserError(
            f"{table.name} has one column: a source and a target are expected, with a tab between "
            "them in a .tsv file"
        )
    first = table.column(source) if source else 0
    second = table.column(target) if target else (1 if first != 1 else 0)
    if first == second:
        raise UserError(f"the column {source!r} cannot be both source and target")
    return first, second
