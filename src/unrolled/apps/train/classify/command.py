"""The commands ``unrolled train classify`` and ``unrolled predict``."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, final

import typer

from ....errors import UserError
from ....printable import printable
from ..command import training_command
from ..given_texts import one_input
from ..options import OF_TABLES, with_options
from ..records import FORMAT, format_option, lines
from ..settings import COUNTED, Options, Settings, declare, one_of, require
from ..table.format import FormatOptions

if TYPE_CHECKING:
    from ..task import Problem, Task


@final
@dataclass(frozen=True)
class Choice(Options):
    """Options for a table of sequences and their classes; what is None is guessed."""

    sequence: list[str] | None = declare(  # noqa: RUF009
        None, "Column of the sequence, * for any characters; may be repeated."
    )
    label: str | None = declare(None, "Column of the class.")
    step: int = declare(1, "Numbers of a step, if each has a column.", COUNTED)
    by: str | None = declare(None, "Read texts as characters or words.")
    vocabulary: int = declare(10_000, "Known symbols at most.", COUNTED)
    longest: int = declare(1000, "Of a longer sequence its end is read.", COUNTED)
    missing: str = declare(
        "error", "Empty cells: error, or drop the record.", one_of("error", "drop")
    )


@training_command(
    "Use it: unrolled predict {out} [FILE]",
    *OF_TABLES,
    hidden=64,
    batch=64,
    steps=300,
    lr=5e-3,
    schedule="cosine",
    held_out=0.2,
    evaluate_every=50,
    evaluate_at_most=2000,
)
def classify(
    settings: Settings,
    problem: "Problem | None",
    file: Path | None = typer.Argument(
        None, help="CSV, JSON, Parquet; - for standard input; without: scikit-learn's digits."
    ),
    *,
    choice: Choice,
    options: FormatOptions,
) -> "Task":
    """Train a network that tells the class of a sequence: many to one.

    A sequence is a text, a list of numbers (or of lists of as many) in one cell, or numbers in
    columns of their own. What is not named is guessed, and said. Half of the held-out records
    choose the best checkpoint, the others test it in the end.
    """
    from .task import open_task, table

    if file is None and choice.step == 1 and not choice.sequence:
        choice = replace(choice, step=8)  # a row of a digit
    known = getattr(problem, "format", None)
    return open_task(settings, table(file, options, known), choice, problem)


@with_options
def predict(
    run: Path = typer.Argument(help="Folder of a run of train classify, or a checkpoint."),
    file: Path | None = typer.Argument(
        None,
        help="A table with the same columns; - for standard input; without: the digits, for a run "
        "on these.",
    ),
    text: list[str] | None = typer.Option(
        None, help="Instead of a file: the text itself, or a list of numbers; may be repeated."
    ),
    form: str = format_option("csv", "csv or jsonl.", FORMAT),
    *,
    options: FormatOptions,
) -> None:
    """Tell the classes of sequences: a line for each, with the probability of the class.

    If the file has the column of the class, the share that is told rightly follows on stderr.
    """
    from ...terminal import load_torch

    require("--format", form, FORMAT)
    one_input(file, text)
    load_torch()
    from .predicting import Told
    from .run import ClassifyRun
    from .sequences import typed
    from .task import table

    trained = ClassifyRun.load(run)
    problem = trained.problem
    source = typed(problem, text) if text else table(file, options, problem.format)
    if file is None and not text and source.digest() != trained.digest:
        raise UserError(f"{run} was trained on a table of its own: give a FILE, - or --text")
    told = Told(trained, source)
    columns = ("line", problem.label, "probability")
    for line in lines(form, columns, told.records(), {"probability": ".4f"}):
        typer.echo(line)
    for note in told.notes():
        typer.echo(printable(note), err=True)
