"""The log of a run: one JSON object a line, one line a step; and its TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, final

import msgspec
from torch import Tensor

from ...errors import UserError, refusing
from ...graph.operation import Operation
from ...probe.gates import BOUND, squashing
from ...probe.names import places
from ...probe.record import record
from ...schema import Count, Finite, checked, parse
from .task import evaluating

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
    speed: Finite | None = None


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


@final
class Board:
    """TensorBoard of a run: reports, and a look into the model now and then."""

    def __init__(self, training: Training, writer: Any) -> None:
        self.training, self.writer = training, writer

    @classmethod
    def at(cls, training: Training, folder: Path) -> Board:
        """Open a run's TensorBoard; what stands there after the run's step is hidden.

        Raises:
            UserError: TensorBoard is not installed.
        """
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError as error:
            raise UserError(
                "--tensorboard needs TensorBoard: pip install 'unrolled[train]'"
            ) from error
        return cls(training, SummaryWriter(str(folder / BOARD), purge_step=training.step + 1))

    def write(self, report: Report) -> None:
        """Write one step; the gradients are still those of the step."""
        metric = self.training.task.metric
        scalars = {
            f"loss/training, {metric.name}": report.loss,
            "gradient norm/all": report.gradient_norm,
            "learning rate": report.learning_rate,
            f"speed, {metric.item} per second": report.speed,
        }
        if report.step % EVERY == 0 or report.held_out is not None:
            clipped = max(1.0, report.gradient_norm / self.training.settings.clip)
            for name, parameter in self.training.model.named_parameters():
                if parameter.grad is not None:  # as it was before clipping
                    scalars[f"gradient norm/{name}"] = parameter.grad.norm().item() * clipped
        if report.held_out is not None:
            scalars |= {f"held out/{name}": value for name, value in report.held_out.items()}
            for name, gate in gates(self.training).items():
                scalars[f"gate mean/{name}"] = gate.taken.mean().item()
                scalars[f"gate saturated/{name}"] = gate.saturated
                self.writer.add_histogram(f"gate/{name}", gate.taken.flatten(), report.step)
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, report.step)


class Gate(NamedTuple):
    """A sigmoid or tanh of a cell: its values, (T, B, H) with 0 after a row's end, those that there
    are, (N, H), and how many of these stand at their ends.
    """

    values: Tensor
    taken: Tensor
    saturated: float


def gates(training: Training) -> dict[str, Gate]:
    """Return every layer's named gates on this process's next batch, in evaluation mode."""
    least = {
        f"{place.name}.{name}": 0.0 if node.operation is Operation.SIGMOID else -1.0
        for place in places(training.model)
        for name, node in squashing(place.graph).items()
        if name in place.values
    }
    if not least:
        return {}
    batch = training.task.batch(training.step, training.shards[0]).to(training.machine.device)
    states = None if batch.fresh else training.states[0]
    with evaluating(training.model), record(training.model, list(least)) as recording:
        training.task.loss(training.model, batch, states)
    found, valid = {}, recording.valid
    for name, end in least.items():
        taken = recording[name][valid[name.rpartition(".")[0]]]
        stuck = (taken < end + BOUND) | (taken > 1 - BOUND)
        found[name] = Gate(recording[name], taken, stuck.double().mean().item())
    return found


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
        with refusing(f"write {path}"):
            cut(path, training.step)
            lines = path.open("a", encoding="utf-8", buffering=1)
        try:
            self._board = Board.at(training, folder) if training.settings.tensorboard else None
            self._lines = lines
            yield
        finally:
            opened, self._lines, self._board = self._board, None, None
            try:
                lines.close()
            except OSError as error:  # what was left to write has no place either
                self._note(lines, error)
            if opened is not None:
                opened.writer.close()

    def write(self, report: Report) -> None:
        """Write one step; if that fails, `trouble` says why."""
        if self._lines is None:
            return
        try:
            print(json.dumps(asdict(report)), file=self._lines)
            if self._board is not None:
                self._board.write(report)
        except OSError as error:
            self._note(self._lines, error)

    def _note(self, lines: TextIO, error: OSError) -> None:
        self.trouble = self.trouble or f"cannot write {lines.name}: {error.strerror or error}"

    def require_complete(self, saved: int) -> None:
        """Say what could not be written.

        Raises:
            UserError: there was trouble.
        """
        if self.trouble is not None:
            raise UserError(f"{self.trouble}; the checkpoint of step {saved} is whole")
