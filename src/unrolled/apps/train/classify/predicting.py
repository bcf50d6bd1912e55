"""Classes of the records of a table, told by a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, final

from ....display import counted
from ....errors import UserError
from ..table.table import LINE, Cell, Table
from .classes import Classes
from .problem import Classification
from .reading import Sequence
from .run import CHUNK, ClassifyRun

if TYPE_CHECKING:
    import polars


@final
class Told:
    """The classes of the records of a table, and how many of them are right if it has them.

    Args:
        run: that tells them.
        table: with the columns that the run reads.
    """

    def __init__(self, run: ClassifyRun, table: Table) -> None:
        self.run, self.table = run, table
        problem = run.problem
        self._label = table.column(problem.label) if problem.label in table.columns else None
        self._known = Classes(problem.classes)
        self._right = self._told = self._empty = 0
        self._strange: Counter[str] = Counter()

    def records(self) -> Iterator[tuple[int, str, float]]:
        """Yield for each record its line, its class and the probability of that.

        Raises:
            UserError: a record does not fit the run.
        """
        for frame in self.table.frames():
            for part in frame.iter_slices(CHUNK):
                found = self.run.predict(fitting(self.run.problem, self.table, part))
                labels = [] if self._label is None else part[str(self._label)].to_list()
                for cell, (label, _) in zip(labels, found, strict=False):
                    self._compare(cell, label)
                for line, (label, probability) in zip(part[LINE], found, strict=True):
                    yield line, label, probability

    def _compare(self, cell: Cell, label: str) -> None:
        """Count whether a class is that in the table."""
        place = self._known.place(cell)
        if place is not None:
            self._told += 1
            self._right += self._known.names[place] == label
        elif cell is None:
            self._empty += 1
        else:
            self._strange[cell.strip()] += 1

    def notes(self) -> Iterator[str]:
        """Yield what is to be said of the records so far."""
        if self._told:
            share = self._right / self._told
            yield f"{self._right} of {self._told} are right: {share:.1%}"
        if self._empty and self._told:
            yield f"{counted(self._empty, 'records')} without a class are not counted"
        if self._strange:
            some = ", ".join(map(repr, list(self._strange)[:5]))
            names = some + (", …" if len(self._strange) > 5 else "")
            count = counted(self._strange.total(), "records")
            yield f"{count} of classes that the run does not know: {names}"


def fitting(problem: Classification, table: Table, part: polars.DataFrame) -> list[Sequence]:
    """Return the sequences of a chunk's records.

    Raises:
        UserError: a cell does not hold what the run reads.
    """
    size, found = problem.reading.kind.width, problem.cells.sequences(table, part)
    for line, raw in zip(part[LINE], found, strict=True):
        if not isinstance(raw, str) and len(raw) and raw.shape[1] != size:
            where = table.where(line, table.column(problem.cells.columns[0]))
            raise UserError(f"{where}: steps of {raw.shape[1]} numbers, but the run has {size}")
    return found
