"""The commands ``unrolled train series`` and ``unrolled forecast``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....printable import printable
from ..command import Out, Overwrite, Resume, fit, train
from ..options import OF_TABLES, Given, with_settings

if TYPE_CHECKING:
    from ..settings import Settings
    from ..task import Problem, Task


@train.command("series")
@with_settings(
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
    given: Given,
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV with a header, or JSON lines; without: yearly sunspot numbers."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column to forecast.")] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="A further column to read; may be repeated.")
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(help="Values to forecast.", show_default="a season")
    ] = None,
    window: Annotated[
        int | None, typer.Option(help="Values to read.", show_default="three seasons")
    ] = None,
    season: Annotated[
        int | None,
        typer.Option(help="Steps until it repeats itself.", show_default="looked for"),
    ] = None,
    relative: Annotated[
        bool | None,
        typer.Option(
            "--relative/--absolute",
            help="Count from the last value read.",
            show_default="if there is a trend",
        ),
    ] = None,
    missing: Annotated[str, typer.Option(help="Empty cells: error or interpolate.")] = "error",
    out: Out = Path("runs/series"),
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a network that forecasts a series: many → one, the next values.

    The table has a record for each step of time, oldest first. Its end is held out, in order of
    time: the first half chooses the best checkpoint, the last half tests it beside naive
    forecasts. Scale, season and trend are those of the training part.
    """

    def make(settings: Settings, problem: Problem | None) -> Task:
        from . import making
        from .problem import Forecasting

        choice = making.Choice(
            target,
            tuple(also or ()),
            horizon,
            window,
            season,
            relative,
            missing,
        )
        source = making.table(file)
        if isinstance(problem, Forecasting):
            return making.resume(settings, source, problem, missing)
        return making.begin(settings, source, choice)

    if window is not None:  # a resumed run compares it with its own
        given = Given({**given.settings, "window": window}, given.defaults)
    fit(given, make, out, resume, overwrite, ("Use it: unrolled forecast {out} [FILE]",))


def forecast(
    run: Annotated[Path, typer.Argument(help="Folder of a run of train series.")],
    file: Annotated[
        Path | None,
        typer.Argument(help="The series, with the same columns; without: sunspot numbers."),
    ] = None,
    missing: Annotated[str, typer.Option(help="Empty cells: error or interpolate.")] = "error",
) -> None:
    """Forecast the values after the end of a series, as CSV, beside naive forecasts."""
    from .forecasting import forecast as lines

    for line in lines(run, file, missing):
        typer.echo(printable(line))
