"""The commands ``unrolled train series`` and ``unrolled forecast``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import typer

from ....printable import printable
from ..command import training_command
from ..options import OF_TABLES
from ..settings import POSITIVE, Options, Settings, declare, one_of
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


def forecast(
    run: Path = typer.Argument(help="Folder of a run of train series."),
    file: Path | None = typer.Argument(
        None, help="The series, with the same columns; without: sunspot numbers."
    ),
    missing: str = typer.Option("error", help="Empty cells: error or interpolate."),
) -> None:
    """Forecast the values after the end of a series, as CSV, beside naive forecasts."""
    from ..checkpoint import best_model
    from .problem import Forecasting
    from .task import forecasts, table, values_for

    fill = Choice(missing=missing).missing == "interpolate"
    problem, model = best_model(run, Forecasting)
    for line in forecasts(
        problem, model, values_for(problem, table(file, known=problem.format), fill)
    ):
        typer.echo(printable(line))
