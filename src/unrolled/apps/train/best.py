"""The model of a run that is used: the best one."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from ...errors import UserError
from . import checkpoint as checkpoints
from .checkpoint import Checkpoint
from .problem import Problem

P = TypeVar("P", bound=Problem)


def best(run: Path) -> Checkpoint:
    """The best checkpoint in the folder of a run, the last one if none was evaluated; or a file.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = run / checkpoints.BEST
    return checkpoints.load(path if path.exists() else run)


def problem(checkpoint: Checkpoint, kind: type[P], run: Path) -> P:
    """The problem of a run, if it is of a kind.

    Raises:
        UserError: it is of another kind.
    """
    if not isinstance(checkpoint.problem, kind):
        raise UserError(
            f"{run} is a run of `unrolled train {checkpoint.problem.kind}`: one of `train "
            f"{kind.kind}` is expected"
        )
    return checkpoint.problem
