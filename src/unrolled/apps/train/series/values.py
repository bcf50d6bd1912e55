"""The values of series, each in its order of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy
from numpy.typing import NDArray

from ....display import counted
from ..table.spill import Spill, taken
from ..table.table import Table
from .axis import Axis
from .cells import Cells
from .options import AS_USUAL, Reading
from .ordered import Ordered
from .roles import Roles


@final
@dataclass(frozen=True)
class Span:
    """One series among the values, and what is known of the steps after it.

    Attributes:
        name: of the series; "" where there is one.
        start, stop: its places among the values.
        axis: of its times; None without times, or without records.
        first, last: the times of its first and last record in ISO form; "" without times.
        future: what the columns that are known for the future hold after its end, (F, K).
        times: of these steps in ISO form; none without times.
    """

    name: str
    start: int
    stop: int
    axis: Axis | None
    first: str
    last: str
    future: NDArray[Any]
    times: tuple[str, ...]

    def __len__(self) -> int:
        return self.stop - self.start


@final
class Values:
    """Columns of numbers of a table, series by series, the oldest value first.

    They are kept on disk and mapped as they are used.

    Args:
        table: a record for each step of time.
        roles: of its columns.
        reading: how times and gaps are read.
        axis: of a run's own series: times are read as there, if they fit.

    Attributes:
        series: float64, (N,), one for each column of numbers, the target first; one series behind
            the other.
        spans: of the series.
        format: how the times are spelled; "" without times.
        filled: how many cells were interpolated.

    Raises:
        UserError: a cell is empty or holds something else, times are in no order, or gaps cannot
            be filled.
    """

    def __init__(
        self, table: Table, roles: Roles, reading: Reading = AS_USUAL, axis: Axis | None = None
    ) -> None:
        self.table, self.roles, self._fills = table, roles, bool(reading.fill_gaps)
        cells = Cells(table, roles, reading.date_format, None if axis is None else axis.form)
        self.format = "" if cells.form is None else cells.form.format
        step = None if axis is None else axis.step
        columns, spans = [Spill("float64") for _ in roles.numbers], []
        self.filled = 0
        for name, rows in _rows(cells):
            one, start = Ordered(cells, name, rows, reading, step), len(columns[0])
            for column, chunks in zip(columns, one.columns(), strict=True):
                for chunk in chunks:
                    column.extend(chunk)
            self.filled += one.filled
            stop, times = len(columns[0]), (one.first, one.last)
            spans.append(Span(name, start, stop, one.axis, *times, one.future, one.times))
        self.spans = tuple(spans)
        self.series = [each.array() for each in columns]

    def __len__(self) -> int:
        return len(self.series[0])

    def before(self, places: NDArray[Any], count: int) -> NDArray[Any]:
        """Return the ``count`` values of all columns before each of some places, (count, B, C)."""
        steps = places + numpy.arange(-count, 0)[:, None]
        return numpy.stack([taken(series, steps) for series in self.series], 2)

    def known(self, places: NDArray[Any], count: int) -> NDArray[Any]:
        """Return the ``count`` values from places on of what is known ahead, (count, B, K)."""
        steps = places + numpy.arange(count)[:, None]
        columns = self.series[len(self.series) - len(self.roles.known) :]
        if not self.roles.known:
            return numpy.empty((*steps.shape, 0))
        return numpy.stack([taken(column, steps) for column in columns], 2)

    def description(self) -> str:
        """Return which columns are read, and as what, in one line."""
        roles, parts = self.roles, []
        if roles.series is not None:
            parts.append(f"{roles.series} (tells {counted(len(self.spans), 'series')[:-1]}s apart)")
        if roles.time:
            parts.append(f"{' + '.join(roles.time)} (time, {self._axes()})")
        parts.append(f"{roles.target} (target)")
        parts += [f"{name} (feature)" for name in roles.also]
        parts += [f"{name} (feature, known for the future)" for name in roles.known]
        count = len(roles.all)
        return f"reads {counted(count, 'columns')}: {', '.join(parts)}"

    def _axes(self) -> str:
        """Return the step of the times, and what is missing on them, in words."""
        axes = [span.axis for span in self.spans if span.axis is not None]
        if len(axes) == 1:
            return axes[0].description()
        if not axes:
            return "no record"
        step, missing = axes[0].step, sum(axis.missing for axis in axes)
        text = "irregular: records are read as they come" if step is None else str(step)
        text += f", {counted(missing, f'{step.name}s')} missing" if step and missing else ""
        turned = sum(axis.newest_first for axis in axes)
        return text + (", newest first: turned round" if turned else "")

    def notes(self) -> list[str]:
        """Return what is to be said of gaps, a line each."""
        notes = []
        if self.filled:
            cells = "cell is" if self.filled == 1 else "cells are"
            notes.append(f"{self.filled:,} empty {cells} interpolated")
        missing = sum(span.axis.missing for span in self.spans if span.axis is not None)
        if missing and self._fills:
            are = "is" if missing == 1 else "are"
            notes.append(f"{counted(missing, 'steps')} without a record {are} interpolated")
        elif missing:
            one = missing == 1
            notes.append(
                f"{counted(missing, 'steps')} without a record {'is' if one else 'are'} left out, "
                f"as if those around {'it' if one else 'them'} were neighbours: --fill-gaps "
                f"interpolates {'it' if one else 'them'}"
            )
        return notes


def _rows(cells: Cells) -> Iterator[tuple[str, Any]]:
    """Give the name of each series, and its records: a slice, or their places."""
    if cells.series is None:
        yield "", slice(None)
        return
    order = numpy.argsort(cells.series, kind="stable")
    ends = numpy.cumsum(numpy.bincount(cells.series, minlength=len(cells.names)))
    for name, rows in zip(cells.names, numpy.split(order, ends[:-1]), strict=True):
        is_block = int(rows[-1]) - int(rows[0]) + 1 == len(rows)
        yield name, slice(int(rows[0]), int(rows[-1]) + 1) if is_block else rows
