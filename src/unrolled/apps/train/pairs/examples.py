"""The pairs of a table, read when they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

from numpy.typing import NDArray

from ....errors import UserError
from ..alphabet import split
from ..parts import key
from ..table.numbers import Spill
from ..table.table import Record, Table


@final
class Pairs:
    """Every pair of texts; only where it stands is kept in memory.

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
        self.left_out = {"too long": 0, "with an empty cell": 0}
        places, keys = Spill("int64"), Spill("int64")
        for record in table:
            if drop_missing and any(record.values[place] is None for place in self._columns):
                self.left_out["with an empty cell"] += 1
                continue
            first, second = self._texts(record)
            if self._too_long(first) or self._too_long(second):
                self.left_out["too long"] += 1
                continue
            places.append(record.place)
            keys.append(key(first))
        self._places, self.keys = places.array(), keys.array()

    def __len__(self) -> int:
        return len(self._places)

    @property
    def names(self) -> tuple[str, str]:
        """The columns."""
        source, target = self._columns
        return self.table.columns[source], self.table.columns[target]

    def at(self, indices: NDArray[Any]) -> Iterator[tuple[str, str]]:
        """Some pairs.

        Raises:
            UserError: the file is no longer what it was.
        """
        for index in indices:
            place = int(self._places[index])
            yield self._texts(Record(place, 0, self.table.at(place)))

    def _texts(self, record: Record) -> tuple[str, str]:
        found = []
        for place in self._columns:
            value = record.values[place]
            if value is None or not str(value).strip():
                raise UserError(
                    f"{self.table.where(record, place)}: the cell is empty: a text is expected"
                )
            found.append(str(value).strip())
        return found[0], found[1]

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
