"""A trained run as an object: its model, what it reads and writes, and its use."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from ...display import counted
from ...errors import UserError
from . import checkpoint as checkpoints
from .batch import padded
from .checkpoint import Checkpoint
from .task import Problem, evaluating

if TYPE_CHECKING:
    from typing import Self

P = TypeVar("P", bound=Problem)

METHODS = {
    "predict": "classify",
    "forecast": "series",
    "translate": "pairs",
    "sample": "text",
    "stream": "text",
    "score": "text",
}
"""What runs of one kind can do, and that kind."""


class Run(ABC, Generic[P]):
    """Abstract: the model of a run's checkpoint, on the CPU and in evaluation mode.

    Args:
        checkpoint: of the run.
        path: where it stands, for messages.

    Attributes:
        path: the folder of the run, or the checkpoint.
        model: a module of PyTorch, with the trained weights.
        cell: the equations of its recurrent layers.
        settings: that it was trained with.
        problem: what gives its numbers a meaning: vocabulary, columns, classes, scale.
        kind: classify, pairs, series or text: that of ``problem``.
        step: after how many steps of training the weights stood so.
        evaluation: the last measures on what was held out, with their step; None before the first.
        unit: of the ``loss`` among these.
        digest: SHA-256 of the data that it was trained on, in hexadecimal.
    """

    PROBLEM: ClassVar[type[Problem]]
    """What its checkpoints hold."""
    DOES: ClassVar[str]
    """What it does, for messages."""

    problem: P

    def __init__(self, checkpoint: Checkpoint, path: Path) -> None:
        if not isinstance(checkpoint.problem, self.PROBLEM):
            raise UserError(
                f"{path} is a run of `unrolled train {checkpoint.problem.kind}`: one of `train "
                f"{self.PROBLEM.kind}` is expected"
            )
        self.path = path
        self.model: Any = checkpoint.model().eval()
        self.cell, self.settings, self.step = checkpoint.cell, checkpoint.settings, checkpoint.step
        self.problem = checkpoint.problem  # pyright: ignore[reportAttributeAccessIssue]
        self.kind = checkpoint.problem.kind
        self.evaluation, self.unit = checkpoint.last, checkpoint.metric.name
        self.digest = checkpoint.digest

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the run of this kind in a folder, with its best model, or that of a checkpoint.

        Raises:
            UserError: there is none, it is damaged, or of another kind.
        """
        return cls(checkpoints.best(path), path)

    @property
    @abstractmethod
    def reads(self) -> str:
        """What the model reads, in words."""

    @property
    @abstractmethod
    def writes(self) -> str:
        """What it answers, in words."""

    def export(
        self,
        path: str | os.PathLike[str],
        to: str = "c",
        name: str | None = None,
        *,
        overwrite: bool = False,
        **options: Any,
    ) -> list[Path]:
        """Write the model as a program without unrolled, with what it reads and answers: names of
        symbols and classes, scaling, whole forecasts.

        Arguments are those of `unrolled.export`.

        Raises:
            UserError: as `unrolled.export`; or runs of this kind cannot be written.
        """
        from .exporting import export_run

        place = Path(path)
        return export_run(self.model, self.problem, place, to, name, overwrite=overwrite, **options)

    def __repr__(self) -> str:
        model = f"{self.cell.name}, {counted(self.settings.hidden, 'units')}, step {self.step:,}"
        if self.evaluation is not None:
            model += f", held-out loss {self.evaluation.loss:.4g} {self.unit}"
        name = f"{type(self).__name__}({str(self.path)!r})"
        return f"{name}: {model}\n  reads {self.reads}\n  writes {self.writes}"

    def __getattr__(self, name: str) -> Any:
        message = f"{type(self).__name__!r} object has no attribute {name!r}"
        if name in METHODS:
            message = (
                f"this run {self.DOES}: it has no {name}(), which runs of `train {METHODS[name]}` "
                "have"
            )
        raise AttributeError(message, name=name, obj=self)

    def _hidden(self, layers: Any, sequences: Sequence[Tensor]) -> list[NDArray[Any]]:
        """Return what recurrent layers of the model put out over encoded sequences, (T, H) each."""
        input, lengths = padded(sequences)
        with evaluating(self.model) as device:
            output, _ = layers(self.model.embedding(input.to(device)), lengths=lengths)
        return [output[:length, row].numpy() for row, length in enumerate(lengths.tolist())]


def require_finite(answers: Tensor, what: str) -> None:
    """Refuse answers of a model that are not finite.

    Raises:
        UserError: they are not; ``what`` names them.
    """
    if not torch.isfinite(answers).all():
        raise UserError(f"the {what} are not finite: weights or scale are too large")
