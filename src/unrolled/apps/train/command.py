"""The command ``unrolled train``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import UserError
from ...printable import printable
from .options import Given, with_settings
from .settings import Settings

if TYPE_CHECKING:
    from ..terminal import Interrupt
    from .task import Problem, Task
    from .training import Training

train = typer.Typer(no_args_is_help=True, help="Train a network.")

Out = Annotated[Path, typer.Option(help="Folder of the run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run.")]


@train.command("text")
@with_settings()
def text(
    given: Given,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE]...", help="UTF-8 text; without: Python's help topics."),
    ] = None,
    out: Out = Path("runs/text"),
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a character model on text.

    Ctrl-C ends it after a checkpoint. A resumed run keeps its settings, except when it stops,
    saves and evaluates and what it computes on; it goes on with the same text. Files of any size
    are read as they are needed.
    """

    def make(settings: Settings, _: Problem | None) -> Task:
        from .language import Language
        from .text import open_source

        return Language(settings, open_source(files or [], settings.held_out))

    fit(given, make, out, resume, overwrite, ("Write with it: unrolled sample {out}",))


def fit(
    given: Given,
    make: Callable[[Settings, Problem | None], Task],
    out: Path,
    resume: bool,
    overwrite: bool,
    hints: Sequence[str],
) -> None:
    """Begin or resume a run, train it while showing its progress, and say how it ended.

    Args:
        given: settings of the command line.
        make: the task, from the settings, and from the problem of the run that is resumed.
        out: folder of the run.
        resume: whether to go on with the run that is there.
        overwrite: whether to replace it.
        hints: what can be done with the run, with ``{out}`` for its folder.

    Raises:
        UserError: see `unrolled.apps.train.folder` and `unrolled.apps.train.loop.run`.
    """
    import torch
    from rich.console import Console

    from ..terminal import Interrupt, say
    from .loop import run
    from .progress import progress

    training = _opened(given, make, out, resume, overwrite)
    settings, leads = training.settings, training.machine.leads
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    console = Console(quiet=not leads)
    for line in training.task.description():
        say(console, line)
    display = progress(console, settings, training.task.metric, training.step)
    with Interrupt() as interrupt, display as show:
        for report in run(training, out, interrupt):
            show(report)
    if leads:
        _conclude(training, out, hints)
        leave(interrupt)


def _opened(
    given: Given,
    make: Callable[[Settings, Problem | None], Task],
    out: Path,
    resume: bool,
    overwrite: bool,
) -> Training:
    from ...cells import find
    from . import folder

    if resume and overwrite:
        raise UserError("--resume and --overwrite contradict each other: give one of them")
    settings = given.begun()
    cell = find(settings.cell)
    if resume:
        return folder.resume(out, given.settings, cell if "cell" in given.settings else None, make)
    if not overwrite:
        folder.require_new(out)  # before the data are read, which can take long
    return folder.begin(out, make(settings, None), cell, overwrite)


def _conclude(training: Training, out: Path, hints: Sequence[str]) -> None:
    step, steps, best = training.step, training.settings.steps, training.best
    unit = training.task.metric.name
    if not _judged(training, out):
        for name, loss in training.task.baselines().items():
            typer.echo(printable(f"for comparison, {name}: {loss:.3f} {unit}"))
    loss = f"; best held-out loss {best.loss:.3f} {unit} at step {best.step}" if best else ""
    typer.echo(f"{out} is at step {step} of {steps}{loss}")
    if training.waited:
        typer.echo(f"It stopped early: {training.stale} evaluations were no better than the best")
    for hint in hints:
        typer.echo(hint.format(out=out))
    more = " --steps N" if step >= steps else ""
    kind = training.task.problem.kind
    typer.echo(f"Go on: unrolled train {kind} [FILE]... --resume --out {out}{more}")


def _judged(training: Training, out: Path) -> bool:
    """Show what the best model reaches on the part kept for the end; whether there is one."""
    from rich.console import Console

    from .checkpoint import best

    if training.best is None:
        return False
    name = f"this {training.cell.name}"
    figures = training.task.test_metrics(best(out).model().eval(), name)
    if figures is None:
        return False
    Console().print(figures.table(name))
    for note in figures.notes:
        typer.echo(printable(note))
    return True


def leave(interrupt: Interrupt) -> None:
    """End with the code of the signal that was noted, if one was."""
    if interrupt.requested is not None:
        raise typer.Exit(128 + interrupt.requested)
