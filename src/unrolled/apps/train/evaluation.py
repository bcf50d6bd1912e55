"""The held-out loss of a character model."""

import math
import sys
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from .source import Source
from .states import States

STREAM = 512
"""About how many held-out symbols one stream predicts; streams run side by side."""

WARM_UP = 128
"""How many symbols a stream reads before its first prediction counts."""

CHUNK = 8192
"""How many predictions are in memory at a time."""


def held_out_bits(model: nn.Module, source: Source, at_most: int = sys.maxsize) -> float:
    """Bits per character of ``model`` on the held-out part: each symbol predicted exactly once.

    The part, or its first ``at_most`` symbols, is cut into streams, each warmed up by the symbols
    before it, so that the figure hardly depends on the cutting.
    """
    device = next(model.parameters()).device
    count = min(len(source) - source.start, at_most)
    training = model.training
    model.eval()
    total, states = 0.0, None
    with torch.no_grad():
        for x, y in _chunks(source, count):
            nats, states = _nats(model, x.to(device), y.to(device), states)
            total += nats
    model.train(training)
    return total / count / math.log(2)


def _chunks(source: Source, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets, (T, B); a target that does not count is -100."""
    batch = min(256, math.ceil(count / STREAM))
    length = math.ceil(count / batch)
    warm_up = min(WARM_UP, source.start - 1)
    streams = torch.arange(batch) * length
    size = max(1, CHUNK // batch)
    for first in range(-warm_up, length, size):
        last = min(first + size, length)
        ids = source.windows(source.start + streams + first - 1, last - first + 1)
        time = torch.arange(first, last)[:, None]
        counts = (time >= 0) & (streams + time < count)
        yield ids[:-1], ids[1:].long().where(counts, -100)


def _nats(model: nn.Module, x: Tensor, y: Tensor, states: States | None) -> tuple[float, States]:
    logits, after = model(x, states)
    loss = functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="sum")
    return loss.item(), after
