"""The commands ``unrolled train series`` and ``unrolled forecast``."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ....printable import printable
from ..command import training_command
from ..given_texts import one_input
from ..options import OF_TABLES, number_option, with_options
from ..records import FORMAT, format_option, lines
from ..settings import Settings, between, require
from ..table.format import FormatOptions
from .options import Choice, Reading

if TYPE_CHECKING:
    from ..task import Problem, Task


@training_command(
    "Use it: unrolled forecast {out} [FILE]",
    *OF_TABLES,
    cell="gru",
    hidden=32,
    dropout=0.2,
    steps=300,
    held_out=0.3,
    evaluate_every=25,
    evaluate_at_most=5000,
)
def series(
    settings: Settings,
    problem: "Problem | None",
    file: Path | None = typer.Argument(
        None, help="CSV, JSON, Parquet; - for standard input; without: yearly sunspot numbers."
    ),
    *,
    choice: Choice,
    reading: Reading,
    options: FormatOptions,
) -> "Task":
    """Train a network that forecasts a series, or several: many to one, the next values.

    The table has a record for each step of time, oldest or newest first. The end of a series is
    held out, in order of time: the first half chooses the best checkpoint, the last half tests it
    beside naive forecasts. Scale, season and trend are those of the training part.
    """
    from .task import open_task, table

    known = getattr(problem, "format", None)
    return open_task(settings, table(file, options, known), choice, problem, reading)


@with_options
def forecast(
    run: Path = typer.Argument(help="Folder of a run of train series, or a checkpoint."),
    file: Path | None = typer.Argument(
        None,
        help="A series with the same columns; - for standard input; without: the one that the run "
        "was trained on goes on.",
    ),
    text: str | None = typer.Option(
        None, help="Instead of a file: the values themselves, a list of numbers."
    ),
    steps: int | None = number_option(
        None, "Values to forecast.", between(1, 100_000), shown="the horizon"
    ),
    form: str = format_option("csv", "csv or jsonl.", FORMAT),
    *,
    reading: Reading,
    options: FormatOptions,
) -> None:
    """Forecast the values after the end of a series, beside naive forecasts.

    Steps beyond the horizon of the run are forecast again from the forecasts. Times are in ISO
    form; where the series has none, or irregular ones, forecasts have none. Columns that are known
    for the future are read from records at the end of FILE that lack the target.
    """
    from ...terminal import load_torch

    require("--format", form, FORMAT)
    one_input(file, None if text is None else [text])
    load_torch()
    from .run import SeriesRun, written
    from .task import open_table

    trained = SeriesRun.load(run)
    problem = trained.problem
    known = None if text is None else written(text)
    if file is not None:
        known = open_table(file, options, problem.format)
    found = trained.forecast(known, steps=steps, reading=reading)
    columns = {**found.series, "step": found.steps.tolist(), **found.columns}
    signs = {"step": "+d", found.target: ".6g", **dict.fromkeys(found.naive, ".6g")}
    for line in lines(form, list(columns), zip(*columns.values(), strict=True), signs):
        typer.echo(line)
    for note in trained.notes(found):
        typer.echo(printable(note), err=True)
