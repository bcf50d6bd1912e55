"""The folder of a run: begun once, resumed as often as one likes."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...equations import Cell
from ...errors import UserError
from . import checkpoint as checkpoints
from .machine import Machine, machine
from .problem import Problem
from .settings import Settings, option
from .task import Task
from .training import Training


def begin(folder: Path, task: Task, cell: Cell, overwrite: bool = False) -> Training:
    """A new run on ``task``; its folder is made if need be.

    Raises:
        UserError: the folder holds a run and ``overwrite`` is false, or cannot be made.
    """
    if not overwrite:
        require_new(folder)
    processes = machine(task.settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    return Training(task, cell, _launched(processes))


def require_new(folder: Path) -> None:
    """Refuse a folder that holds a run.

    Raises:
        UserError: it does.
    """
    if (folder / checkpoints.NAME).exists():
        raise UserError(
            f"{folder} already holds a run: go on with it by --resume, replace it by --overwrite, "
            "or name another folder by --out"
        )


def resume(
    folder: Path,
    given: Mapping[str, Any],
    cell: Cell | None,
    make: Callable[[Settings, Problem], Task],
) -> Training:
    """The run in ``folder``, with the settings that are ``given`` anew.

    Args:
        folder: of the run.
        given: settings by name.
        cell: that is asked for; None: whichever it has.
        make: the task, from the settings and the problem of the run.

    Raises:
        UserError: there is no checkpoint, it is damaged, another ``cell`` or other data are asked
            for, a setting that a run keeps for life, or more processes or threads than there are
            cores and none are given.
    """
    checkpoint = checkpoints.load(folder, cell)
    settings = checkpoint.settings.resumed(given)
    if settings.steps < checkpoint.step:
        raise UserError(
            f"the run is at step {checkpoint.step} already: --steps must be more, "
            f"not {settings.steps}"
        )
    _require_cores(settings, given)
    task = make(settings, checkpoint.problem)
    checkpoint.require(task)
    return Training.resume(checkpoint, task, _launched(machine(settings)))


def _require_cores(settings: Settings, given: Mapping[str, Any]) -> None:
    """Refuse to start more processes or threads than there are cores because a file says so."""
    cores = os.cpu_count() or 1
    for name in ("devices", "threads"):
        count = getattr(settings, name) or 1
        if count > cores and name not in given:
            raise UserError(
                f"the run was trained with {option(name)} {count}, and this machine has {cores} "
                f"cores: say by {option(name)} how many to use"
            )


def _launched(processes: Machine) -> Machine:
    processes.launch()
    return processes
