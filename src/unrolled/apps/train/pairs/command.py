"""The commands ``unrolled train pairs`` and ``unrolled translate``."""

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


@train.command("pairs")
@with_settings(
    *OF_TABLES,
    cell="gru",
    hidden=128,
    batch=64,
    steps=1000,
    schedule="cosine",
    evaluate_every=250,
    evaluate_at_most=2000,
)
def pairs(
    given: Given,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Two columns: TSV without a header, CSV, JSON lines; without: dates of babel."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Column to read.", show_default="the first")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Column to write.", show_default="the second")
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="Whether the first line names the columns.",
            show_default="not in TSV",
        ),
    ] = None,
    by: Annotated[str | None, typer.Option(help="Read texts as characters or words.")] = None,
    vocabulary: Annotated[int, typer.Option(help="Known symbols a side at most.")] = 10_000,
    longest: Annotated[int, typer.Option(help="Leave out pairs with more symbols.")] = 200,
    attention: Annotated[
        bool, typer.Option("--attention/--no-attention", help="Look at all of the source.")
    ] = True,
    missing: Annotated[str, typer.Option(help="Empty cells: error, or drop the pair.")] = "error",
    out: Out = Path("runs/pairs"),
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a network that turns one text into another: encoder and decoder.

    Half of the held-out pairs choose the best checkpoint, the others test it in the end; pairs
    with the same source stay together.
    """

    def make(settings: Settings, problem: Problem | None) -> Task:
        from . import making
        from .problem import Translation

        choice = making.Choice(source, target, by, vocabulary, longest, attention, missing)
        table = making.table(file, header)
        if isinstance(problem, Translation):
            return making.resume(settings, table, problem, choice)
        return making.begin(settings, table, choice)

    fit(given, make, out, resume, overwrite, ("Use it: unrolled translate {out} TEXT",))


def translate(
    run: Annotated[Path, typer.Argument(help="Folder of a run of train pairs.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Without: lines of stdin.")
    ] = None,
    beam: Annotated[int, typer.Option(help="Sequences kept at a time; 1: greedy.")] = 4,
) -> None:
    """Turn texts into others, a line for each."""
    import sys

    from .translating import translate as lines

    for line in lines(run, texts or sys.stdin, beam):
        typer.echo(printable(line))
