"""The folder of a run: begun once, resumed as often as one likes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..equations import Cell
from . import checkpoint as checkpoints
from .errors import UserError
from .loop import Training
from .settings import Settings
from .text import Corpus


def begin(
    folder: Path, settings: Settings, cell: Cell, text: str, overwrite: bool = False
) -> Training:
    """A new run on ``text``; its folder is made if need be.

    Raises:
        UserError: the folder holds a run and ``overwrite`` is false, or cannot be made.
    """
    if (folder / checkpoints.NAME).exists() and not overwrite:
        raise UserError(
            f"{folder} already holds a run: go on with it by --resume, replace it by --overwrite, "
            "or name another folder by --out"
        )
    training = Training(settings, cell, Corpus.of(text, settings.held_out))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    return training


def resume(folder: Path, given: Mapping[str, Any], cell: Cell | None, text: str) -> Training:
    """The run in ``folder``, with the settings that are ``given`` anew.

    Raises:
        UserError: there is no checkpoint, it is damaged, another ``cell`` or text is asked for,
            or a setting that a run keeps for life.
    """
    checkpoint = checkpoints.load(folder, cell)
    settings = checkpoint.settings.resumed(given)
    if settings.steps < checkpoint.step:
        raise UserError(
            f"the run is at step {checkpoint.step} already: --steps must be more, "
            f"not {settings.steps}"
        )
    return Training.resume(checkpoint, settings, Corpus.of(text, settings.held_out))
