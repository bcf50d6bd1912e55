"""What is written down about the steps of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, final

from ...errors import UserError
from . import log

if TYPE_CHECKING:
    from .board import Board
    from .training import Report, Training


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
        """While entered, reports are written; those after the run's step are cut off first.

        Raises:
            UserError: a file cannot be written, or TensorBoard is not installed.
        """
        path = folder / log.NAME
        if path.exists() and not path.is_file():  # to open a pipe would wait for ever
            raise UserError(f"cannot write {path}: it is no regular file")
        with ExitStack() as stack:
            try:
                log.cut(path, training.step)
                lines = path.open("a", encoding="utf-8", buffering=1)
            except OSError as error:
                raise UserError(f"cannot write {path}: {error.strerror or error}") from error
            stack.callback(self._close, lines)
            self._lines = lines
            if training.settings.tensorboard:
                from .board import board

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
