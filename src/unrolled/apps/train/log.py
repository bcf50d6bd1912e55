"""The log of a run: one JSON object a line, one line a step; and its TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, final

import msgspec
import torch
from torch import Tensor, nn

from ...errors import UserError, refusing
from ...graph.operation import Operation
from ...probe.gates import BOUND, squashing
from ...probe.names import places
from ...probe.record import record
from ...schema import Count, Finite, checked, parse

if TYPE_CHECKING:
    from .training import Report, Training

NAME = "log.jsonl"


@final
class Stamp(msgspec.Struct):
    """Place of a line of the log; other names in it do not matter."""

    step: Count


class HeldOut(msgspec.Struct):
    """Evaluation in a line of the log; further measures do not matter."""

    loss: Finite


@final
class Line(msgspec.Struct):
    """Line of the log, as far as a learning curve needs it."""

    step: Count
    loss: Finite
    held_out: HeldOut | None = None


def cut(path: Path, step: int) -> None:
    """Cut the log at ``path`` back to the lines up to ``step``, so that none is written twice.

    A line that a kill left unfinished goes as well; a missing log is left missing.
    """
    if not path.is_file():
        return
    kept = 0
    with path.open("rb") as file:
        for line in file:
            try:
                if not line.endswith(b"\n") or checked(parse(line), Stamp).step > step:
                    break
            except ValueError:
                break
            kept += len(line)
    with path.open("rb+") as file:
        file.truncate(kept)


def lines(path: Path) -> list[Line]:
    """Return the lines of the log at ``path``.

    Raises:
        OSError, ValueError: it cannot be read, or is damaged.
    """
    if not path.is_file():  # to open a pipe would wait for ever
        raise FileNotFoundError(path)
    text = path.read_text(encoding="utf-8")
    return [checked(parse(line), Line) for line in text.splitlines() if line.strip()]


BOARD = "tensorboard"
EVERY = 10
"""Steps between gradient norms of the layers."""


@contextmanager
def board(training: Training, folder: Path) -> Iterator[Board]:
    """Open a run's TensorBoard; what stands there after the run's step is hidden.

    Raises:
        UserError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as error:
        raise UserError("--tensorboard needs TensorBoard: pip install 'unrolled[train]'") from error
    writer = SummaryWriter(str(folder / BOARD), purge_step=training.step + 1)
    try:
        yield Board(training, writer)
    finally:
        writer.close()


@final
class Board:
    """TensorBoard of a run: reports, and a look into the model now and then."""

    def __init__(self, training: Training, writer: Any) -> None:
        self.training, self.writer = training, writer

    def write(self, report: Report) -> None:
        """Write one step; the gradients are still those of the step."""
        metric, step = self.training.task.metric, report.step
        self.writer.add_scalar(f"loss/training, {metric.name}", report.loss, step)
        self.writer.add_scalar("gradient norm/all", report.gradient_norm, step)
        self.writer.add_scalar("learning rate", report.learning_rate, step)
        self.writer.add_scalar(f"speed, {metric.item} per second", report.speed, step)
        if step % EVERY == 0 or report.held_out is not None:
            self._gradients(report)
        if report.held_out is not None:
            for name, value in report.held_out.items():
                self.writer.add_scalar(f"held out/{name}", value, step)
            self._gates(step)

    def _gradients(self, report: Report) -> None:
        """Return the norm of every layer's gradient, as it was before clipping."""
        clipped = max(1.0, report.gradient_norm / self.training.settings.clip)
        for name, norm in gradient_norms(self.training.model).items():
            self.writer.add_scalar(f"gradient norm/{name}", norm * clipped, report.step)

    def _gates(self, step: int) -> None:
        """Return how open the gates are on the rows of the next batch."""
        for name, gate in gates(self.training).items():
            self.writer.add_scalar(f"gate mean/{name}", gate.values.mean().item(), step)
            self.writer.add_scalar(f"gate saturated/{name}", gate.saturated, step)
            self.writer.add_histogram(f"gate/{name}", gate.values.flatten(), step)


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """Return the norm of every parameter's gradient, by its name."""
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
    """Return every layer's named gates on this process's next batch, in evaluation mode."""
    kinds = {
        f"{place.name}.{name}": node.operation
        for place in places(training.model)
        for name, node in squashing(place.graph).items()
        if name in place.values
    }
    if not kinds:
        return {}
    batch = training.task.batch(training.step, training.shards[0]).to(training.machine.device)
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


@final
class Records:
    """The log of a run, and its TensorBoard if it has one; closed, it writes nothing.

    Attributes:
        trouble: why something could not be written; None while all could.
    """

    def __init__(self) -> None:
        self.trouble: str | None = None
        self._lines: TextIO | None = None
        self._board: Board | None = None

    @contextmanager
    def opened(self, training: Training, folder: Path) -> Iterator[None]:
        """Write reports while entered; those after the run's step are cut off first.

        Raises:
            UserError: a file cannot be written, or TensorBoard is not installed.
        """
        path = folder / NAME
        if path.exists() and not path.is_file():  # to open a pipe would wait for ever
            raise UserError(f"cannot write {path}: it is no regular file")
        with ExitStack() as stack:
            with refusing(f"write {path}"):
                cut(path, training.step)
                lines = path.open("a", encoding="utf-8", buffering=1)
            stack.callback(self._close, lines)
            self._lines = lines
            if training.settings.tensorboard:
                self._board = stack.enter_context(board(training, folder))
            yield

    def write(self, report: Report) -> None:
        """Write one step; if that fails, `trouble` says why."""
        if self._lines is None:
            return
        try:
            print(json.dumps(asdict(report)), file=self._lines)
            if self._board is not None:
                self._board.write(report)
        except OSError as error:
            self.trouble = f"cannot write {self._lines.name}: {error.strerror or error}"

    def require_complete(self, saved: int) -> None:
        """Say what could not be written.

        Raises:
            UserError: there was trouble.
        """
        if self.trouble is not None:
            raise UserError(f"{self.trouble}; the checkpoint of step {saved} is whole")

    def _close(self, lines: TextIO) -> None:
        self._lines = self._board = None
        try:
            lines.close()
        except OSError as error:  # what was left to write has no place either
            self.trouble = self.trouble or f"cannot write {lines.name}: {error.strerror or error}"
