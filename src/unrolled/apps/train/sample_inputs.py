"""A few of the inputs that a trained model is used with, to look into it."""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path
from typing import Any

import numpy
from torch import Tensor

from ...errors import UserError
from . import text
from .batch import padded
from .checkpoint import Checkpoint
from .classify import task as classify
from .classify.predicting import encoded
from .classify.problem import Classification
from .language import Characters
from .pairs import task as pairs
from .pairs.examples import Pairs
from .pairs.problem import Translation
from .series import task as series
from .series.problem import Forecasting
from .table.table import Table

STEPS = 128
ROWS = 8
LEAST = 16
"""The fewest characters that say anything."""


def words_for(checkpoint: Checkpoint, given: str | None) -> str:
    """Return the text to look with: a file, the text itself, or what the run was held out from.

    Args:
        checkpoint: of the run.
        given: the name of a UTF-8 file, or, if it holds white space and no file is called so, the
            text itself. None: the held-out part of Python's help topics, for a run on these.

    Raises:
        UserError: the file cannot be read, or there is no text for the run.
    """
    if given is not None:
        is_text = any(map(str.isspace, given)) and not _exists(given)
        return given if is_text else text.read(Path(given))
    words = text.default()
    if hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest() != checkpoint.digest:
        raise UserError("the run was trained on a text of its own: name a file of it by --text")
    return words[int(len(words) * (1 - checkpoint.settings.held_out)) :]


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # longer than a name can be
        return False


def excerpts(words: str, vocabulary: str, steps: int = STEPS) -> Tensor:
    """Take up to 8 excerpts of up to `steps` characters, spread over a text: int64 ids (T, B).

    Raises:
        UserError: the text is too short, or has a character that the vocabulary lacks.

    >>> excerpts("abba" * 100, "ab").shape
    torch.Size([128, 3])
    """
    if len(words) < LEAST:
        raise UserError(f"--text has {len(words)} characters: it takes at least {LEAST}")
    steps = min(steps, len(words))
    rows = min(ROWS, len(words) // steps)
    stride = len(words) // rows
    parts = [words[row * stride : row * stride + steps] for row in range(rows)]
    return text.encode("".join(parts), vocabulary).long().view(rows, steps).T.contiguous()


COUNT = 64
"""How many records, windows or pairs."""

Inputs = dict[str, Any]
"""The arguments of a model, by name."""


def sample_inputs(
    checkpoint: Checkpoint, text: str | None, file: Path | None, steps: int = STEPS
) -> Inputs:
    """Return what the model of a run reads.

    Args:
        checkpoint: of the run.
        text: for a run on text: a file, or the text itself; see `words_for`.
        file: for a run on a table: one with the same columns. None: the data that come with a
            package, for a run on these.
        steps: how many characters of a text are read in a row.

    Raises:
        UserError: the data cannot be read, do not fit the run, or are not there.
    """
    problem = checkpoint.problem
    if isinstance(problem, Characters):
        if file is not None:
            raise UserError("--file is for a run on a table; this one reads text: give --text")
        return {"input": excerpts(words_for(checkpoint, text), problem.vocabulary, steps)}
    if text is not None:
        raise UserError(
            f"--text is for a run on text; this one, of `train {problem.kind}`, reads a table: "
            "give --file"
        )
    if isinstance(problem, Classification):
        return _records(problem, _own(checkpoint, classify.table(file), file))
    if isinstance(problem, Forecasting):
        return _windows(problem, _own(checkpoint, series.table(file), file))
    assert isinstance(problem, Translation)
    return _pairs(problem, _own(checkpoint, pairs.table(file, None), file))


def _own(checkpoint: Checkpoint, table: Table, file: Path | None) -> Table:
    """Return a table; without a file, that of a package if the run was on it."""
    if file is None and table.digest() != checkpoint.digest:
        raise UserError("the run was trained on a table of its own: name it by --file")
    return table


def _records(problem: Classification, table: Table) -> Inputs:
    """Return the first records."""
    columns = [table.column(name) for name in problem.cells.columns]
    rows = [encoded(problem, table, record, columns) for record in islice(table, COUNT)]
    if not rows:
        raise UserError(f"{table.name} has no records")
    sequences, lengths = padded(rows)
    return {"input": sequences, "lengths": lengths}


def _windows(problem: Forecasting, table: Table) -> Inputs:
    """Return the last windows."""
    values = series.values_for(problem, table)
    ends = numpy.arange(max(problem.window, len(values) - COUNT + 1), len(values) + 1)
    return {"input": problem.encode(values.before(ends, problem.window))}


def _pairs(problem: Translation, table: Table) -> Inputs:
    """Return the first pairs."""
    found = Pairs(table, None, None, problem.source.by, problem.longest)
    some = list(found.at(numpy.arange(min(COUNT, len(found)))))
    if not some:
        raise UserError(f"{table.name} has no pairs of at most {problem.longest} symbols")
    batch = problem.batch(some, len(some))
    names = ("source", "source_lengths", "targets", "target_lengths")
    return dict(zip(names, (*batch.inputs, *batch.targets), strict=True))
