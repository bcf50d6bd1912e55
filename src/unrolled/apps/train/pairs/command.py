"""The commands ``unrolled train pairs`` and ``unrolled translate``."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, final

import typer

from ....errors import UserError
from ....printable import printable
from ..alphabet import LONGEST, WAYS
from ..command import training_command
from ..given_texts import one_input
from ..options import OF_TABLES, number_option, with_options
from ..records import FORMAT_OR_TEXT, format_option, lines
from ..settings import COUNTED, Options, Rule, Settings, declare, one_of, require
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
    vocabulary: int = declare(10_000, "Known symbols a side at most.", COUNTED)
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
    "Use it: unrolled translate {out} --text TEXT",
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


WIDTH = Rule(lambda value: 1 <= value <= 1000, "from 1 to 1000")


@with_options
def translate(
    run: Path = typer.Argument(help="Folder of a run of train pairs, or a checkpoint."),
    file: Path | None = typer.Argument(
        None, help="Texts, a line for each, or a table; - for standard input."
    ),
    text: list[str] | None = typer.Option(
        None, help="Instead of a file: the text itself; may be repeated."
    ),
    source: str | None = typer.Option(
        None, help="Column to read, if it is a table.", show_default="the first"
    ),
    beam: int = number_option(4, "Sequences kept at a time, 1: greedy.", WIDTH),
    form: str = format_option("text", "text, a line for each; csv or jsonl.", FORMAT_OR_TEXT),
    *,
    options: FormatOptions,
) -> None:
    """Turn texts into others, a line for each.

    Those of a file are translated many at a time, those of standard input as they come. A table is
    read as the run's own was, unless options say otherwise.
    """
    from ...terminal import load_torch

    require("--format", form, FORMAT_OR_TEXT)
    one_input(file, text)
    if file is None and not text:
        raise UserError("there is nothing to translate: give a FILE, - or --text")
    load_torch()
    from .run import CHUNK, PairsRun
    from .texts import texts_of

    trained = PairsRun.load(run)
    texts: Iterable[str] = text or []
    if file is not None:
        texts = texts_of(trained.problem, file, source, options)
    groups = _groups(texts, 1 if file == Path("-") else CHUNK)
    records = (
        pair
        for group in groups
        for pair in zip(group, trained.translate(group, beam=beam), strict=True)
    )
    if form == "text":
        for _, translated in records:
            typer.echo(printable(translated))
    else:
        for line in lines(form, ("text", "translation"), records):
            typer.echo(line)


def _groups(texts: Iterable[str], most: int) -> Iterator[list[str]]:
    """Give texts in groups, as soon as one is full.

    >>> list(_groups("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    waiting = iter(texts)
    while group := list(islice(waiting, most)):
        yield group
