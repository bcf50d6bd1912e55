"""The commands ``unrolled train pairs`` and ``unrolled translate``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, final

import typer

from ....errors import UserError
from ....printable import printable
from ..alphabet import LONGEST, WAYS
from ..command import training_command
from ..options import OF_TABLES
from ..settings import POSITIVE, Options, Rule, Settings, declare, one_of
from ..table.format import FormatOptions

if TYPE_CHECKING:
    from ..task import Problem, Task


@final
@dataclass(frozen=True)
class Choice(Options):
    """Options for a table of pairs of texts; without ``by`` words, if texts have five or more."""

    source: str | None = declare(None, "Column to read.", shown="the first")
    target: str | None = declare(None, "Column to write.", shown="the second")
    by: str | None = declare(None, "Read texts as characters or words.", one_of(*WAYS))
    vocabulary: int = declare(10_000, "Known symbols a side at most.", POSITIVE)
    longest: int = declare(
        200,
        "Leave out pairs with more symbols.",
        Rule(lambda value: 1 <= value <= LONGEST, f"at least 1 and at most {LONGEST:,}"),
    )
    attention: bool = declare(True, "Look at all of the source.")
    missing: str = declare(
        "error", "Empty cells: error, or drop the pair.", one_of("error", "drop")
    )


@training_command(
    "Use it: unrolled translate {out} TEXT",
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
    settings: Settings,
    problem: "Problem | None",
    file: Path | None = typer.Argument(
        None, help="Two columns: TSV without a header, CSV, JSON, Parquet; without: dates of babel."
    ),
    *,
    choice: Choice,
    options: FormatOptions,
) -> "Task":
    """Train a network that turns one text into another: encoder and decoder.

    Half of the held-out pairs choose the best checkpoint, the others test it in the end; pairs
    with the same source stay together.
    """
    from .task import open_task, table

    known = getattr(problem, "format", None)
    return open_task(settings, table(file, options, known), choice, problem)


def translate(
    run: Path = typer.Argument(help="Folder of a run of train pairs."),
    texts: list[str] | None = typer.Argument(None, metavar="TEXT", help="Without: lines of stdin."),
    beam: int = typer.Option(4, help="Sequences kept at a time; 1: greedy."),
) -> None:
    """Turn texts into others, a line for each."""
    import sys

    from ..checkpoint import best_model
    from .problem import Translation

    if not 1 <= beam <= 1000:
        raise UserError(f"--beam must be from 1 to 1000, not {beam}")
    problem, model = best_model(run, Translation)
    for text in map(str.strip, texts or sys.stdin):
        typer.echo(printable(problem.translate(model, [text], beam)[0] if text else ""))
