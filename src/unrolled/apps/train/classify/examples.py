"""The records of a table with their classes, read when they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from ..parts import key
from ..table.numbers import Spill, chunks, missing
from ..table.table import Record, Table
from .reading import Cells

MOST = 10_000
"""How many classes there may be: more are no classes."""


@final
class Examples:
    """Every record that has a sequence and a class; only where it stands is kept in memory.

    Attributes:
        table, cells, label: what they are read from.
        classes: their names, sorted; as numbers if all are.
        targets: the class of each record: int32, (N,).
        lines: the line of each, (N,).
        steps: how many steps each has; of a text, how many characters.
        keys: of the content of each sequence, (N,).
        left_out: how many records were left out because a cell was empty.

    Raises:
        UserError: a cell holds what it should not, or there are no two classes.
    """

    def __init__(self, table: Table, cells: Cells, label: str, drop_missing: bool = False) -> None:
        self.table, self.cells, self.label = table, cells, label
        self._columns = [table.column(name) for name in cells.columns]
        self._label = table.column(label)
        self.left_out = 0
        places, lines = Spill("int64"), Spill("int64")
        targets, keys, steps = Spill("int32"), Spill("int64"), Spill("int32")
        names: dict[str, int] = {}
        self._size: int | None = None
        for record in table:
            if drop_missing and self._has_gaps(record):
                self.left_out += 1
                continue
            steps.append(self._check(record))
            targets.append(names.setdefault(self._class(record), len(names)))
            places.append(record.place)
            lines.append(record.line)
            keys.append(key(repr([record.values[place] for place in self._columns])))
            if len(names) > MOST:
                raise UserError(
                    f"{table.where(record, self._label)}: more than {MOST:,} different classes: "
                    "name the column of the class by --label"
                )
        self._places, self.lines, self.keys = places.array(), lines.array(), keys.array()
        self.steps = steps.array()
        self.classes, numbers = _in_order(names)
        renumbered = Spill("int32")
        for chunk in chunks(targets.array()):
            renumbered.extend(numbers[chunk])
        self.targets = renumbered.array()
        self._require_classes()

    def __len__(self) -> int:
        return len(self._places)

    def raw(self, index: int) -> Any:
        """The text, or the steps of numbers, of an example.

        Raises:
            UserError: the file is no longer what it was.
        """
        values = self.table.at(int(self._places[index]))
        record = Record(int(self._places[index]), int(self.lines[index]), values)
        return self.cells.raw(self.table, record, self._columns)

    def raws(self, indices: NDArray[Any]) -> Iterator[Any]:
        """Those of several examples."""
        return (self.raw(index) for index in indices)

    def longer_than(self, longest: int) -> int:
        """How many sequences have more steps (texts: characters)."""
        return sum(int((chunk > longest).sum()) for chunk in chunks(self.steps))

    @property
    def size(self) -> int:
        """How many numbers a step has."""
        return self._size or 1

    def _has_gaps(self, record: Record) -> bool:
        return any(missing(record.values[place]) for place in (*self._columns, self._label))

    def _class(self, record: Record) -> str:
        value = record.values[self._label]
        if missing(value) or isinstance(value, (list, dict)):
            found = "the cell is empty" if missing(value) else f"{str(value)[:40]!r} is no name"
            raise UserError(
                f"{self.table.where(record, self._label)}: {found}: a class is expected"
            )
        return str(value).strip()

    def _check(self, record: Record) -> int:
        raw = self.cells.raw(self.table, record, self._columns)
        if self.cells.text or not raw:
            return len(raw)
        size = self.cells.size(raw)
        if self._size not in (None, size):
            raise UserError(
                f"{self.table.where(record, self._columns[0])}: steps of {size} numbers, but "
                f"{self._size} in the records before"
            )
        self._size = size
        return len(raw)

    def _require_classes(self) -> None:
        name, count = self.table.name, len(self)
        if count == 0:
            raise UserError(f"{name} has no record with a sequence and a class")
        if len(self.classes) == 1:
            raise UserError(
                f"{name}: all {count} records have the class {self.classes[0]!r} (column "
                f"{self.label!r}): at least 2 classes are expected"
            )
        if len(self.classes) == count:
            raise UserError(
                f"{name}: no two records share a class (column {self.label!r}): name the column "
                "of the class by --label"
            )


def _in_order(names: dict[str, int]) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Classes sorted, and the new number of each old one."""
    try:
        order = sorted(names, key=float)
    except ValueError:
        order = sorted(names)
    numbers = numpy.empty(len(names), numpy.int64)
    for number, name in enumerate(order):
        numbers[names[name]] = number
    return tuple(order), numbers
