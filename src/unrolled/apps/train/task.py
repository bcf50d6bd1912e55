"""What is learned: the loop's view of data, loss and measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, NamedTuple, TypeVar

from torch import Tensor, nn

from .batch import Batch
from .problem import Problem
from .settings import Settings
from .share import Share
from .states import States
from .unit import Unit
from .verdict import Verdict


class Loss(NamedTuple):
    """The loss of one share.

    Attributes:
        total: the sum over its predictions, not the mean; it can be differentiated.
        states: what the next batch begins with, with or without a gradient; None if it does not.
    """

    total: Tensor
    states: States | None = None


P = TypeVar("P", bound=Problem)


class Task(ABC, Generic[P]):
    """A problem with its data: batches in a fixed order, their loss, and what is measured.

    The loop knows nothing of what is learned, and the task nothing of how: a batch, its loss and
    every measure depend on nothing but the arguments, so that a run resumes exactly where it was,
    and any number of processes does what one does.

    Attributes:
        problem: what the model is to answer.
        settings: of the run.
        digest: of the data, in hexadecimal: a run is resumed with the data it began with.
        unit: of the loss.
    """

    problem: P
    settings: Settings
    digest: str
    unit: Unit

    @abstractmethod
    def batch(self, step: int, share: Share) -> Batch:
        """The rows of ``share`` in the batch of step ``step``, counted from 0.

        The batch of a step has exactly ``settings.batch`` rows, ``share.rows(settings.batch)``
        says which are asked for, and the order follows from the step alone; `Order` helps.
        """

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Call ``model`` once on a batch, and sum the loss.

        Args:
            model: what `Problem.model` made, as the machine wraps it: only call it.
            batch: on the model's device.
            states: those of the batch before, of the same share; None where they begin.
        """

    @abstractmethod
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure what is held out; the model's mode is left as it was.

        Returns:
            ``loss``, in the task's unit, less is better; and whatever else is worth showing, by
            its name.
        """

    def description(self) -> list[str]:
        """What was found in the data, and guessed of them: lines to show before training."""
        return []

    def baselines(self) -> dict[str, float]:
        """The loss that simple predictors reach on what is held out, by their names."""
        return {}

    def verdict(self, model: nn.Module, name: str) -> Verdict | None:
        """What the best model, called ``name``, reaches on a part that nothing else has seen.

        It is asked for once, when the run has ended; None where there is no such part.
        """
        return None
