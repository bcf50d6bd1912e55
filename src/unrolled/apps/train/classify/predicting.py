"""Classes of new sequences, told by a trained model."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ....errors import UserError
from ..batch import padded
from ..checkpoint import best_model
from ..table.delimited import row
from ..table.memory import MemoryTable
from ..table.numbers import missing
from ..table.table import Record, Table
from .problem import Classification
from .task import table

CHUNK = 256
"""How many records are in memory at a time."""


class Line(NamedTuple):
    """A line of output; ``aside`` if it is about the output."""

    text: str
    aside: bool = False


def predict(run: Path, file: Path | None, texts: list[str]) -> Iterator[Line]:
    """Yield for each record its line in the file, the class and its probability, as CSV.

    Args:
        run: folder of a run, or a checkpoint.
        file: a table; None: `texts`, or the built-in digits.
        texts: sequences, instead of a table.

    Raises:
        UserError: it is a run of another kind, or a record does not fit it.
    """
    problem, model = best_model(run, Classification)
    if file is not None and texts:
        raise UserError("a FILE and --text contradict each other: give one of them")
    return _lines(model, problem, _typed(problem, texts) if texts else table(file))


def _lines(model: nn.Module, problem: Classification, source: Table) -> Iterator[Line]:
    columns = [source.column(name) for name in problem.cells.columns]
    label = source.column(problem.label) if problem.label in source.columns else None
    yield Line(row(["line", problem.label, "probability"]))
    right = known = 0
    records = iter(source)
    while chunk := list(islice(records, CHUNK)):
        rows, lengths = padded([encoded(problem, source, record, columns) for record in chunk])
        with torch.no_grad():
            chances, classes = model(rows, lengths=lengths)[0].softmax(-1).max(1)
        if not torch.isfinite(chances).all():
            raise UserError("the probabilities are not finite: the model's weights are too large")
        for record, chance, number in zip(chunk, chances.tolist(), classes.tolist(), strict=True):
            yield Line(row([record.line, problem.classes[number], f"{chance:.4f}"]))
            if label is not None and not missing(record.values[label]):
                known += 1
                right += str(record.values[label]).strip() == problem.classes[number]
    if known:
        yield Line(f"{right} of {known} are right: {right / known:.1%}", aside=True)


def encoded(problem: Classification, source: Table, record: Record, columns: list[int]) -> Any:
    """Return what the model reads of a record, (T, …).

    Raises:
        UserError: a cell does not hold what the run reads.
    """
    raw = problem.cells.raw(source, record, columns)
    size = problem.reading.kind.width
    if not problem.cells.text and raw and problem.cells.size(raw) != size:
        raise UserError(
            f"{source.where(record, columns[0])}: steps of {problem.cells.size(raw)} numbers, but "
            f"the run has {size}"
        )
    return problem.encode(raw)


def _typed(problem: Classification, texts: list[str]) -> Table:
    names = problem.cells.columns
    if len(names) == 1:
        return MemoryTable("--text", names, [[text] for text in texts])
    rows: list[list[Any]] = [text.replace(",", " ").split() for text in texts]
    for text, values in zip(texts, rows, strict=True):
        if len(values) != len(names):
            raise UserError(
                f"--text {text!r} has {len(values)} values, but the run reads {len(names)} columns"
            )
    return MemoryTable("--text", names, rows)
