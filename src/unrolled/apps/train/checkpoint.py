"""A run in one file: safetensors, with everything that is not a tensor as JSON in its header."""

from __future__ import annotations

import json
import reprlib
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, final

import msgspec
import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ... import atomic
from ...display import page_of, text_of
from ...equations import Cell
from ...errors import UserError, refusing
from ...schema import Count, Finite, checked, parse
from . import checkpoint_format
from .checkpoint_format import Measures, Name
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
    kind = checked(stored, dict).get("kind")
    if not isinstance(kind, str) or kind not in PROBLEMS:
        raise ValueError(f"a problem of kind {reprlib.repr(kind)}: known are {', '.join(PROBLEMS)}")
    return PROBLEMS[kind].from_json({n: value for n, value in stored.items() if n != "kind"})


VERSION = 2
"""Of the format."""
NAME = "checkpoint.safetensors"
"""Of a run, as it last stood."""
BEST = "best.safetensors"
"""Of a run, as it stood when the held-out loss was least."""


class Evaluation(NamedTuple):
    """Measures on the held-out part, and the step after which they were taken."""

    step: Count
    measures: Measures

    __repr__ = text_of
    _repr_html_ = page_of

    @property
    def loss(self) -> float:
        """In the task's unit; less is better."""
        return self.measures["loss"]


@final
class Checkpoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True, eq=False):
    """Everything that a run needs to go on exactly where it was.

    In a file all but the tensors is JSON; what is unknown there is refused: a new entry comes with
    a new version.

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

    step: Count
    settings: Settings
    cell: Cell
    problem: Problem
    metric: Metric = msgspec.field(name="unit")
    digest: Name
    loss: Finite | None
    last: Evaluation | None
    best: Evaluation | None
    stale: Count
    optimizer: dict[str, Any]
    tensors: dict[str, Tensor] = {}

    __repr__ = text_of
    _repr_html_ = page_of

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
        checkpoint_format.require_finite(checkpoint.tensors)
    except UserError as error:
        raise UserError(f"{path} is not written: {error}") from error
    header = msgspec.structs.asdict(checkpoint) | {
        "version": VERSION,
        "settings": asdict(checkpoint.settings),
        "cell": checkpoint.cell.to_json(),
        "problem": problem_to_json(checkpoint.problem),
        "unit": asdict(checkpoint.metric),
    }
    del header["metric"], header["tensors"]
    metadata = {"unrolled": json.dumps(header)}
    with refusing(f"write {path}"):
        atomic.write(path, safetensors.torch.save(checkpoint.tensors, metadata))


def folder_of(path: Path) -> Path:
    """Return the folder of a run that is named by it, or by a checkpoint in it."""
    return path if path.is_dir() else path.parent


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
        raise UserError(
            f"there is no checkpoint at {path}: the folder of a run, or a checkpoint in it, is "
            "expected"
        ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except (SafetensorError, MemoryError) as error:
        raise UserError(f"{path} is truncated or not a checkpoint: {error}") from error
    if cell is not None and cell != checkpoint.cell:
        difference = f"the cell {checkpoint.cell.name}, not {cell.name}"
        if cell.name == checkpoint.cell.name:
            difference = f"a cell {cell.name} whose equations differ from today's"
        raise UserError(f"{path} was trained with {difference}")
    return checkpoint


def _read(path: Path, file: Any) -> Checkpoint:
    """Read an open file: its header, then types and shapes of its tensors, at last their values."""
    text = (file.metadata() or {}).get("unrolled")
    if text is None:
        raise UserError(f"{path} holds tensors, but is not a checkpoint of unrolled")
    checkpoint = read_header(path, text)
    parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
    stored = {
        name: checkpoint_format.Stored(part.get_dtype(), tuple(part.get_shape()))
        for name, part in parts.items()
    }
    try:
        checkpoint_format.require_fitting(
            stored, checkpoint.settings, checkpoint.cell, checkpoint.problem
        )
        tensors = {name: file.get_tensor(name).clone() for name in parts}
        checkpoint_format.require_sound(tensors, checkpoint.step)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return msgspec.structs.replace(checkpoint, tensors=tensors)


def read_header(path: Path, text: str) -> Checkpoint:
    """Return the checkpoint whose header is JSON text, without its tensors.

    Raises:
        UserError: it is damaged, or of another version; ``path`` names it.
    """
    try:
        data = parse(text)
        if not isinstance(data, dict) or type(data.get("version")) is not int:
            raise ValueError("it has no version")
        version = data.pop("version")
        if version == VERSION:
            return _checkpoint(data)
    except (LookupError, TypeError, ValueError, UserError) as error:
        raise UserError(f"the header of {path} is damaged: {error}") from error
    raise UserError(
        f"{path} has checkpoint format {version}; this version of unrolled reads {VERSION}"
    )


def _checkpoint(data: dict[str, Any]) -> Checkpoint:
    for name in ("settings", "cell", "problem", "unit"):
        if name not in data:
            raise ValueError(f"missing required field `{name}`")
    found = checked(
        data
        | {
            "settings": checked(data["settings"], Settings),
            "cell": Cell.from_json(data["cell"]),
            "problem": problem_from_json(data["problem"]),
            "unit": checked(data["unit"], Metric),
        },
        Checkpoint,
    )
    checked(found.optimizer, checkpoint_format.Scalars)
    for name, evaluation in (("last", found.last), ("best", found.best)):
        if evaluation is not None:
            checked(evaluation.measures, checkpoint_format.LossMeasure)
            _require_past(f"{name} is of step {evaluation.step}", evaluation.step, found)
    _require_past(f"stale is {found.stale}", found.stale, found)
    return found


def _require_past(what: str, step: int, found: Checkpoint) -> None:
    if step > found.step:
        raise ValueError(f"{what}, but the run is at step {found.step}")


def best(run: Path) -> Checkpoint:
    """Load the best checkpoint of a run's folder, the last one if none was evaluated; or a file.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = run / BEST
    return load(path if path.exists() else run)
