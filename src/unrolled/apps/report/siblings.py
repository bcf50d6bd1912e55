"""More models like a run's, trained from other seeds, so that its figures have a spread."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from ...display import counted
from ...errors import UserError
from ..terminal import Interrupt, say
from ..train import checkpoint as checkpoints
from ..train.checkpoint import Checkpoint
from ..train.folder import begin
from ..train.language import Language
from ..train.loop import run
from ..train.progress import progress
from ..train.sample_inputs import NAMED
from ..train.settings import Settings
from ..train.text import Source

FOLDER = "seeds"
"""In the run's folder; a model of seed S stands in the folder S of it."""
MOST = 100


def siblings(
    path: Path,
    checkpoint: Checkpoint,
    seeds: int,
    source: Source | None,
    console: Console,
    interrupt: Interrupt,
) -> list[Path]:
    """Train models with a run's settings and as many steps, from the seeds after its own.

    A model that is there already, from an earlier call, is not trained again.

    Args:
        path: folder of the run.
        checkpoint: of the run.
        seeds: how many models there are to be, the run's own included.
        source: the text that the run was trained on; None: it is not there.
        console: shows how far they are.
        interrupt: ends the training after the models that are done.

    Returns:
        The folders of the models that were trained to the end, without the run's own.

    Raises:
        UserError: too few or too many seeds, or more models are to be trained without a text.
    """
    if not 1 <= seeds <= MOST:
        raise UserError(f"--seeds must be from 1 to {MOST}, not {seeds}")
    first = checkpoint.settings.seed + 1
    home = checkpoints.folder_of(path) / FOLDER
    todo = [
        (home / str(seed), _settings(checkpoint, seed)) for seed in range(first, first + seeds - 1)
    ]
    missing = [each for each in todo if not _trained(*each, checkpoint)]
    if missing:
        if source is None:
            raise UserError(
                f"--seeds {seeds} trains more models, and this run was trained on a text of its "
                f"own: {NAMED}"
            )
        for number, (folder, settings) in enumerate(missing, 1):
            about = f"{checkpoint.cell.name}, seed {settings.seed}"
            say(
                console,
                f"Model {number} of {len(missing)} more: {about}, "
                f"{counted(checkpoint.step, 'steps')}",
            )
            _train(folder, Language(settings, source), checkpoint, console, interrupt)
            if interrupt.requested:
                break
    found = [folder for folder, settings in todo if _trained(folder, settings, checkpoint)]
    if len(found) < len(todo):
        models = counted(1 + len(found), "models")
        say(
            console,
            f"Stopped: the page is of {models}, not of {seeds}; the same command trains the others",
        )
    return found


def _settings(checkpoint: Checkpoint, seed: int) -> Settings:
    """Return the run's settings with another seed and one evaluation, after as many steps."""
    step = checkpoint.step
    return replace(
        checkpoint.settings, seed=seed, seconds=None, patience=None, tensorboard=False,
        evaluate_every=step, save_every=step,
    )  # fmt: skip


def _trained(folder: Path, settings: Settings, checkpoint: Checkpoint) -> bool:
    """Return True if a folder holds the model that is asked for."""
    if not (folder / checkpoints.NAME).exists():
        return False
    stored = checkpoints.load(folder)
    same = stored.cell == checkpoint.cell and stored.digest == checkpoint.digest
    return same and stored.settings == settings and stored.step == checkpoint.step


def _train(
    folder: Path, task: Language, checkpoint: Checkpoint, console: Console, interrupt: Interrupt
) -> None:
    """Train to the run's step, which may come before the last one of its settings."""
    training = begin(folder, task, checkpoint.cell, overwrite=True)
    own = Interrupt()
    with progress(console, task.settings, task.metric) as show:
        for report in run(training, folder, own):
            show(report)
            if report.step == checkpoint.step or interrupt.requested:
                own.requested = interrupt.requested or signal.SIGTERM
