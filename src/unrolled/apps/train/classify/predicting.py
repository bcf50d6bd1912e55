"""Classes of new sequences, told by a trained model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from ....display import counted
from ....errors import UserError
from ..batch import padded
from ..checkpoint import best_model
from ..table.delimited import row
from ..table.format import AS_FOUND, FormatOptions
from ..table.memory import memory_table
from ..table.table import LINE, Table
from .classes import Classes
from .problem import Classification
from .task import table

if TYPE_CHECKING:
    import polars

CHUNK = 256
"""How many records are in memory at a time."""


class Line(NamedTuple):
    """A line of output; ``aside`` if it is about the output."""

    text: str
    aside: bool = False


def predict(
    run: Path, file: Path | None, texts: list[str], options: FormatOptions = AS_FOUND
) -> Iterator[Line]:
    """Yield for each record its line in the file, the class and its probability, as CSV.

    Args:
        run: folder of a run, or a checkpoint.
        file: a table; None: `texts`, or the built-in digits.
        texts: sequences, instead of a table.
        options: of how the table is read, beside what the run knows.

    Raises:
        UserError: it is a run of another kind, or a record does not fit it.
    """
    problem, model = best_model(run, Classification)
    if file is not None and texts:
        raise UserError("a FILE and --text contradict each other: give one of them")
    source = _typed(problem, texts) if texts else table(file, options, problem.format)
    return _lines(model, problem, source)


def _lines(model: nn.Module, problem: Classification, source: Table) -> Iterator[Line]:
    label = source.column(problem.label) if problem.label in source.columns else None
    known = Classes(problem.classes)
    yield Line(row(["line", problem.label, "probability"]))
    right = told = empty = 0
    strange: Counter[str] = Counter()
    for frame in source.frames():
        for part in frame.iter_slices(CHUNK):
            chances, classes = _told(model, problem, source, part)
            for line, chance, number in zip(part[LINE], chances, classes, strict=True):
                yield Line(row([line, problem.classes[number], f"{chance:.4f}"]))
            labels = [] if label is None else part[str(label)].to_list()
            for cell, number in zip(labels, classes, strict=False):
                place = known.place(cell)
                if place is not None:
                    told += 1
                    right += place == number
                elif cell is None:
                    empty += 1
                else:
                    strange[cell.strip()] += 1
    if told:
        yield Line(f"{right} of {told} are right: {right / told:.1%}", aside=True)
    if empty and told:
        yield Line(f"{counted(empty, 'records')} without a class are not counted", aside=True)
    if strange:
        names = ", ".join(map(repr, list(strange)[:5])) + (", …" if len(strange) > 5 else "")
        count = counted(strange.total(), "records")
        yield Line(f"{count} of classes that the run does not know: {names}", aside=True)


def _told(
    model: nn.Module, problem: Classification, source: Table, part: polars.DataFrame
) -> tuple[list[float], list[int]]:
    """Return for each record the likeliest class and its probability."""
    rows, lengths = padded(encoded(problem, source, part))
    with torch.no_grad():
        chances, classes = model(rows, lengths=lengths)[0].softmax(-1).max(1)
    if not torch.isfinite(chances).all():
        raise UserError("the probabilities are not finite: the model's weights are too large")
    return chances.tolist(), classes.tolist()


def encoded(problem: Classification, source: Table, part: polars.DataFrame) -> list[Tensor]:
    """Return what the model reads of the records of a chunk, each (T, …).

    Raises:
        UserError: a cell does not hold what the run reads.
    """
    size, found = problem.reading.kind.width, []
    for line, raw in zip(part[LINE], problem.cells.sequences(source, part), strict=True):
        if not isinstance(raw, str) and len(raw) and raw.shape[1] != size:
            where = source.where(line, source.column(problem.cells.columns[0]))
            raise UserError(f"{where}: steps of {raw.shape[1]} numbers, but the run has {size}")
        found.append(problem.encode(raw))
    return found


def _typed(problem: Classification, texts: list[str]) -> Table:
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
