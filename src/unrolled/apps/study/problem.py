"""A problem: sequences whose answer needs something from far back."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """Sequences side by side.

    Attributes:
        x: int64 symbols (T, B), or numbers (T, B, I).
        y: what is asked for, B rows along its last or only dimension but one.
    """

    x: Tensor
    y: Tensor


class Problem(ABC):
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
    def batch(self, rows: int, draw: random.Random) -> Batch:
        """What training sees."""

    @abstractmethod
    def test(self, rows: int, draw: random.Random, held_out: bool) -> Batch:
        """Sequences with the whole gap, of the kind that training sees or of the held-out kind."""

    @abstractmethod
    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """What training minimises, of outputs (asked, B, O)."""

    @abstractmethod
    def score(self, outputs: Tensor, y: Tensor) -> float:
        """How good outputs (asked, B, O) are, in the problem's unit."""

    def enough(self, score: float) -> bool:
        """Whether training may end with such a score on what it is trained on."""
        return False

    @property
    def rises(self) -> bool:
        """Whether a higher score is a better one."""
        return self.goal > self.chance

    def solved(self, score: float) -> bool:
        """Whether a score reaches the goal."""
        return score >= self.goal if self.rises else score <= self.goal
