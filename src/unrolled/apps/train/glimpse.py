"""A few of the inputs that a trained model is used with, to look into it while it reads them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy

from ...errors import UserError
from .characters import Characters
from .checkpoint import Checkpoint
from .classify.problem import Classification
from .excerpts import excerpts, words_for
from .padding import padded
from .pairs.problem import Translation
from .series.problem import Forecasting
from .table.table import Table

COUNT = 64
"""How many records, windows or pairs."""

Inputs = dict[str, Any]
"""The arguments of a model, by name."""


def glimpse(checkpoint: Checkpoint, text: str | None, file: Path | None) -> Inputs:
    """What the model of a run reads.

    Args:
        checkpoint: of the run.
        text: for a run on text: a file, or the text itself; see `words_for`.
        file: for a run on a table: one with the same columns. None: the data that come with a
            package, for a run on these.

    Raises:
        UserError: the data cannot be read, do not fit the run, or are not there.
    """
    problem = checkpoint.problem
    if isinstance(problem, Characters):
        if file is not None:
            raise UserError("--file is for a run on a table; this one reads text: give --text")
        return {"ids": excerpts(words_for(checkpoint, text), problem.vocabulary)}
    if text is not None:
        raise UserError(
            f"--text is for a run on text; this one, of `train {problem.kind}`, reads a table: "
            "give --file"
        )
    if isinstance(problem, Classification):
        from .classify.making import table

        return _records(problem, _own(checkpoint, table(file), file))
    if isinstance(problem, Forecasting):
        from .series.making import table

        return _windows(problem, _own(checkpoint, table(file), file))
    if isinstance(problem, Translation):
        from .pairs.making import table

        return _pairs(problem, _own(checkpoint, table(file, None), file))
    raise UserError(f"it is not known what a model of `train {problem.kind}` reads")


def _own(checkpoint: Checkpoint, table: Table, file: Path | None) -> Table:
    """A table; without a file it is the one that comes with a package, if the run was on it."""
    if file is None and table.digest() != checkpoint.digest:
        raise UserError("the run was trained on a table of its own: name it by --file")
    return table


def _records(problem: Classification, table: Table) -> Inputs:
    """The first records."""
    from .classify.predicting import encoded

    columns = [table.column(name) for name in problem.cells.columns]
    rows = [encoded(problem, table, record, columns) for record in islice(table, COUNT)]
    if not rows:
        raise UserError(f"{table.name} has no records")
    sequences, lengths = padded(rows)
    return {"input": sequences, "lengths": lengths}


def _windows(problem: Forecasting, table: Table) -> Inputs:
    """The last windows."""
    from .series.forecasting import values_for

    values = values_for(problem, table, "error")
    ends = numpy.arange(max(problem.window, len(values) - COUNT + 1), len(values) + 1)
    return {"input": problem.encode(values.before(ends, problem.window))}


def _pairs(problem: Translation, table: Table) -> Inputs:
    """The first pairs."""
    from .pairs.examples import Pairs

    pairs = Pairs(table, None, None, problem.source.by, problem.longest)
    some = list(pairs.at(numpy.arange(min(COUNT, len(pairs)))))
    if not some:
        raise UserError(f"{table.name} has no pairs of at most {problem.longest} symbols")
    sources, source_lengths = problem.sources([source for source, _ in some])
    targets, target_lengths = problem.targets([target for _, target in some])
    return {
        "source": sources,
        "targets": targets,
        "source_lengths": source_lengths,
        "target_lengths": target_lengths,
    }
