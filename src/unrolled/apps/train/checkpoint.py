"""A run in one file: safetensors, with everything that is not a tensor as JSON in its header."""

from __future__ import annotations

import json
import reprlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, final

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ... import atomic
from ...equations import Cell
from ...errors import CellError, UserError, refusing
from ...schema import checked
from . import checkpoint_format as contents
from . import checkpoint_format as header
from .classify.problem import Classification
from .language import Characters
from .pairs.problem import Translation
from .series.problem import Forecasting
from .settings import Settings
from .task import Metric, Problem, Task

PROBLEMS: dict[str, type[Problem]] = {
    each.kind: each for each in (Characters, Classification, Forecasting, Translation)
}


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """Return a problem with its kind.

    >>> problem_to_json(Characters("ab"))
    {'kind': 'text', 'vocabulary': 'ab'}
    """
    return {"kind": problem.kind, **problem.to_json()}


def problem_from_json(stored: dict[str, Any]) -> Problem:
    """Return what `problem_to_json` gave.

    Raises:
        LookupError, TypeError, ValueError, UserError: it is damaged, or of an unknown kind.
    """
    kind = stored.get("kind")
    if not isinstance(kind, str) or kind not in PROBLEMS:
        raise ValueError(f"a problem of kind {reprlib.repr(kind)}: known are {', '.join(PROBLEMS)}")
    return PROBLEMS[kind].from_json({n: value for n, value in stored.items() if n != "kind"})


NAME = "checkpoint.safetensors"
"""Of a run, as it last stood."""
BEST = "best.safetensors"
"""Of a run, as it stood when the held-out loss was least."""


AS_THEY_ARE = ("step", "digest", "loss", "stale", "optimizer")
"""What stands in a file's header as it is in a `Checkpoint`."""


class Evaluation(NamedTuple):
    """Measures on the held-out part, and the step after which they were taken."""

    step: int
    measures: dict[str, float]

    @property
    def loss(self) -> float:
        """In the task's unit; less is better."""
        return self.measures["loss"]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Checkpoint:
    """Everything that a run needs to go on exactly where it was.

    Attributes:
        step: how many steps are done.
        settings: of the run.
        cell: the equations themselves, so that a checkpoint outlives its cell's definition.
        problem: what the model is to answer.
        metric: of the losses.
        digest: of the data.
        loss: of the last training batch; None before the first.
        last: the last evaluation; None before the first.
        best: the evaluation with the lowest loss.
        stale: how many evaluations there were since the best one.
        optimizer: the scalars of the optimizer.
        tensors: by name: ``weights/<parameter>``, ``optimizer/<parameter>/<moment>``,
            ``states/<state>`` (absent where they begin anew) and ``random/<device>`` (the
            generators, one row for each process).
    """

    step: int
    settings: Settings
    cell: Cell
    problem: Problem
    metric: Metric
    digest: str
    loss: float | None
    last: Evaluation | None
    best: Evaluation | None
    stale: int
    optimizer: dict[str, Any]
    tensors: dict[str, Tensor]

    def group(self, name: str) -> dict[str, Tensor]:
        """Return the tensors under ``name/``, without that prefix."""
        prefix = name + "/"
        return {
            key.removeprefix(prefix): tensor
            for key, tensor in self.tensors.items()
            if key.startswith(prefix)
        }

    @property
    def vocabulary(self) -> str:
        """The characters of a character model's symbols.

        Raises:
            UserError: it is a model of another kind.
        """
        if not isinstance(self.problem, Characters):
            raise UserError(
                f"a run of `unrolled train text` is expected, not of `train {self.problem.kind}`"
            )
        return self.problem.vocabulary

    def model(self) -> nn.Module:
        """Return the model, with its weights.

        Raises:
            UserError: the weights do not fit the settings.
        """
        model = self.problem.model(self.settings, self.cell)
        try:
            model.load_state_dict(self.group("weights"))
        except RuntimeError as error:
            raise UserError(f"the checkpoint's weights do not fit its settings: {error}") from error
        return model

    def require(self, task: Task) -> None:
        """Refuse to go on with another task than the run's.

        Raises:
            UserError: other data, or another problem.
        """
        if task.digest != self.digest or task.problem.kind != self.problem.kind:
            raise UserError(
                f"the run was trained on another {self.problem.data}: to resume it, name the files "
                "it began with"
            )
        if task.problem != self.problem:
            raise UserError(
                "the run was trained for another problem: to resume it, leave out the options "
                "that differ"
            )


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write ``checkpoint`` so that at every moment ``path`` holds a whole one, old or new.

    Raises:
        UserError: a tensor is not finite, or the file cannot be written.
    """
    try:
        contents.require_finite(checkpoint.tensors)
    except UserError as error:
        raise UserError(f"{path} is not written: {error}") from error
    data = {
        "version": header.VERSION,
        **{name: getattr(checkpoint, name) for name in AS_THEY_ARE},
        "settings": asdict(checkpoint.settings),
        "cell": checkpoint.cell.to_json(),
        "problem": problem_to_json(checkpoint.problem),
        "unit": asdict(checkpoint.metric),
        "last": checkpoint.last,
        "best": checkpoint.best,
    }
    metadata = {"unrolled": json.dumps(data)}
    with refusing(f"write {path}"):
        atomic.write(path, safetensors.torch.save(checkpoint.tensors, metadata))


def load(path: Path, cell: Cell | None = None) -> Checkpoint:
    """Read a checkpoint: the file, or the folder of a run.

    Raises:
        UserError: the file is missing, damaged, not a checkpoint, of another version, of other
            equations than those of ``cell``, holds tensors that do not follow from its settings,
            or a number that is not finite; the message says which.
    """
    path = path / NAME if path.is_dir() else path
    if path.exists() and not path.is_file():  # to open a pipe would wait for ever
        raise UserError(f"{path} is no regular file: a checkpoint is expected")
    try:
        with safe_open(path, "pt") as file:
            checkpoint = _read(path, file)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint at {path}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, MemoryError) as error:
        raise UserError(f"{path} is truncated or not a checkpoint: {error}") from error
    if cell is not None and cell != checkpoint.cell:
        raise UserError(f"{path} {_difference(checkpoint.cell, cell)}")
    return checkpoint


def _read(path: Path, file: Any) -> Checkpoint:
    """Read an open file: its header, then types and shapes of its tensors, at last their values."""
    text = (file.metadata() or {}).get("unrolled")
    if text is None:
        raise UserError(f"{path} holds tensors, but is not a checkpoint of unrolled")
    checkpoint = _parse(path, text)
    names = list(file.keys())
    parts = {name: file.get_slice(name) for name in names}
    kinds = {
        name: contents.Kind(part.get_dtype(), tuple(part.get_shape()))
        for name, part in parts.items()
    }
    try:
        contents.require_fitting(kinds, checkpoint.settings, checkpoint.cell, checkpoint.problem)
        tensors = {name: file.get_tensor(name).clone() for name in names}
        contents.require_sound(tensors, checkpoint.step)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return replace(checkpoint, tensors=tensors)


def _difference(stored: Cell, asked: Cell) -> str:
    if stored.name != asked.name:
        return f"was trained with the cell {stored.name}, not {asked.name}"
    return f"was trained with a cell {stored.name} whose equations differ from today's"


def _parse(path: Path, text: str) -> Checkpoint:
    """Return the checkpoint of a header, without its tensors."""
    try:
        found = header.read(text)
    except UserError as error:
        raise UserError(f"{path} {error}") from error
    except ValueError as error:
        raise UserError(f"the header of {path} is damaged: {error}") from error
    try:
        return Checkpoint(
            **{name: getattr(found, name) for name in AS_THEY_ARE},
            settings=checked(found.settings, Settings),
            cell=Cell.from_json(found.cell),
            problem=problem_from_json(found.problem),
            metric=checked(found.unit, Metric),
            last=found.last and Evaluation(*found.last),
            best=found.best and Evaluation(*found.best),
            tensors={},
        )
    except (LookupError, TypeError, ValueError, CellError, UserError) as error:
        raise UserError(f"the header of {path} is damaged: {error}") from error


P = TypeVar("P", bound=Problem)


def best(run: Path) -> Checkpoint:
    """Load the best checkpoint of a run's folder, the last one if none was evaluated; or a file.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = run / BEST
    return load(path if path.exists() else run)


def problem(checkpoint: Checkpoint, kind: type[P], run: Path) -> P:
    """Return the problem of a run, if it is of a kind.

    Raises:
        UserError: it is of another kind.
    """
    if not isinstance(checkpoint.problem, kind):
        raise UserError(
            f"{run} is a run of `unrolled train {checkpoint.problem.kind}`: one of `train "
            f"{kind.kind}` is expected"
        )
    return checkpoint.problem
