"""Predicting the next character of a text."""

from __future__ import annotations

from typing import final

import torch
from torch import nn
from torch.nn import functional

from ...errors import UserError
from .baseline import ngram, uniform
from .batch import Batch
from .characters import Characters
from .evaluation import held_out_bits
from .settings import Settings
from .share import Share
from .source import Source
from .states import States
from .task import Loss, Task
from .text import Corpus
from .unit import BITS

COUNTED = 2_000_000
"""The longest text, in characters, whose n-grams are counted: that takes seconds."""


@final
class Language(Task):
    """A character language model by truncated back-propagation through time.

    B streams go through the training part side by side, a window of T characters a step. States
    are carried from window to window, and begin anew with the text. Where a step stands in the
    text follows from its number alone.

    Raises:
        UserError: the text is too short for one window of every stream.
    """

    def __init__(self, settings: Settings, source: Source) -> None:
        self.settings, self.source = settings, source
        self.problem, self.digest, self.unit = Characters(source.vocabulary), source.digest, BITS
        self.length = _length(source, settings)

    def batch(self, step: int, share: Share) -> Batch:
        """A window of each stream: inputs and targets (T, B)."""
        B, T = self.settings.batch, self.settings.window
        start = step % (self.length // T) * T
        streams = share.rows(B)
        starts = torch.arange(streams.start, streams.stop) * self.length + start
        ids = self.source.windows(starts, T + 1)
        return Batch(inputs=(ids[:-1],), targets=(ids[1:].long(),), count=B * T, fresh=start == 0)

    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Cross-entropy of the next characters."""
        logits, after = model(*batch.inputs, states)
        (targets,) = batch.targets
        nats = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
        return Loss(nats, after)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Bits per character on the held-out part."""
        return {"loss": held_out_bits(model, self.source, self.settings.evaluate_at_most)}

    def baselines(self) -> dict[str, float]:
        """What a uniform distribution, frequencies and a 5-gram reach."""
        found = {"every symbol equally likely": uniform(self.source)}
        if isinstance(self.source, Corpus) and len(self.source) <= COUNTED:
            found["symbol frequencies"] = ngram(self.source, 1)
            found["interpolated 5-gram"] = ngram(self.source, 5)
        return found


def _length(source: Source, settings: Settings) -> int:
    """How many characters each stream predicts."""
    B, T, count = settings.batch, settings.window, source.start
    if count <= B * T:
        raise UserError(
            f"the training part has {count} characters, and --batch {B} times --window {T} "
            f"needs more than {B * T}: give more text, or a smaller batch or window"
        )
    return (count - 1) // B
