"""The training loop: steps, evaluations, checkpoints and the log, to the end or an interrupt."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from ..terminal import Interrupt
from .keeper import Keeper
from .lock import locked
from .records import Records
from .training import Report, Training


def run(training: Training, folder: Path, interrupt: Interrupt) -> Iterator[Report]:
    """Train to the end of the steps, seconds or patience, or to an interrupt.

    In ``folder`` stand the checkpoint, renewed at intervals and at the end, the best one so far,
    and the log. Nobody else can train there meanwhile. The seconds count from the call.

    Yields:
        A report after every step.

    Raises:
        UserError: the folder is in use, a loss is no longer finite, or a file cannot be written.
    """
    settings, machine, records = training.settings, training.machine, Records()
    deadline = time.monotonic() + (settings.seconds or math.inf)
    with ExitStack() as stack:
        machine.first(lambda: stack.enter_context(locked(folder)))
        keeper = Keeper(training, folder)
        keeper.begin()
        machine.first(lambda: stack.enter_context(records.opened(training, folder)))
        while training.step < settings.steps and not training.waited:
            if machine.some(interrupt.requested is not None or records.trouble is not None):
                break
            report = _advance(training, keeper)
            late = settings.seconds is not None and machine.some(time.monotonic() >= deadline)
            last = late or training.step >= settings.steps
            if last or training.step % settings.evaluate_every == 0:
                report = replace(report, held_out=_evaluated(training, keeper))
                keeper.keep_best()
            records.write(report)
            if training.step % settings.save_every == 0:
                keeper.save()
            yield report
            if last:
                break
        keeper.save()
        machine.first(lambda: records.require_complete(keeper.saved))


def _advance(training: Training, keeper: Keeper) -> Report:
    try:
        return training.advance()
    except FloatingPointError as error:
        _refuse(error, training, keeper)


def _evaluated(training: Training, keeper: Keeper) -> dict[str, float]:
    try:
        return training.evaluate().measures
    except FloatingPointError as error:
        _refuse(error, training, keeper)


def _refuse(error: FloatingPointError, training: Training, keeper: Keeper) -> NoReturn:
    settings = training.settings
    training.machine.refuse(
        f"{error}; the last good checkpoint is that of step {keeper.saved}, {keeper.path}: "
        f"try a lower --lr (now {settings.lr}) or --clip (now {settings.clip})"
    )
