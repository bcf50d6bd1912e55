"""A few of the inputs that a trained model is used with, to look into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from ...display import counted
from ...errors import UserError
from . import text
from .batch import padded
from .checkpoint import Checkpoint
from .classify import task as classify
from .classify.predicting import fitting
from .classify.problem import Classification
from .language import Characters
from .pairs import task as pairs
from .pairs.examples import Pairs
from .pairs.problem import Translation
from .series import task as series
from .series.options import AS_USUAL, Reading
from .series.problem import Forecasting
from .table.format import AS_FOUND, FormatOptions
from .table.table import Table

STEPS = 128
ROWS = 8
LEAST = 16
"""The fewest characters that say anything."""


def source_for(checkpoint: Checkpoint, files: Sequence[Path] = ()) -> text.Source | None:
    """Return the text that a run was trained on; None if nobody says where it stands.

    Args:
        checkpoint: of the run.
        files: that it was trained on. None of them: Python's help topics, for a run on these.

    Raises:
        UserError: a file cannot be read, or the run was trained on other ones.
    """
    source = text.open_source(files, checkpoint.settings.held_out)
    if source.digest == checkpoint.digest:
        return source
    if files:
        raise UserError(f"--data is not the text that the run was trained on: {NAMED}")
    return None


NAMED = "name its files by --data, in the order in which `train text` got them"


def words_for(checkpoint: Checkpoint, given: str | None, source: text.Source | None = None) -> str:
    """Return the text to look with: a file, the text itself, or the held-out part of the run's.

    Args:
        checkpoint: of the run.
        given: see `unrolled.apps.train.text.given`. None: the held-out part of the run's text.
        source: the run's text. None: Python's help topics, for a run on these.

    Raises:
        UserError: the text is too short, the file cannot be read, or there is no text for the run.
    """
    if given is not None:
        words = text.given(given)
        _check_length(words, given)
        return words
    source = source or source_for(checkpoint)
    if source is None:
        raise UserError("the run was trained on a text of its own: name a file of it by --text")
    count = min(len(source) - source.start, READ)
    (ids,) = source.windows(torch.tensor([source.start]), count).T
    return "".join(source.vocabulary[place] for place in ids.tolist())


READ = 200_000
"""Characters of a held-out part, at most: of a large text not all has to be in memory."""


def _check_length(words: str, given: str | None = None) -> None:
    if len(words) >= LEAST:
        return
    missing = f"; there is no file {given!r}" if words and words == given else ""
    raise UserError(
        f"--text has {counted(len(words), 'characters')}: it takes at least {LEAST}{missing}"
    )


def excerpts(words: str, vocabulary: str, steps: int = STEPS) -> Tensor:
    """Take up to 8 excerpts of up to `steps` characters, spread over a text: int64 ids (T, B).

    Raises:
        UserError: the text is too short, or has a character that the vocabulary lacks.

    >>> excerpts("abba" * 100, "ab").shape
    torch.Size([128, 3])
    """
    _check_length(words)
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
    checkpoint: Checkpoint,
    text: str | None,
    file: Path | None,
    steps: int = STEPS,
    options: FormatOptions = AS_FOUND,
    reading: Reading = AS_USUAL,
) -> Inputs:
    """Return what the model of a run reads.

    Args:
        checkpoint: of the run.
        text: for a run on text: a file, or the text itself; see `words_for`.
        file: for a run on a table: one with the same columns. None: the data that come with a
            package, for a run on these.
        steps: how many characters of a text are read in a row.
        options: how a table is read; what is not told is as with the run's own.
        reading: how times and gaps of a series are read.

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
        table = classify.table(file, options, problem.format)
        return _records(problem, _own(checkpoint, table, file))
    if isinstance(problem, Forecasting):
        table = series.table(file, options, problem.format)
        return _windows(problem, _own(checkpoint, table, file), reading)
    assert isinstance(problem, Translation)
    return _pairs(problem, _own(checkpoint, pairs.table(file, options, problem.format), file))


def _own(checkpoint: Checkpoint, table: Table, file: Path | None) -> Table:
    """Return a table; without a file, that of a package if the run was on it."""
    if file is None and table.digest() != checkpoint.digest:
        raise UserError("the run was trained on a table of its own: name it by --file")
    return table


def _records(problem: Classification, table: Table) -> Inputs:
    """Return the first records."""
    frame = next(table.frames(), None)
    if frame is None:
        raise UserError(f"{table.name} has no records")
    rows = map(problem.encode, fitting(problem, table, frame.head(COUNT)))
    sequences, lengths = padded(list(rows))
    return {"input": sequences, "lengths": lengths}


def _windows(problem: Forecasting, table: Table, reading: Reading) -> Inputs:
    """Return the last windows."""
    values = series.values_for(problem, table, reading)
    return {"input": series.last_windows(problem, values, COUNT)}


def _pairs(problem: Translation, table: Table) -> Inputs:
    """Return the first pairs."""
    found = Pairs(table, None, None, problem.source.by, problem.longest)
    some = list(found.at(numpy.arange(min(COUNT, len(found)))))
    if not some:
        raise UserError(f"{table.name} has no pairs of at most {problem.longest} symbols")
    batch = problem.batch(some, len(some))
    names = ("source", "source_lengths", "targets", "target_lengths")
    return dict(zip(names, (*batch.inputs, *batch.targets), strict=True))
