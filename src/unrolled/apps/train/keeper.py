"""The checkpoints of a run."""

from __future__ import annotations

from pathlib import Path
from typing import final

from ...errors import UserError
from . import checkpoint as checkpoints
from .checkpoint import Checkpoint
from .training import Training


@final
class Keeper:
    """Writes checkpoints of a run into its folder; all processes have to call its methods.

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
        if self.training.step == 0:
            self.training.machine.first(self._forget_best)

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
        self.training.machine.first(lambda: self._save(path, checkpoint))

    def _save(self, path: Path, checkpoint: Checkpoint) -> None:
        stands = self.path.exists()
        try:
            checkpoints.save(path, checkpoint)
        except UserError as error:
            if not stands:
                raise
            raise UserError(
                f"{error}; {self.path} is whole, of step {self.saved}: --resume goes on from there"
            ) from error

    def _forget_best(self) -> None:
        path = self.folder / checkpoints.BEST
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot delete {path}: {error.strerror or error}") from error
