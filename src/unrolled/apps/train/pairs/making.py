"""From a table to a task."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import final

from ....errors import UserError
from ..alphabet import WAYS, Alphabet
from ..classify.columns import by_words
from ..parts import drawn
from ..settings import Settings
from ..table import Table
from ..table.builtin import dates
from ..table.delimited import Delimited
from ..table.jsonl import JsonLines
from ..table.opening import JSON
from .examples import Pairs
from .problem import LONGEST, Translation
from .task import Translate

MISSING = ("error", "drop")


@final
@dataclass(frozen=True)
class Choice:
    """What the command line says of a table of pairs.

    Attributes:
        source, target: the columns; None: the first and the second.
        by: characters or words; None: words, if texts have five or more on average.
        vocabulary: how many symbols of each side are known at most.
        longest: pairs with a text of more symbols are left out.
        attention: whether the decoder looks at every step of the source.
        missing: what is done with a pair of which a text is missing: error or drop.

    Raises:
        UserError: a value is out of range.
    """

    source: str | None = None
    target: str | None = None
    by: str | None = None
    vocabulary: int = 10_000
    longest: int = 200
    attention: bool = True
    missing: str = "error"

    def __post_init__(self) -> None:
        for name in ("vocabulary", "longest"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name} must be at least 1, not {getattr(self, name)}")
        if self.longest > LONGEST:
            raise UserError(f"--longest must be at most {LONGEST:,}, not {self.longest:,}")
        if self.missing not in MISSING:
            raise UserError(f"--missing must be error or drop, not {self.missing!r}")
        if self.by is not None and self.by not in WAYS:
            raise UserError(f"--by must be one of {', '.join(WAYS)}, not {self.by!r}")


def table(file: Path | None, header: bool | None) -> Table:
    """The table in a file; without one, dates in ten languages.

    Args:
        file: a .tsv file has no header, and quotation marks mean nothing there, unless told so;
            any other is a CSV file with a header, or holds JSON lines.
        header: whether the first line names the columns; None: as the file's name says.
    """
    if file is None:
        return dates()
    if file.suffix.lower() in JSON:
        return JsonLines(file)
    tabs = file.suffix.lower() in (".tsv", ".tab", ".txt")
    return Delimited(file, header=not tabs if header is None else header, quoted=not tabs)


def begin(settings: Settings, source: Table, choice: Choice) -> Translate:
    """A task of a table; the alphabets are those of its training part."""
    by = choice.by or _guessed(source, choice)
    pairs = Pairs(
        source, choice.source, choice.target, by, choice.longest, choice.missing == "drop"
    )
    parts = drawn(pairs.keys, settings.held_out, settings.seed, source.name)
    first, second = (
        Alphabet.of((pair[side] for pair in pairs.at(parts.training)), by, choice.vocabulary)
        for side in (0, 1)
    )
    problem = Translation(first, second, choice.longest, choice.attention)
    return Translate(settings, pairs, problem)


def resume(settings: Settings, source: Table, problem: Translation, choice: Choice) -> Translate:
    """The task of a run that goes on."""
    pairs = Pairs(
        source,
        choice.source,
        choice.target,
        problem.source.by,
        problem.longest,
        choice.missing == "drop",
    )
    return Translate(settings, pairs, problem)


def _guessed(source: Table, choice: Choice) -> str:
    columns = [source.column(name) for name in (choice.source, choice.target) if name] or [0, 1]
    records = list(islice(source, 200))
    texts = [
        [str(record.values[place]) for record in records]
        for place in columns
        if place < len(source.columns)
    ]
    return "words" if texts and records and all(map(by_words, texts)) else "characters"
