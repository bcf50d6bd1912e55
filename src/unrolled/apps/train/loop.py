"""The training loop: steps, evaluations, checkpoints and the log, to the end or an interrupt."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ..terminal import Interrupt
from .folder import CheckpointWriter, locked
from .log import Records
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

    def stop() -> bool:
        return machine.some(interrupt.requested is not None or records.trouble is not None)

    with ExitStack() as stack:
        machine.first(lambda: stack.enter_context(locked(folder)))
        writer = CheckpointWriter(training, folder)
        writer.begin()
        machine.first(lambda: stack.enter_context(records.opened(training, folder)))
        try:
            for report in training.updates(stop):
                late = settings.seconds is not None and machine.some(time.monotonic() >= deadline)
                last = late or training.step >= settings.steps
                if last or training.step % settings.evaluate_every == 0:
                    report = replace(report, held_out=training.evaluate().measures)
                    writer.keep_best()
                records.write(report)
                if training.step % settings.save_every == 0:
                    writer.save()
                yield report
                if last:
                    break
        except FloatingPointError as error:
            machine.refuse(
                f"{error}; the last good checkpoint is that of step {writer.saved}, {writer.path}: "
                f"try a lower --lr (now {settings.lr}) or --clip (now {settings.clip})"
            )
        writer.save()
        machine.first(lambda: records.require_complete(writer.saved))
