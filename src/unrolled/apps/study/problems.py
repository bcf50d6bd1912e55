"""Problems with a gap: stories, the adding problem, copying; by their names."""

from __future__ import annotations

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, final

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import UserError
from .grammar import NEW, STORIES, Grammar, Sentence


class Sequences(NamedTuple):
    """Sequences side by side.

    Attributes:
        x: int64 symbols (T, B), or numbers (T, B, I).
        y: what is asked for, B rows along its last or only dimension but one.
    """

    x: Tensor
    y: Tensor


class GapProblem(ABC):
    """A task with a gap.

    Attributes:
        name: of the task.
        gap: how many steps lie between what is to be remembered and where it is asked for.
        symbols: how many symbols the input has; 0 where it is of numbers.
        width: of an input of numbers.
        outputs: O, how many numbers the readout gives.
        asked: at how many of the last steps something is asked for.
        rows: B of a training step.
        steps: of training, unless told otherwise.
        rate: the learning rate of a gated cell.
        dropout: before the readout.
        unit: what the score is: accuracy, MSE, ...
        chance: the score of a model that remembers nothing.
        goal: the score from which on the problem is solved.
    """

    name: str
    gap: int
    symbols: int = 0
    width: int = 0
    outputs: int
    asked: int = 1
    rows: int = 32
    steps: int
    rate: float
    dropout: float = 0.0
    unit: str
    chance: float
    goal: float

    @abstractmethod
    def batch(self, rows: int, draw: random.Random) -> Sequences:
        """Return what training sees."""

    def test(self, rows: int, draw: random.Random, held_out: bool) -> Sequences:
        """Draw sequences with the whole gap, of the trained or of the held-out kind.

        Without sequences that training cannot see, fresh ones: of so many that none returns.
        """
        return self.batch(rows, draw)

    @abstractmethod
    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return what training minimises, of outputs (asked, B, O)."""

    @abstractmethod
    def score(self, outputs: Tensor, y: Tensor) -> float:
        """Return how good outputs (asked, B, O) are, in the problem's unit."""

    def enough(self, score: float) -> bool:
        """Tell whether training may end with such an error on what it is trained on."""
        return self.goal < self.chance and score <= self.goal / 4


@final
class Adding(GapProblem):
    """Add the two marked ones among so many numbers from 0 to 1.

    One mark stands in each half, so T is the gap. Always saying 1 has an error of 1/6.
    """

    name = "adding"
    width = 2
    outputs = 1
    rate = 1e-2
    steps = 8000
    unit = "MSE"
    chance = 1 / 6
    goal = 0.01

    def __init__(self, gap: int) -> None:
        self.gap = gap

    def batch(self, rows: int, draw: random.Random) -> Sequences:
        """Draw sequences of T = the gap."""
        generator = torch.Generator().manual_seed(draw.getrandbits(62))
        half = self.gap // 2
        values = torch.rand(self.gap, rows, generator=generator)
        first = torch.randint(half, (rows,), generator=generator)
        second = torch.randint(half, self.gap, (rows,), generator=generator)
        marks = torch.zeros(self.gap, rows)
        every = torch.arange(rows)
        marks[first, every] = 1
        marks[second, every] = 1
        return Sequences(
            torch.stack([values, marks], -1), values[first, every] + values[second, every]
        )

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the mean squared error."""
        return functional.mse_loss(outputs[-1, :, 0], y)

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """Return the mean squared error."""
        return self.loss(outputs.double(), y.double()).item()


LENGTH = 10
"""How many symbols are to be remembered."""
KINDS = 8
"""Of how many kinds they are."""
BLANK, GO = KINDS, KINDS + 1


@final
class Copying(GapProblem):
    """Ten symbols, so many blanks, a signal; then say the ten symbols.

    The loss is the cross-entropy over all steps; blanks are to be answered by blanks. Who
    remembers nothing reaches 10 ln 8 / (gap + 20).
    """

    name = "copy"
    symbols = KINDS + 2
    outputs = KINDS + 1
    rate = 4e-3
    steps = 4000
    unit = "nats"

    def __init__(self, gap: int) -> None:
        self.gap = gap
        self.asked = gap + 2 * LENGTH
        self.chance = LENGTH * math.log(KINDS) / self.asked
        self.goal = self.chance / 10

    def batch(self, rows: int, draw: random.Random) -> Sequences:
        """Draw sequences of T = gap + 20."""
        generator = torch.Generator().manual_seed(draw.getrandbits(62))
        symbols = torch.randint(KINDS, (LENGTH, rows), generator=generator)
        x = torch.full((self.asked, rows), BLANK)
        x[:LENGTH] = symbols
        x[self.gap + LENGTH - 1] = GO
        y = torch.full((self.asked, rows), BLANK)
        y[-LENGTH:] = symbols
        return Sequences(x, y)

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy over all steps, in nats."""
        return functional.cross_entropy(outputs.flatten(0, 1), y.flatten())

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """Return the same."""
        return self.loss(outputs, y).item()


RARE = 0.05
"""How often a word of a training sentence's gap is taken for a new one, to be ready for some."""
FAR = 50
"""From this gap on a trial has fewer steps: each of them takes long."""


@final
class Sentences(GapProblem):
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

    def batch(self, rows: int, draw: random.Random) -> Sequences:
        """Draw trained answers, a gap of 1 to the whole, now and then a word that is new."""
        gap = max(1, round(self.gap ** draw.random()))
        sentences = [self.grammar.sentence(gap, draw) for _ in range(rows)]
        for sentence in sentences:
            for step in range(self._opening, self._opening + gap):
                if draw.random() < RARE:
                    sentence.words[step] = NEW
        return self._batch(sentences)

    def test(self, rows: int, draw: random.Random, held_out: bool) -> Sequences:
        """Return the whole gap."""
        return self._batch([self.grammar.sentence(self.gap, draw, held_out) for _ in range(rows)])

    def encode(self, words: list[str]) -> list[int]:
        """Return places in the vocabulary."""
        return [self._places.get(word, 0) for word in words]

    def _batch(self, sentences: list[Sentence]) -> Sequences:
        x = torch.tensor([self.encode(sentence.words) for sentence in sentences])
        return Sequences(
            x.T.contiguous(), torch.tensor([sentence.answer for sentence in sentences])
        )

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of the first word and of the second, (B, words) each."""
        count = len(self.grammar.answers[0])
        return outputs[-1, :, :count], outputs[-1, :, count:]

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Return the cross-entropy of both words."""
        first, second = self.parts(outputs)
        return functional.cross_entropy(first, y[:, 0]) + functional.cross_entropy(second, y[:, 1])

    def score(self, outputs: Tensor, y: Tensor) -> float:
        """Return the part of the sentences for which both words are right."""
        found = torch.stack([part.argmax(1) for part in self.parts(outputs)], 1)
        return (found == y).all(1).double().mean().item()


GAPS: dict[str, tuple[int, ...]] = {
    "short": (1,),
    "long": (1, 10, 30, 100, 300, 500),
    "adding": (200,),
    "copy": (100, 200, 300),
}
"""The gaps that are measured unless told otherwise, by task."""


def problem(task: str, gap: int) -> GapProblem:
    """Return the problem of a task and a gap.

    Raises:
        UserError: for an unknown task or a gap that it cannot have.

    >>> problem("long", 100).asked
    1
    """
    if task not in GAPS:
        raise UserError(f"there is no task {task!r}: it is one of {', '.join(GAPS)}")
    least = 2 if task == "adding" else 1
    if not least <= gap <= 10_000:
        raise UserError(f"--gaps: the task {task} takes {least} to 10000, got {gap}")
    kinds: dict[str, Callable[[int], GapProblem]] = {"adding": Adding, "copy": Copying}
    return kinds.get(task, partial(Sentences, task))(gap)
