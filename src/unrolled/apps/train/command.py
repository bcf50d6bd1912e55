"""The command ``unrolled train``."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from ...display import counted
from ...errors import UserError
from ...printable import printable
from .given_texts import lines_of, one_input
from .options import Given, number_option, shaped, with_settings
from .records import FORMAT_OR_TEXT, format_option, lines
from .settings import SEED, SEEDS, Settings, between, require

if TYPE_CHECKING:
    from ..terminal import Interrupt
    from .task import Problem, Task
    from .training import Training

train = typer.Typer(no_args_is_help=True, help="Train a network.")

Make = TypeVar("Make", bound=Callable[..., Any])


def training_command(hint: str, *names: str, **defaults: Any) -> Callable[[Make], Make]:
    """Add the command ``unrolled train NAME`` of a function NAME that makes the task of a run.

    The function gets the ``settings``, the ``problem`` of the run that is resumed, None for a new
    one, and parameters of its own, which become arguments of the command.

    Args:
        hint: what can be done with the run, with ``{out}`` for its folder.
        names: of the settings that are options; none: all.
        defaults: of settings, where they differ from the settings' own.
    """

    def decorate(make: Make) -> Make:
        def run(
            *,
            given: Given,
            out: Path = typer.Option(Path("runs") / make.__name__, help="Folder of the run."),
            resume: bool = typer.Option(False, "--resume", help="Go on with the run in --out."),
            overwrite: bool = typer.Option(False, "--overwrite", help="Replace the run."),
            seeds: int | None = number_option(
                None,
                "Train from so many seeds, each in a folder inside --out, and compare.",
                SEEDS,
                shown="one",
            ),
            **own: Any,
        ) -> None:
            fit_given(given, partial(make, **own), out, resume, overwrite, (hint,), seeds)

        both = (*signature(make).parameters.values(), *signature(run).parameters.values())
        shown = [each for each in both if each.name not in ("settings", "problem", "given", "own")]
        train.command()(with_settings(*names, **defaults)(shaped(run, make, shown)))
        return make

    return decorate


@training_command("Write with it: unrolled sample {out}")
def text(
    settings: Settings,
    problem: "Problem | None",
    files: list[Path] | None = typer.Argument(
        None, metavar="FILE", help="UTF-8 text; without: Python's help topics."
    ),
) -> "Task":
    """Train a character model on text.

    Ctrl-C ends it after a checkpoint. A resumed run keeps its settings, except when it stops,
    saves and evaluates and what it computes on; it goes on with the same text. Files of any size
    are read as they are needed.
    """
    from .language import Language
    from .text import open_source

    return Language(settings, open_source(files or [], settings.held_out))


def sample(
    run: Path = typer.Argument(help="Folder of a run of train text, or a checkpoint."),
    file: Path | None = typer.Argument(
        None, help="A text to go on from; - for standard input; without: a line begins."
    ),
    prompt: str | None = typer.Option(
        None, "--prompt", "--text", help="Instead of a file: the text itself.", show_default=False
    ),
    length: int = number_option(500, "Characters to write.", between(0, 10**9)),
    temperature: float = number_option(
        0.8,
        "How far draws stray from the likeliest character, which 0 always takes.",
        between(0, 1000),
    ),
    seed: int = number_option(0, "Of the draws.", SEED),
    form: str = format_option("text", "text, with its beginning; csv or jsonl.", FORMAT_OR_TEXT),
) -> None:
    """Write text with a trained model."""
    from ..terminal import load_torch

    require("--format", form, FORMAT_OR_TEXT)
    one_input(file, [prompt] if prompt else None, "--prompt")
    load_torch()
    from .text_run import TextRun

    trained = TextRun.load(run)
    start = "\n".join(lines_of(file)) if file is not None else prompt or ""
    written = trained.stream(start, length, temperature, seed)
    if form != "text":
        for line in lines(form, ("prompt", "text"), [(start, "".join(written))]):
            typer.echo(line)
        return
    typer.echo(printable(start), nl=False)
    try:
        for character in written:
            typer.echo(printable(character), nl=False)
    finally:
        typer.echo()


def fit_given(
    given: Given,
    make: "Callable[[Settings, Problem | None], Task]",
    out: Path,
    resume: bool,
    overwrite: bool,
    hints: Sequence[str],
    seeds: int | None = None,
) -> None:
    """Fit one run, or several if more cells than one or a number of seeds are given.

    Arguments are those of `fit`; see `several`.
    """
    if seeds is not None:
        require("--seeds", seeds, SEEDS)
    if len(given.cells) < 2 and seeds is None:
        fit(given, make, out, resume, overwrite, hints)
        return
    if resume and overwrite:
        raise UserError("--resume and --overwrite contradict each other: give one of them")
    settings = given.begun()
    if settings.devices > 1:
        raise UserError(
            f"--devices {settings.devices}: several runs are trained one after the other, each in "
            "one process"
        )
    if Path("-") in _files(make):
        raise UserError("standard input can be read once: several runs need a file")
    from ..terminal import load_torch

    load_torch()
    from .several import fit_all, plan

    def one(own: Given, folder: Path, is_there: bool) -> None:
        fit(own, make, folder, is_there, overwrite, ())

    runs = plan(given, given.cells or (settings.cell,), seeds or 1, out)
    fit_all(runs, one, out, resume, overwrite)


def _files(make: Any) -> list[Any]:
    """Return the arguments that a task is made of, lists of them one by one."""
    values = getattr(make, "keywords", {}).values()
    return [each for value in values for each in (value if isinstance(value, list) else [value])]


def compare(
    runs: list[Path] = typer.Argument(
        metavar="RUN...", help="Folders of runs, or a folder with folders of runs."
    ),
    out: Path | None = typer.Option(
        None, help="Draw it too: a .png, .svg or .pdf.", show_default="not drawn"
    ),
    form: str = format_option("text", "text, csv or jsonl.", FORMAT_OR_TEXT),
) -> None:
    """Compare runs on the same data: what each cell reaches, with the spread of its seeds."""
    from ..files import require_place
    from ..terminal import load_torch, output, say

    require("--format", form, FORMAT_OR_TEXT)
    if out is not None:
        require_place("--out", out, ".png", ".svg", ".pdf")
    load_torch()
    from .comparison import Comparison, entries
    from .several import drawn, said

    found = Comparison.of(entries(runs))
    if form == "text":
        for line in said(found, output().print):
            say(output(), line)
    else:
        records = found.records()
        names = list(dict.fromkeys(name for each in records for name in each))
        rows = [
            [each.get(name, "" if form == "csv" else None) for name in names] for each in records
        ]
        for line in lines(form, names, rows):
            typer.echo(line)
    if out is not None:
        drawn(found).save(out)


def fit(
    given: Given,
    make: "Callable[[Settings, Problem | None], Task]",
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
    from ..cell import cell_of
    from ..terminal import Interrupt, load_torch, output, say

    if resume and overwrite:
        raise UserError("--resume and --overwrite contradict each other: give one of them")
    settings = given.begun()
    cell = cell_of(settings.cell)
    if "LOCAL_RANK" not in os.environ:  # the first process speaks for all
        units, steps = counted(settings.hidden, "units"), counted(settings.steps, "steps")
        begun = f"Training {cell.name}, {units}, {steps}, in {out}"
        say(output(), f"Going on with the run in {out}" if resume else begun)
    load_torch()
    import torch

    from . import folder
    from .loop import run
    from .progress import progress

    if resume:
        asked = cell if "cell" in given.settings else None
        training = folder.resume(out, given.settings, asked, make)
    else:
        if not overwrite:
            folder.require_new(out)  # before the data are read, which can take long
        training = folder.begin(out, make(settings, None), cell, overwrite)
    settings, leads = training.settings, training.machine.leads
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    console = output()
    console.quiet = not leads
    for line in training.task.description():
        say(console, line)
    display = progress(console, settings, training.task.metric, training.step)
    with Interrupt() as interrupt, display as show:
        for report in run(training, out, interrupt):
            show(report)
    if leads:
        _conclude(training, out, hints)
        leave(interrupt)


def _conclude(training: "Training", out: Path, hints: Sequence[str]) -> None:
    """Say where the run stands, what its best model reaches, and how to go on."""
    from ..terminal import output, say
    from . import checkpoint as checkpoints
    from . import comparison

    console = output()
    task, step, steps, best = training.task, training.step, training.settings.steps, training.best
    unit, name, figures = task.metric.name, f"this {training.cell.name}", None
    if best is not None:
        figures = task.test_metrics(checkpoints.best(out).model().eval(), name)
    if figures is not None and best is not None:
        comparison.keep(out, best.step, name, figures)
    if figures is not None:
        console.print(figures.table(name))
    for line in figures.notes if figures is not None else _beside(training, out):
        say(console, line)
    loss = f"; best held-out loss {best.loss:.3f} {unit} at step {best.step}" if best else ""
    say(console, f"{out} is at step {step} of {steps}{loss}")
    if training.waited:
        were = "was" if training.stale == 1 else "were"
        evaluations = counted(training.stale, "evaluations")
        say(console, f"It stopped early: {evaluations} {were} no better than the best")
    for hint in hints:
        typer.echo(hint.format(out=out))
    more = " --steps N" if step >= steps else ""
    typer.echo(f"Go on: unrolled train {task.problem.kind} [FILE]... --resume --out {out}{more}")


def _beside(training: "Training", out: Path) -> list[str]:
    """Return what simple predictors reach, and how long it will take to be better than all."""
    from . import log
    from .outlook import Point, outlook

    task, best = training.task, training.best
    baselines = task.baselines()
    found = [
        f"for comparison, {other}: {loss:.3f} {task.metric.name}"
        for other, loss in baselines.items()
    ]
    if best is None or not baselines or best.loss < min(baselines.values()):
        return found
    strongest = min(baselines, key=baselines.__getitem__)
    try:
        lines = log.lines(out / log.NAME)
    except (OSError, ValueError):  # without a log there is no curve
        return found
    curve = [Point(each.step, each.held_out.loss) for each in lines if each.held_out is not None]
    speeds = sorted(each.speed for each in lines if each.speed)
    if not curve or not speeds:
        return found
    settings = training.settings
    seconds = settings.batch * settings.window / speeds[len(speeds) // 2]
    return [
        *found,
        outlook(curve, baselines[strongest], strongest, seconds, settings.hidden, settings.dropout),
    ]


def leave(interrupt: "Interrupt") -> None:
    """End with the code of the signal that was noted, if one was."""
    if interrupt.requested is not None:
        raise typer.Exit(128 + interrupt.requested)
