"""Sequences chosen step by step: greedily, by chance, by beam search."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, final

import torch
from torch import Tensor

from ..display import page_of, text_of
from ..nn.weights import States


@final
@dataclass(frozen=True)
class Carried:
    """The state of writing between one step and the next.

    Attributes:
        states: of the decoder's layers, each (L, B, H); None before the first step: 0.
        memory: what attention looks at, (S, B, M); None without attention.
        mask: which steps of the memory there are, (S, B); None: all.
        weights: of attention at the last step, (B, S); None without attention.
    """

    states: States | None
    memory: Tensor | None = None
    mask: Tensor | None = None
    weights: Tensor | None = None

    __repr__ = text_of
    _repr_html_ = page_of

    def rows(self, index: Tensor) -> Carried:
        """Return the rows of an index (N,), in its order; rows may repeat."""

        def chosen(value: Any, dimension: int) -> Any:
            if isinstance(value, tuple):
                return tuple(state.index_select(dimension, index) for state in value)
            return None if value is None else value.index_select(dimension, index)

        return Carried(
            chosen(self.states, 1),
            chosen(self.memory, 1),
            chosen(self.mask, 1),
            chosen(self.weights, 0),
        )


Begun: TypeAlias = tuple[Tensor, Carried]
"""The logits (B, V) of the first step, and what to go on with."""

Advance: TypeAlias = Callable[[Tensor, Carried], tuple[Tensor, Carried]]
"""The same of a later step, from the symbols (B,) before it."""


class Decoded(NamedTuple):
    """Written sequences.

    Attributes:
        symbols: (T, B), T the longest length; the end symbol after the end of a row.
        lengths: (B,), the end symbol not counted.
        scores: (B,), the logarithm of a row's probability, its end included.
    """

    symbols: Tensor
    lengths: Tensor
    scores: Tensor

    __repr__ = text_of
    _repr_html_ = page_of


def greedy(begun: Begun, step: Advance, steps: int, end: int | None) -> Decoded:
    """Return the likeliest symbol at every step."""
    return _one_by_one(begun, step, steps, end, lambda logits: logits.argmax(-1))


def sample(
    begun: Begun,
    step: Advance,
    steps: int,
    end: int | None,
    temperature: float,
    generator: torch.Generator | None,
) -> Decoded:
    """Return a symbol drawn at every step; the scores are those of temperature 1."""
    if not temperature > 0:
        raise ValueError(f"sample: temperature has to be above 0, got {temperature}")

    def draw(logits: Tensor) -> Tensor:
        # In float64, with the largest at zero, no temperature is small enough to overflow.
        logits = logits.double()
        chances = ((logits - logits.amax(-1, keepdim=True)) / temperature).softmax(-1)
        return torch.multinomial(chances, 1, generator=generator)[:, 0]

    return _one_by_one(begun, step, steps, end, draw)


def _one_by_one(
    begun: Begun, step: Advance, steps: int, end: int | None, choose: Callable[[Tensor], Tensor]
) -> Decoded:
    if steps < 1:
        raise ValueError(f"steps has to be at least 1, got {steps}")
    logits, carried = begun
    ended = torch.zeros(logits.shape[0], dtype=torch.bool, device=logits.device)
    scores = logits.new_zeros(logits.shape[0])
    written: list[Tensor] = []
    while True:
        symbols = choose(logits)
        if end is not None:
            symbols = symbols.masked_fill(ended, end)
        chances = logits.log_softmax(-1).gather(1, symbols[:, None])[:, 0]
        scores = scores + chances.masked_fill(ended, 0.0)
        if end is not None:
            ended = ended | (symbols == end)
        written.append(symbols)
        if len(written) == steps or bool(ended.all()):
            return _decoded(torch.stack(written), scores, end)
        logits, carried = step(symbols, carried)


def beam(
    begun: Begun, step: Advance, steps: int, end: int | None, width: int, normalise: float
) -> Decoded:
    """Return the best of ``width`` sequences that are kept at every step.

    A sequence that has ended stays as it is and competes on. Compared is score / lengthᵅ, the end
    symbol counted in the length.
    """
    if width < 1:
        raise ValueError(f"beam: width has to be at least 1, got {width}")
    if steps < 1:
        raise ValueError(f"steps has to be at least 1, got {steps}")
    logits, carried = begun
    B, V = logits.shape
    row = torch.arange(B, device=logits.device)[:, None]
    beams = _Beams.begin(logits, end, normalise)
    while True:
        before = beams.scores.shape[1]
        beams, parents = beams.grown(logits.log_softmax(-1).view(B, before, V), width)
        if len(beams.symbols) == steps or bool(beams.over.all()):
            return beams.best()
        logits, carried = step(
            beams.symbols[-1].flatten(), carried.rows((row * before + parents).flatten())
        )


class _Beams(NamedTuple):
    """The K sequences kept for each row.

    Attributes:
        symbols: (T, B, K).
        scores: (B, K), the logarithms of their probabilities.
        lengths: (B, K), the end symbol counted.
        over: (B, K), which have ended.
        end: the symbol that ends a sequence, if one does.
        normalise: α.
    """

    symbols: Tensor
    scores: Tensor
    lengths: Tensor
    over: Tensor
    end: int | None
    normalise: float

    @classmethod
    def begin(cls, logits: Tensor, end: int | None, normalise: float) -> _Beams:
        """Return one empty sequence for each row."""
        zero = logits.new_zeros(len(logits), 1)
        symbols = torch.zeros(0, len(logits), 1, dtype=torch.int64, device=logits.device)
        return cls(symbols, zero, zero, zero.bool(), end, normalise)

    def grown(self, chances: Tensor, width: int) -> tuple[_Beams, Tensor]:
        """Return the best sequences one symbol longer, and which each came from: (B, K').

        Args:
            chances: (B, K, V), the logarithms of the next symbols' probabilities.
            width: how many are kept at most.
        """
        V = chances.shape[-1]
        scores = self.scores[..., None] + chances
        if self.end is not None:  # what has ended goes on with the end symbol, at no cost
            still = torch.full_like(chances, -math.inf)
            still[..., self.end] = self.scores
            scores = torch.where(self.over[..., None], still, scores)
        lengths = self.lengths + (~self.over).to(self.lengths.dtype)
        ranks = scores / lengths[..., None] ** self.normalise
        places = ranks.flatten(1).topk(min(width, ranks[0].numel())).indices
        parents, symbols = places // V, places % V
        kept = scores.flatten(1).gather(1, places)
        over = self.over.gather(1, parents) | kept.isneginf() | kept.isnan()
        if self.end is not None:
            over = over | (symbols == self.end)
        history = self.symbols.gather(2, parents.expand(len(self.symbols), *parents.shape))
        longer = torch.cat([history, symbols[None]])
        lengths = lengths.gather(1, parents)
        return _Beams(longer, kept, lengths, over, self.end, self.normalise), parents

    def best(self) -> Decoded:
        """Return the best sequence of each row."""
        place = (self.scores / self.lengths**self.normalise).argmax(1, keepdim=True)
        symbols = self.symbols.gather(2, place.expand(len(self.symbols), *place.shape))
        return _decoded(symbols[..., 0], self.scores.gather(1, place)[:, 0], self.end)


def _decoded(symbols: Tensor, scores: Tensor, end: int | None) -> Decoded:
    """Cut off what comes after the longest row."""
    if end is None:
        lengths = torch.full_like(symbols[0], len(symbols))
    else:
        lengths = (symbols != end).long().cumprod(0).sum(0)
    return Decoded(symbols[: int(lengths.max())], lengths, scores)
