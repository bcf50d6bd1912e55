"""A layer that torch.nn has too: the same weights and numbers for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import torch
from torch.nn import Module

from ... import nn
from .shape import Shape
from .work import Feed, feed, flops

CLASSES = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


@final
@dataclass(frozen=True)
class Problem:
    """One layer of a standard cell at one shape.

    Attributes:
        cell: rnn, gru or lstm.
        projected: whether the hidden state is projected to half its units (LSTM alone).
        ragged: whether the rows have different lengths.
    """

    cell: str
    shape: Shape
    projected: bool = False
    ragged: bool = False

    @cached_property
    def theirs(self) -> Module:
        """The layer of torch.nn."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return getattr(torch.nn, CLASSES[self.cell])(*self._sizes, **self._options)

    @cached_property
    def ours(self) -> Module:
        """Ours, with the same weights."""
        layer = getattr(nn, CLASSES[self.cell])(*self._sizes, **self._options)
        layer.load_state_dict(self.theirs.state_dict())
        return layer

    @cached_property
    def exact(self) -> Module:
        """That of torch.nn in float64."""
        layer = getattr(torch.nn, CLASSES[self.cell])(*self._sizes, **self._options).double()
        layer.load_state_dict(self.theirs.state_dict())
        return layer

    @cached_property
    def feed(self) -> Feed:
        """What all of them are called with."""
        hidden = self._options.get("proj_size", self.shape.H)
        units = (hidden, self.shape.H) if self.cell == "lstm" else (hidden,)
        return feed(self.shape, units, self.ragged)

    @property
    def flops(self) -> int:
        """Of the products, forward."""
        return flops(self.theirs, self.feed.rows)

    @property
    def _sizes(self) -> tuple[int, int]:
        return self.shape.I, self.shape.H

    @property
    def _options(self) -> dict[str, Any]:
        return {"proj_size": max(1, self.shape.H // 2)} if self.projected else {}
