"""The two stories as a problem: read a sentence, say the two words that end it."""

from __future__ import annotations

import random
from typing import final

import torch
from torch import Tensor
from torch.nn import functional

from .grammar import NEW, Grammar, Sentence
from .lexicon import STORIES
from .problem import Batch, Problem

RARE = 0.05
"""How often a word of a training sentence's gap is taken for a new one, to be ready for some."""
FAR = 50
"""From this gap on a trial has fewer steps: each of them takes long."""


@final
class Sentences(Problem):
    """Sentences of a story with a gap of so many words.

    Training draws gaps of 1 to the whole gap, evenly on a logarithmic scale, one for each step;
    tests have the whole gap. As in real text, the near helps to learn the far, and every cell gets
    the same help.
    """

    rate = 1e-2
    dropout = 0.3
    unit = "accuracy"
    goal = 0.95

    def __init__(self, name: str, gap: int) -> None:
        self.name, self.gap = name, gap
        self.steps = 3000 if gap < FAR else 2000
        self.grammar = Grammar(STORIES[name])
        self.symbols = len(self.grammar.vocabulary)
        self.outputs = sum(map(len, self.grammar.answers))
        self.chance = self.grammar.chance
        self._places = {word: place for place, word in enumerate(self.grammar.vocabulary)}
        self._opening = len(self.grammar.story.openings[0].split())

    def batch(self, rows: int, draw: random.Random) -> Batch:
        """Trained answers, a gap of 1 to the whole, now and then a word that is new."""
        gap = max(1, round(self.gap ** draw.random()))
        sentences = [self.grammar.sentence(gap, draw) for _ in range(rows)]
        for sentence in sentences:
            for step in range(self._opening, self._opening + gap):
                if draw.random() < RARE:
                    sentence.words[step] = NEW
        return self._batch(sentences)

    def test(self, rows: int, draw: random.Random, held_out: bool) -> Batch:
        """The whole gap."""
        return self._batch([self.grammar.sentence(self.gap, draw, held_out) for _ in range(rows)])

    def encode(self, words: list[str]) -> list[int]:
        """Places in the vocabulary."""
        return [self._places.get(word, 0) for word in words]

    def _batch(self, sentences: list[Sentence]) -> Batch:
        x = torch.tensor([self.encode(sentence.words) for sentence in sentences])
        return Batch(x.T.contiguous(), torch.tensor([sentence.answer for sentence in sentences]))

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """The scores of the first word and of the second, (B, words) each."""
        count = len(self.grammar.answers[0])
        return outputs[-1, :, :count], outputs[-1, :, count:]

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of both words."""
        first, second = self.parts(outputs)
        return functional.cross_entropy(first, y[:, 0]) + functional.cross_entropy(second, y[:, 1])

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """The part of the sentences for which both words are right."""
        found = torch.stack([part.argmax(1) for part in self.parts(outputs)], 1)
        return (found == y).all(1).double().mean().item()
