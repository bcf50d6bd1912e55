"""The commands ``unrolled train series`` and ``unrolled forecast``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import typer

from ....printable import printable
from ..command import training_command
from ..given_texts import one_input
from ..options import OF_TABLES, with_options
from ..records import FORMAT, format_option, lines
from ..settings import POSITIVE, Options, Settings, declare, one_of, require
from ..table.format import FormatOptions

if TYPE_CHECKING:
    from ..task import Problem, Task


@final
@dataclass(frozen=True)
class Choice(Options):
    """Options for a table of series; what is None follows from the training part."""

    target: str | None = declare(None, "Column to forecast.")
    also: list[str] | None = declare(  # noqa: RUF009
        None, "A further column to read; may be repeated."
    )
    horizon: int | None = declare(None, "Values to forecast.", POSITIVE, "a season")
    window: int | None = declare(None, "Values to read.", POSITIVE, "three seasons")
    season: int | None = declare(None, "Steps until it repeats itself.", POSITIVE, "looked for")
    relative: bool | None = declare(
        None,
        "Count from the last value read.",
        shown="if there is a trend",
        flags="--relative/--absolute",
    )
    missing: str = declare(
        "error", "Empty cells: error or interpolate.", one_of("error", "interpolate")
    )


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
    options: FormatOptions,
) -> "Task":
    """Train a network that forecasts a series: many to one, the next values.

    The table has a record for each step of time, oldest first. Its end is held out, in order of
    time: the first half chooses the best checkpoint, the last half tests it beside naive
    forecasts. Scale, season and trend are those of the training part.
    """
    from .task import open_task, table

    known = getattr(problem, "format", None)
    return open_task(settings, table(file, options, known), choice, problem)


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
    steps: int | None = typer.Option(
        None, help="Values to forecast, from 1 to 100000.", show_default="the horizon"
    ),
    missing: str = typer.Option("error", help="Empty cells: error or interpolate."),
    form: str = format_option("csv", "csv or jsonl.", FORMAT),
    *,
    options: FormatOptions,
) -> None:
    """Forecast the values after the end of a series, beside naive forecasts.

    Steps beyond the horizon of the run are forecast again from the forecasts.
    """
    from ...terminal import load_torch

    require("--format", form, FORMAT)
    one_input(file, None if text is None else [text])
    fill = Choice(missing=missing).missing == "interpolate"
    load_torch()
    from .run import SeriesRun, written
    from .task import open_table, values_for

    trained = SeriesRun.load(run)
    problem = trained.problem
    known = None if text is None else written(text)
    if file is not None:
        values = values_for(problem, open_table(file, options, problem.format), fill)
        known = dict(zip(trained.columns, values.series, strict=True))
    found = trained.forecast(known, steps=steps)
    columns = found.columns
    records = ((place, *row) for place, row in enumerate(zip(*columns.values(), strict=True), 1))
    signs = {"step": "+d", **dict.fromkeys(columns, ".6g")}
    for line in lines(form, ("step", *columns), records, signs):
        typer.echo(line)
    if len(found) > problem.horizon:
        also = ", ".join(map(repr, problem.also))
        repeated = f"; the last season of {also} is repeated" if also else ""
        note = f"after +{problem.horizon} they are forecast from the forecasts{repeated}"
        typer.echo(printable(note), err=True)
