"""What speaks against judging a run: too little training, or answers no better than guessing."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...speech import Count, Sentence, Speaker, read_catalogue
from .checkpoint import Checkpoint
from .classify.problem import Classification
from .language import Characters
from .task import Problem

CHINESE = read_catalogue("unrolled.apps.train")["sentences"]
FEW = 100
"""Steps below which a run says nothing of its model: the learning rate alone rises over 50."""
BLIND = ("every symbol equally likely", "every class equally likely", "symbol frequencies")
"""The simple predictors that look at nothing before an answer."""


def doubts(
    checkpoint: Checkpoint, baselines: Mapping[str, float] | None = None, language: str = "en"
) -> list[Sentence]:
    """Return why a run cannot be judged as yet, in sentences; none if it can.

    Args:
        checkpoint: of the run.
        baselines: losses of simple predictors on the held-out part, by name. None: those that
            follow from the problem alone.
        language: en or zh.
    """
    baselines = equally_likely(checkpoint.problem) if baselines is None else baselines
    found = [_too_few(checkpoint), _no_better(checkpoint, baselines)]
    speaker = Speaker(language, CHINESE)
    return [each.said(speaker) for each in found if each is not None]


def equally_likely(problem: Problem) -> dict[str, float]:
    """Return the loss of answers that are all as likely, by name, where the loss is one of them.

    >>> equally_likely(Characters("abcd"))
    {'every symbol equally likely': 2.0}
    """
    if isinstance(problem, Characters):
        return {"every symbol equally likely": math.log2(len(problem.vocabulary))}
    if isinstance(problem, Classification):
        return {"every class equally likely": math.log(len(problem.classes))}
    return {}


def _too_few(checkpoint: Checkpoint) -> Sentence | None:
    if checkpoint.step >= FEW:
        return None
    return Sentence(
        "The model was trained for {steps}: fewer than {least} are too few to judge it by.",
        steps=Count(checkpoint.step, "steps"),
        least=FEW,
    )


def _no_better(checkpoint: Checkpoint, baselines: Mapping[str, float]) -> Sentence | None:
    """Say that a model is no better than a predictor that does not look back, the simplest one."""
    if checkpoint.last is None:
        return Sentence("The model has not been measured on the held-out part.")
    loss = checkpoint.last.loss
    missed = {name: least for name, least in baselines.items() if name in BLIND and loss >= least}
    if not missed:
        return None
    name = max(missed, key=missed.__getitem__)
    return Sentence(
        "On the held-out part the model is no better than a predictor that knows nothing of what "
        "came before ({name}: {least} {unit}; the model: {loss}): it has learned too little, or "
        "was trained for too few steps, to be judged.",
        name=Sentence(name),
        least=f"{missed[name]:.3f}",
        unit=Sentence(checkpoint.metric.name),
        loss=f"{loss:.3f}",
    )
