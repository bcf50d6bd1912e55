"""The records of a table with their classes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, final

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from ..parts import key
from ..table.numerals import Numerals
from ..table.spill import Spill, Store, chunks
from ..table.table import LINE, Cell, Table
from .classes import known_as
from .reading import Cells, Sequence

if TYPE_CHECKING:
    import polars

MOST = 10_000
"""How many classes there may be: more are no classes."""


@final
class Examples:
    """Every record that has a sequence and a class, kept on disk.

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
        self._numerals, self._drop = Numerals.of(table.format), drop_missing
        self._store = Store()
        lines, targets = Spill("int64"), Spill("int32")
        keys, steps = Spill("int64"), Spill("int32")
        names: dict[str, int] = {}
        self._size: int | None = None
        self.left_out = 0
        for frame in table.frames([*self._columns, self._label]):
            frame = self._complete(frame)
            for line, sequence in zip(frame[LINE], cells.sequences(table, frame), strict=True):
                steps.append(self._keep(line, sequence))
            labels = zip(frame[LINE], frame[str(self._label)], strict=True)
            classes = [self._class(line, cell) for line, cell in labels]
            targets.extend([names.setdefault(each, len(names)) for each in classes])
            lines.extend(frame[LINE].to_numpy())
            for values in frame.select(list(map(str, self._columns))).iter_rows():
                keys.append(key(repr(list(values))))
            self._check_count(names)
        self.lines, self.keys, self.steps = lines.array(), keys.array(), steps.array()
        known = known_as(names)
        self.classes = tuple(dict.fromkeys(known.values()))
        numbers = numpy.empty(len(names), "int32")
        for name, number in names.items():
            numbers[number] = self.classes.index(known[name])
        renumbered = Spill("int32")
        for chunk in chunks(targets.array()):
            renumbered.extend(numbers[chunk])
        self.targets = renumbered.array()
        self._require_classes()

    def __len__(self) -> int:
        return len(self.lines)

    def raw(self, index: int) -> Sequence:
        """Return the text, or the steps of numbers, of an example."""
        found = self._store[index]
        if self.cells.text:
            return found.decode("utf-8", "surrogatepass")
        return numpy.frombuffer(found, "float64").reshape(-1, self.size)

    def raws(self, indices: NDArray[Any]) -> Iterator[Sequence]:
        """Yield those of several examples."""
        return (self.raw(index) for index in indices)

    def longer_than(self, longest: int) -> int:
        """Return how many sequences have more steps (texts: characters)."""
        return sum(int((chunk > longest).sum()) for chunk in chunks(self.steps))

    @property
    def size(self) -> int:
        """How many numbers a step has."""
        return self._size or 1

    def _complete(self, frame: polars.DataFrame) -> polars.DataFrame:
        """Return the records of a chunk without those that have an empty cell, if so wished."""
        import polars

        if not self._drop:
            return frame
        missing = self._numerals.marked if self.cells.text else self._numerals.missing
        gaps = frame[str(self._label)].map_elements(
            self._numerals.marked, polars.Boolean, skip_nulls=False
        )
        for place in self._columns:
            found = frame[str(place)].map_elements(missing, polars.Boolean, skip_nulls=False)
            gaps = gaps | found
        self.left_out += int(gaps.sum())
        return frame.filter(~gaps)

    def _class(self, line: int, cell: Cell) -> str:
        where = self.table.where(line, self._label)
        if cell is None or self._numerals.marked(cell):
            raise UserError(f"{where}: the cell is empty: a class is expected")
        if self.table.format.kind == "json" and cell[:1] in ("[", "{"):
            raise UserError(f"{where}: {cell[:40]!r} is no name: a class is expected")
        return cell.strip()

    def _keep(self, line: int, sequence: Sequence) -> int:
        """Store a sequence; return how many steps it has."""
        if isinstance(sequence, str):
            self._store.append(sequence.encode("utf-8", "surrogatepass"))
            return len(sequence)
        if len(sequence):
            size = sequence.shape[1]
            if self._size not in (None, size):
                raise UserError(
                    f"{self.table.where(line, self._columns[0])}: steps of {size} numbers, but "
                    f"{self._size} in the records before"
                )
            self._size = size
        self._store.append(sequence.astype("float64").tobytes())
        return len(sequence)

    def _check_count(self, names: dict[str, int]) -> None:
        if len(names) > MOST:
            raise UserError(
                f"{self.table.name}, column {self.label!r}: more than {MOST:,} different classes: "
                "name the column of the class by --label"
            )

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
