"""The function `unrolled.load`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from . import checkpoint as checkpoints
from .classify.run import ClassifyRun
from .pairs.run import PairsRun
from .run import Run
from .series.run import SeriesRun
from .text_run import TextRun

RUNS: dict[str, type[Run[Any]]] = {
    each.PROBLEM.kind: each for each in (ClassifyRun, PairsRun, SeriesRun, TextRun)
}
"""By kind."""


def load(run: str | os.PathLike[str]) -> Run[Any]:
    """Load what `unrolled train` has trained, to use it in Python.

    It has what fits its kind: ``predict(sequences)`` after ``train classify``,
    ``forecast(values, steps=…)`` after ``train series``, ``translate(texts)`` after ``train
    pairs``, ``sample(prompt)`` and ``score(text)`` after ``train text``, and ``encode(…)``, the
    hidden states, after all of them. Where types are checked, `ClassifyRun.load` and those of
    `SeriesRun`, `PairsRun` and `TextRun` say which kind is expected.

    Args:
        run: the folder of a run, of which the best model is taken, or the last one if none was
            evaluated; or a checkpoint in it.

    Raises:
        UserError: there is none, or it is damaged.

    >>> import tempfile
    >>> import unrolled
    >>> from unrolled.apps.train import checkpoint
    >>> from unrolled.apps.train.language import Language
    >>> from unrolled.apps.train.settings import Settings
    >>> from unrolled.apps.train.text import Corpus
    >>> from unrolled.apps.train.training import Training
    >>> settings = Settings(hidden=8, batch=4, window=8)
    >>> task = Language(settings, Corpus.of("to be or not to be. " * 20))
    >>> training = Training(task, unrolled.cells.gru)      # as `unrolled train text` makes it
    >>> _ = training.advance()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint.save(Path(folder) / checkpoint.NAME, training.checkpoint())
    ...     run = unrolled.load(folder)
    >>> run.kind, run.step, run.cell.name
    ('text', 1, 'gru')
    >>> len(run.sample("to be", length=7, seed=1))
    7
    >>> run.encode("to be")[0].shape
    (5, 8)
    >>> run.forecast()
    Traceback (most recent call last):
    AttributeError: this run writes text: it has no forecast(), which runs of `train series` have
    """
    path = Path(run)
    checkpoint = checkpoints.best(path)
    return RUNS[checkpoint.problem.kind](checkpoint, path)
