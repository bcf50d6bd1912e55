"""TensorBoard logs: losses, gradient norms of every layer, statistics of the gates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, final

import torch
from torch import Tensor, nn

from ...errors import UserError
from ...graph.operation import Operation
from ...probe.gates import BOUND, squashing
from ...probe.names import places
from ...probe.record import record

if TYPE_CHECKING:
    from .training import Report, Training

NAME = "tensorboard"
EVERY = 10
"""Steps between gradient norms of the layers."""


@contextmanager
def board(training: Training, folder: Path) -> Iterator[Board]:
    """While entered, the board of a run; what stands there after the run's step is hidden.

    Raises:
        UserError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as error:
        raise UserError("--tensorboard needs TensorBoard: pip install 'unrolled[train]'") from error
    writer = SummaryWriter(str(folder / NAME), purge_step=training.step + 1)
    try:
        yield Board(training, writer)
    finally:
        writer.close()


@final
class Board:
    """Writes reports, and looks into the model now and then."""

    def __init__(self, training: Training, writer: Any) -> None:
        self.training, self.writer = training, writer

    def write(self, report: Report) -> None:
        """Write one step; the gradients are still those of the step."""
        unit, step = self.training.task.unit, report.step
        self.writer.add_scalar(f"loss/training, {unit.name}", report.loss, step)
        self.writer.add_scalar("gradient norm/all", report.gradient_norm, step)
        self.writer.add_scalar("learning rate", report.learning_rate, step)
        self.writer.add_scalar(f"speed, {unit.item} per second", report.speed, step)
        if step % EVERY == 0 or report.held_out is not None:
            self._gradients(report)
        if report.held_out is not None:
            for name, value in report.held_out.items():
                self.writer.add_scalar(f"held out/{name}", value, step)
            self._gates(step)

    def _gradients(self, report: Report) -> None:
        """The norm of every layer's gradient, as it was before clipping."""
        clipped = max(1.0, report.gradient_norm / self.training.settings.clip)
        for name, norm in gradient_norms(self.training.model).items():
            self.writer.add_scalar(f"gradient norm/{name}", norm * clipped, report.step)

    def _gates(self, step: int) -> None:
        """How open the gates are on the rows of the next batch."""
        for name, gate in gates(self.training).items():
            self.writer.add_scalar(f"gate mean/{name}", gate.values.mean().item(), step)
            self.writer.add_scalar(f"gate saturated/{name}", gate.saturated, step)
            self.writer.add_histogram(f"gate/{name}", gate.values.flatten(), step)


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """The norm of every parameter's gradient, by its name."""
    return {
        name: parameter.grad.norm().item()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


class Gate(NamedTuple):
    """A sigmoid or tanh of a cell: its values, and how many of them stand at their ends."""

    values: Tensor
    saturated: float


def gates(training: Training) -> dict[str, Gate]:
    """Every named gate of every layer on the next batch of this process, in evaluation mode."""
    kinds = {
        f"{place.name}.{name}": node.operation
        for place in places(training.model)
        for name, node in squashing(place.graph).items()
        if name in place.values
    }
    if not kinds:
        return {}
    batch = training.task.batch(training.step, training.shares[0]).to(training.machine.device)
    states = None if batch.fresh else training.states[0]
    training.model.eval()
    with torch.no_grad(), record(training.model, list(kinds)) as recording:
        training.task.loss(training.model, batch, states)
    training.model.train()
    return {name: _gate(recording[name], kind) for name, kind in kinds.items()}


def _gate(values: Tensor, kind: Operation) -> Gate:
    least = 0.0 if kind is Operation.SIGMOID else -1.0
    ends = (values < least + BOUND) | (values > 1 - BOUND)
    return Gate(values, ends.double().mean().item())
