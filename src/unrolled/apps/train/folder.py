"""The folder of a run: begun once, resumed at will, locked while in use; its checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from filelock import FileLock, Timeout

from ...equations import Cell
from ...errors import UserError, refusing
from . import checkpoint as checkpoints
from .machine import machine
from .settings import Settings, option
from .task import Problem, Task
from .training import Training

NAME = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder while entered: nobody else can enter; a killed process has left.

    Raises:
        UserError: somebody has entered, or the lock cannot be written.
    """
    lock = FileLock(folder / NAME, blocking=False)
    with refusing(f"lock {folder}"):
        try:
            lock.acquire()
        except Timeout as error:
            raise UserError(
                f"{folder} is in use by another process that trains there: wait for its end, or "
                "name another folder by --out"
            ) from error
    try:
        yield
    finally:
        lock.release()


@final
class CheckpointWriter:
    """Writer of a run's checkpoints into its folder; all processes have to call its methods.

    Attributes:
        path: of the checkpoint.
        saved: the step of the last one; before the first, the step the run stands at.
    """

    def __init__(self, training: Training, folder: Path) -> None:
        self.training, self.folder = training, folder
        self.path = folder / checkpoints.NAME
        self.saved = training.step

    def begin(self) -> None:
        """Write the checkpoint a run begins or goes on with; a new run has no best one."""
        self._write(self.path)
        best = self.folder / checkpoints.BEST
        if self.training.step == 0:
            forget = refusing(f"delete {best}")(best.unlink)
            self.training.machine.first(lambda: forget(missing_ok=True))

    def save(self) -> None:
        """Write the checkpoint, unless it is that of this step.

        Raises:
            UserError: it cannot be written; the last one stands as it was.
        """
        if self.training.step > self.saved:
            self._write(self.path)
            self.saved = self.training.step

    def keep_best(self) -> None:
        """Write the best checkpoint, if the last evaluation was the best.

        Raises:
            UserError: it cannot be written.
        """
        training = self.training
        if training.best is not None and training.best.step == training.step:
            self._write(self.folder / checkpoints.BEST)

    def _write(self, path: Path) -> None:
        checkpoint = self.training.checkpoint()

        def write() -> None:
            stands = self.path.exists()
            try:
                checkpoints.save(path, checkpoint)
            except UserError as error:
                whole = f"{self.path} is whole, of step {self.saved}: --resume goes on from there"
                raise UserError(f"{error}; {whole}" if stands else str(error)) from error

        self.training.machine.first(write)


def begin(folder: Path, task: Task, cell: Cell, overwrite: bool = False) -> Training:
    """Return a new run on ``task``; its folder is made if need be.

    Raises:
        UserError: the folder holds a run and ``overwrite`` is false, or cannot be made.
    """
    if not overwrite:
        require_new(folder)
    processes = machine(task.settings)
    with refusing(f"make the folder {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    processes.launch()
    return Training(task, cell, processes)


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
    """Return the run in ``folder``, with the settings that are ``given`` anew.

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
    cores = os.cpu_count() or 1
    for name in ("devices", "threads"):  # no more are started because a file says so
        count = getattr(settings, name) or 1
        if count > cores and name not in given:
            raise UserError(
                f"the run was trained with {option(name)} {count}, and this machine has {cores} "
                f"cores: say by {option(name)} how many to use"
            )
    task = make(settings, checkpoint.problem)
    checkpoint.require(task)
    processes = machine(settings)
    processes.launch()
    return Training.resume(checkpoint, task, processes)
