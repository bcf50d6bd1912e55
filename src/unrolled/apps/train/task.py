"""A task: a problem with its data, its loss and its measures, as the training loop sees it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar, final

import msgspec
import torch
from torch import Tensor, nn

from ...columns import Columns
from ...display import number, page_of, text_of
from ...errors import UserError
from ...schema import Positive, checked
from ...structures import Kind
from .batch import Batch, Shard, States
from .settings import Settings, learning_rate

if TYPE_CHECKING:
    from typing import Self

    from ...equations import Cell


class Problem(ABC):
    """A vocabulary, the names of classes, the scaling of a series: what gives numbers a meaning.

    It stands as JSON in the header of every checkpoint, so that a run can be used without its
    data. Subclasses are frozen dataclasses: equal if they ask for the same.

    Attributes:
        kind: its name in checkpoints; see `unrolled.apps.train.checkpoint`.
        data: what it is learned from, in a word for messages: text, table, …
    """

    kind: ClassVar[str]
    data: ClassVar[str]

    @abstractmethod
    def model(self, settings: Settings, cell: Cell) -> nn.Module:
        """Return a new model, with weights drawn from PyTorch's generator.

        Raises:
            UserError: there is no memory for it.
        """

    def to_json(self) -> dict[str, Any]:
        """Return all of it in what JSON knows."""
        return msgspec.to_builtins(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Return what `to_json` gave.

        Raises:
            LookupError, TypeError, ValueError, UserError: it is damaged.
        """
        return checked(stored, cls)

    def carried(self, model: nn.Module, settings: Settings) -> dict[str, tuple[int, ...]]:
        """Return the shapes of states carried from batch to batch, by name; none unless said."""
        return {}


S = TypeVar("S", bound=nn.Module)


def build(
    structure: Callable[..., S],
    settings: Settings,
    cell: Cell,
    reads: Kind,
    writes: Kind,
    **options: Any,
) -> S:
    """Return a structure with the sizes of the settings.

    Raises:
        UserError: there is no memory for it.
    """
    hidden, layers = settings.hidden, settings.layers
    try:
        return structure(cell, reads, hidden, writes, layers, settings.dropout, **options)
    except RuntimeError as error:
        raise UserError(
            f"cannot make a model of --hidden {hidden} --layers {layers}: {error}"
        ) from error


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """Evaluate a model without gradients while entered, on the device that is given on entry.

    Its mode is left as it was.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield next(model.parameters()).device
    finally:
        model.train(training)


@final
@dataclass(frozen=True)
class Metric:
    """The unit of a task's loss, and its items.

    Attributes:
        name: of the loss, such as ``bits/char``.
        item: what the speed counts, such as ``chars``.
        scale: what a mean loss of the task is multiplied with to be in the unit.
    """

    name: str
    item: str
    scale: Positive = 1.0


BITS = Metric("bits/char", "chars", 1 / math.log(2))
"""Of language models: cross-entropies are in nats."""


@final
@dataclass(frozen=True)
class TestMetrics:
    """Measures on a part that neither training nor the choice of a checkpoint has seen.

    Attributes:
        part: what was measured on, in words.
        measures: names of measures, in the order in which they are shown.
        rows: for each predictor, its measures; None where it has none.
        notes: what else has to be said.
    """

    part: str
    measures: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]
    notes: tuple[str, ...] = ()

    __repr__ = text_of
    _repr_html_ = page_of

    def table(self, emphasised: str) -> Columns:
        """Return the table for a terminal, one row stressed."""
        rows = [
            (name, *("" if figure is None else number(figure, 4) for figure in figures))
            for name, figures in self.rows.items()
        ]
        styles = ["bold" if name == emphasised else "" for name in self.rows]
        return Columns((self.part, *self.measures), rows, styles=styles)


class Loss(NamedTuple):
    """The loss of one shard.

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
        metric: of the loss.
    """

    problem: P
    settings: Settings
    digest: str
    metric: Metric

    @abstractmethod
    def batch(self, step: int, shard: Shard) -> Batch:
        """Return the rows of ``shard`` in the batch of step ``step``, counted from 0.

        The batch of a step has exactly ``settings.batch`` rows, ``shard.rows(settings.batch)``
        says which are asked for, and the order follows from the step alone; `Order` helps.
        """

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Call ``model`` once on a batch, and sum the loss.

        Args:
            model: what `Problem.model` made, as the machine wraps it: only call it.
            batch: on the model's device.
            states: those of the batch before, of the same shard; None where they begin.
        """

    @abstractmethod
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Measure what is held out; the model's mode is left as it was.

        Returns:
            ``loss``, in the task's unit, less is better; and whatever else is worth showing, by
            its name.
        """

    def model(self, cell: Cell) -> nn.Module:
        """Return a new model, with weights drawn from PyTorch's generator.

        Raises:
            UserError: there is no memory for it.
        """
        return self.problem.model(self.settings, cell)

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of step ``step``, counted from 0: the settings' schedule."""
        return learning_rate(step, self.settings)

    def description(self) -> list[str]:
        """Return what was found in the data, and guessed of them: lines to show before training."""
        return []

    def baselines(self) -> dict[str, float]:
        """Return the loss that simple predictors reach on what is held out, by their names."""
        return {}

    def test_metrics(self, model: nn.Module, name: str) -> TestMetrics | None:
        """Measure the best model, called ``name``, on a part that nothing else has seen.

        It is asked for once, when the run has ended; None where there is no such part.
        """
        return None
