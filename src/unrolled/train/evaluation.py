"""The held-out loss."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from .model import CharacterModel, States
from .text import Corpus

STREAM = 512
"""About how many held-out symbols one stream predicts; streams run side by side."""

WARM_UP = 128
"""How many symbols a stream reads before its first prediction counts."""

CHUNK = 8192
"""How many predictions are in memory at a time."""


def held_out_bits(model: CharacterModel, corpus: Corpus) -> float:
    """Bits per character of ``model`` on the held-out part: each symbol predicted exactly once.

    The part is cut into streams, each warmed up by the symbols before it, so that the figure
    hardly depends on the cutting.
    """
    inputs, targets = _streams(corpus)
    time = max(1, CHUNK // inputs.shape[1])
    training = model.training
    model.eval()
    total, states = 0.0, None
    with torch.no_grad():
        for x, y in zip(inputs.split(time), targets.split(time), strict=True):
            nats, states = _nats(model, x, y, states)
            total += nats
    model.train(training)
    return total / len(corpus.held_out) / math.log(2)


def _streams(corpus: Corpus) -> tuple[Tensor, Tensor]:
    """Inputs and targets, (T, B); a target that does not count is -100."""
    count = len(corpus.held_out)
    batch = min(256, math.ceil(count / STREAM))
    length = math.ceil(count / batch)
    warm_up = min(WARM_UP, corpus.start - 1)
    time = torch.arange(-warm_up, length)[:, None]
    place = corpus.start + torch.arange(batch) * length + time
    counts = (time >= 0) & (place < len(corpus.ids))
    place = place.clamp(max=len(corpus.ids) - 1)
    return corpus.ids[place - 1], corpus.ids[place].long().where(counts, -100)


def _nats(
    model: CharacterModel, x: Tensor, y: Tensor, states: States | None
) -> tuple[float, States]:
    logits, after = model(x, states)
    loss = functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum")
    return loss.item(), after
