"""What the cells of a series' columns hold, in the order of the table: numbers, times, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

from numpy.typing import NDArray

from ....display import short
from ....errors import UserError
from ..table.numerals import Numerals
from ..table.spill import Spill
from ..table.table import LINE, Cell, Table
from .dates import Recogniser
from .form import Form
from .parts import joined
from .refusals import is_total
from .roles import Roles

if TYPE_CHECKING:
    import polars

MOST = 10_000
"""Series in one table, at most."""


@final
class Cells:
    """Columns of a table as numbers; they are kept on disk and mapped as they are used.

    Args:
        table: that is read, all of it.
        roles: of its columns.
        date_format: how its times are spelled; None: it is found out.
        form: of the times of a run's own table: others are taken for it where they fit.

    Attributes:
        lines: of the records, int64, (N,).
        numbers: of each column of numbers, float64, (N,); NaN where there is none.
        moments: int64, (N,), as ``form`` reads them; None without times.
        form: of the times.
        names: of the series, in the order of their first records.
        series: which of them a record belongs to, int64, (N,); None where there is one.

    Raises:
        UserError: a cell holds something else, or there are too many series.
    """

    def __init__(
        self, table: Table, roles: Roles, date_format: str | None = None, form: Form | None = None
    ) -> None:
        self.table, self.roles, self.form = table, roles, form
        self._places = {name: table.column(name) for name in roles.all}
        lines, series = Spill("int64"), Spill("int64")
        numbers = [Spill("float64") for _ in roles.numbers]
        recogniser = Recogniser(date_format, self.time_name) if roles.time else None
        codes: dict[str, int] = {}
        numerals = Numerals.of(table.format)
        for frame in table.frames(list(self._places.values())):
            lines.extend(frame[LINE].to_numpy())
            for name, spill in zip(roles.numbers, numbers, strict=True):
                spill.extend(numerals.column_with_gaps(table, frame, self._places[name]))
            if recogniser is not None and (form is None or date_format is not None):
                recogniser.see(self._times(frame), frame[LINE].to_list())
            if roles.series is not None:
                series.extend(self._codes(frame, roles.series, codes))
        self.lines, self.numbers = lines.array(), [each.array() for each in numbers]
        self.names = tuple(codes) or ("",)
        self.series = None if roles.series is None else series.array()
        self.moments = None if recogniser is None else self._moments(recogniser, date_format)
        if not roles.time:
            self._require_no_total()

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def time_name(self) -> str:
        """The columns of the time, for messages."""
        word = "column" if len(self.roles.time) == 1 else "columns"
        return f"{self.table.name}, {word} {', '.join(map(repr, self.roles.time))}"

    def empty(self, line: int, name: str) -> str:
        """Return that a record has no number in a column, with its place and what stands there."""
        place = self._places[name]
        where = self.table.where(line, place)
        for frame in self.table.frames([place]):
            for cell in frame.filter(frame[LINE] == line)[str(place)]:
                return f"{where}: the cell is empty" + (f" ({short(cell, 40)!r})" if cell else "")
        raise LookupError(line)

    def _times(self, frame: polars.DataFrame) -> Sequence[Cell]:
        columns = {name: frame[str(self._places[name])].to_list() for name in self.roles.time}
        return joined(columns) if len(columns) > 1 else next(iter(columns.values()))

    def _moments(self, recogniser: Recogniser, date_format: str | None) -> NDArray[Any]:
        """Return the moments of all records, and keep the form that they have."""
        if self.form is not None and date_format is None:
            try:
                return self._read(self.form)
            except UserError:  # they are spelled in another way: it is found out
                for frame in self._time_frames():
                    recogniser.see(self._times(frame), frame[LINE].to_list())
        self.form = recogniser.form()
        return self._read(self.form)

    def _read(self, form: Form) -> NDArray[Any]:
        moments = Spill("int64")
        for frame in self._time_frames():
            moments.extend(form.read(self._times(frame), frame[LINE].to_list(), self.time_name))
        return moments.array()

    def _time_frames(self) -> Any:
        return self.table.frames([self._places[name] for name in self.roles.time])

    def _codes(self, frame: polars.DataFrame, name: str, codes: dict[str, int]) -> NDArray[Any]:
        """Return which series the records of a chunk belong to, (n,)."""
        cells = frame[str(self._places[name])].str.strip_chars()
        empty = cells.is_null() | (cells == "")
        if empty.any():
            where = self.table.where(frame[LINE][int(empty.arg_max() or 0)], self._places[name])
            raise UserError(f"{where}: the cell is empty: the name of a series is expected")
        for each in cells.unique(maintain_order=True):
            codes.setdefault(each, len(codes))
        if len(codes) > MOST:
            raise UserError(
                f"{self.table.name}, column {name!r} names more than {MOST:,} series: is it the "
                "one that tells them apart?"
            )
        return cells.replace_strict(codes).to_numpy().astype("int64")

    def _require_no_total(self) -> None:
        """Refuse a last record that calls itself a total; times would have shown it."""
        first, last = next(iter(self.table), None), self.table.last()
        if first is None or last is None:
            return
        for place, (cell, other) in enumerate(zip(last.values, first.values, strict=True)):
            if is_total(cell) and not is_total(other):
                where = self.table.where(last.line, place)
                raise UserError(
                    f"{where}: {short(cell or '', 40)!r}: a row of totals is no step of the "
                    "series; remove it"
                )
