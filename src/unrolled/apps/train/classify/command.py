"""The commands ``unrolled train classify`` and ``unrolled predict``."""

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


@train.command("classify")
@with_settings(
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
    given: Given,
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV with a header, or JSON lines; without: scikit-learn's digits."),
    ] = None,
    sequence: Annotated[
        list[str] | None,
        typer.Option(help="Column of the sequence, * for any characters; may be repeated."),
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of the class.")] = None,
    step: Annotated[int, typer.Option(help="Numbers of a step, if each has a column.")] = 1,
    by: Annotated[str | None, typer.Option(help="Read texts as characters or words.")] = None,
    vocabulary: Annotated[int, typer.Option(help="Known symbols at most.")] = 10_000,
    longest: Annotated[int, typer.Option(help="Of a longer sequence its end is read.")] = 1000,
    missing: Annotated[str, typer.Option(help="Empty cells: error, or drop the record.")] = "error",
    out: Out = Path("runs/classify"),
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Train a network that tells the class of a sequence: many → one.

    A sequence is a text, a list of numbers (or of lists of as many) in one cell, or numbers in
    columns of their own. What is not named is guessed, and said. Half of the held-out records
    choose the best checkpoint, the others test it in the end.
    """

    def make(settings: Settings, problem: Problem | None) -> Task:
        from . import making
        from .problem import Classification

        choice = making.Choice(tuple(sequence or ()), label, step, by, vocabulary, longest, missing)
        source = making.table(file)
        if isinstance(problem, Classification):
            return making.resume(settings, source, problem, missing)
        return making.begin(settings, source, choice, file is None)

    fit(given, make, out, resume, overwrite, ("Use it: unrolled predict {out} [FILE]",))


def predict(
    run: Annotated[Path, typer.Argument(help="Folder of a run of train classify.")],
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV or JSON lines with the same columns; without: the digits."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Instead of a file: a text, or a list of numbers.")
    ] = None,
) -> None:
    """Tell the classes of sequences: a line of CSV for each, with the probability of the class.

    If the file has the column of the class, the share that is told rightly follows on stderr.
    """
    from .predicting import predict as lines

    for line in lines(run, file, text or []):
        typer.echo(printable(line.text), err=line.aside)
