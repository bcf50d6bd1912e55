"""Sequences from Python, as a run that classifies reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy
from numpy.typing import NDArray

from ....errors import UserError
from ..table.memory import memory_table
from ..table.numerals import GREATEST
from ..table.table import Table
from .problem import Classification
from .reading import Sequence


def sequences(problem: Classification, given: Any) -> list[Sequence]:
    """Return what was given, one sequence or several, as `Cells` would read it from a table.

    Args:
        problem: of the run.
        given: a table with the run's columns, as a mapping of columns or a data frame; texts; or
            numbers in arrays, tensors or lists. Of numbers (T, I) are one sequence, (N, T, I) are N
            of them; if a step is one number, so are (T,) and (N, T); if a sequence stands in C
            columns of a table, so are (C,) and (N, C).

    Raises:
        UserError: it is something else, or does not fit the run.
    """
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        return _of_table(problem, _table(problem, given))
    if isinstance(given, str):
        given = [given]
    elif hasattr(given, "detach"):
        given = given.detach().cpu().numpy()
    items = list(given) if isinstance(given, Iterable) else [given]
    if items and all(isinstance(item, str) for item in items):
        texts = [str(item) for item in items]
        return list(texts) if problem.cells.text else _of_table(problem, typed(problem, texts))
    if problem.cells.text:
        for place, item in enumerate(items, 1):
            if not isinstance(item, str):
                raise UserError(f"sequence {place} is {_brief(item)}: a text is expected")
    return _of_numbers(problem, given, items)


def typed(problem: Classification, texts: list[str]) -> Table:
    """Return a table of sequences that are written out: texts, or lists of numbers.

    Raises:
        UserError: one has not as many numbers as the run reads columns.
    """
    names = problem.cells.columns
    if len(names) == 1:
        return memory_table("--text", names, [[text] for text in texts])
    rows: list[list[Any]] = [text.replace(",", " ").split() for text in texts]
    for text, values in zip(texts, rows, strict=True):
        if len(values) != len(names):
            raise UserError(
                f"--text {text!r} has {len(values)} values, but the run reads {len(names)} columns"
            )
    return memory_table("--text", names, rows)


def _table(problem: Classification, given: Any) -> Table:
    """Return the run's columns of a mapping or data frame."""
    known = list(given if isinstance(given, Mapping) else given.columns)
    columns: list[list[Any]] = []
    for name in problem.cells.columns:
        if name not in known:
            names = ", ".join(map(repr, known[:20]))
            raise UserError(f"the data have no column {name!r}, which the run reads: only {names}")
        columns.append([_plain(cell) for cell in given[name]])
    if len({len(column) for column in columns}) > 1:
        lengths = ", ".join(str(len(column)) for column in columns[:20])
        raise UserError(
            f"the columns of the data have {lengths} cells: as many are expected in all"
        )
    return memory_table("the data", problem.cells.columns, list(zip(*columns, strict=True)))


def _plain(cell: Any) -> Any:
    """Return a cell as JSON has it."""
    return cell.tolist() if hasattr(cell, "tolist") else cell


def _of_table(problem: Classification, table: Table) -> list[Sequence]:
    return [
        sequence for frame in table.frames() for sequence in problem.cells.sequences(table, frame)
    ]


def _of_numbers(problem: Classification, given: Any, items: list[Any]) -> list[Sequence]:
    """Return numbers as sequences (T, I) each."""
    width, columns = problem.reading.kind.width, len(problem.cells.columns)
    steps = columns // width if columns > 1 else None
    try:
        whole = numpy.asarray(given, "float64")
    except (TypeError, ValueError):
        whole = None  # sequences of different lengths
    if whole is not None:
        one = whole.ndim == 2 and whole.shape[1] == width and steps in (None, len(whole))
        several = width == 1 if steps is None else whole.ndim == 2 and whole.shape[1] == columns
        if whole.ndim == 0:
            raise UserError(f"{_brief(given)} is no sequence: numbers, or lists of them, are read")
        if (whole.ndim == 1 and len(whole)) or (one and not several):
            items = [whole]
    return [_steps(item, place, width, steps) for place, item in enumerate(items, 1)]


def _steps(item: Any, place: int, width: int, steps: int | None) -> NDArray[Any]:
    """Return one sequence as (T, I)."""
    if hasattr(item, "detach"):
        item = item.detach().cpu().numpy()
    try:
        found = numpy.asarray(item, "float64")
    except (TypeError, ValueError):
        what = "expected numbers, or lists of as many"
        raise UserError(f"sequence {place} is {_brief(item)}: {what}") from None
    if found.size == 0 and steps is None:
        return numpy.empty((0, width))
    if found.ndim == 1 and (width == 1 or (steps is not None and len(found) == steps * width)):
        found = found.reshape(-1, width)
    if found.ndim != 2 or found.shape[1] != width:
        size = found.shape[-1] if found.ndim == 2 else 1
        if found.ndim in (1, 2) and steps is None:
            raise UserError(f"sequence {place}: steps of {size} numbers, but the run has {width}")
        raise UserError(f"sequence {place} has the shape {found.shape}: {_shapes(width, steps)}")
    if steps not in (None, len(found)):
        raise UserError(f"sequence {place} has the shape {found.shape}: {_shapes(width, steps)}")
    fits = (numpy.abs(found) <= GREATEST).all(1)
    if not fits.all():
        step = int(fits.argmin())
        raise UserError(
            f"sequence {place}, step {step + 1}: {found[step]}: finite numbers up to {GREATEST:g} "
            "are expected"
        )
    return found


def _shapes(width: int, steps: int | None) -> str:
    if steps is None:
        return f"({'T,' if width == 1 else f'T, {width}'}) is expected"
    return f"({steps * width},) or ({steps}, {width}) is expected"


def _brief(value: Any) -> str:
    return repr(value)[:60]
