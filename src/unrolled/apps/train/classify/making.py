"""From a table to a task."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import final

from ....errors import UserError
from ..alphabet import Alphabet
from ..parts import drawn
from ..settings import Settings
from ..table import Table, open_table
from ..table.builtin import digits
from .columns import by_words, choose
from .examples import Examples
from .problem import Classification
from .reading import Numbers, Reading, Text
from .task import Classify

MISSING = ("error", "drop")


@final
@dataclass(frozen=True)
class Choice:
    """What the command line says of a table.

    Attributes:
        sequence: names of columns of the sequence; none: guessed.
        label: the column of the class; None: guessed.
        step: how many numbers make a step, where each has a column of its own.
        by: characters or words; None: guessed.
        vocabulary: how many symbols are known at most.
        longest: of longer sequences only the last steps are read.
        missing: what is done with a record of which a cell is empty: error or drop.

    Raises:
        UserError: a value is out of range.
    """

    sequence: tuple[str, ...] = ()
    label: str | None = None
    step: int = 1
    by: str | None = None
    vocabulary: int = 10_000
    longest: int = 1000
    missing: str = "error"

    def __post_init__(self) -> None:
        for name in ("step", "vocabulary", "longest"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name} must be at least 1, not {getattr(self, name)}")
        if self.missing not in MISSING:
            raise UserError(f"--missing must be error or drop, not {self.missing!r}")


def table(file: Path | None) -> Table:
    """The table in a file; without one, handwritten digits."""
    return digits() if file is None else open_table(file)


def begin(settings: Settings, source: Table, choice: Choice, built_in: bool) -> Classify:
    """A task of a table; vocabulary and scale are made of its training part."""
    step = 8 if built_in and choice.step == 1 and not choice.sequence else choice.step
    cells, label = choose(source, list(choice.sequence), choice.label, step)
    examples = Examples(source, cells, label, choice.missing == "drop")
    reading = _reading(settings, examples, choice)
    problem = Classification(cells, label, reading, examples.classes, choice.longest)
    return Classify(settings, examples, problem)


def resume(settings: Settings, source: Table, problem: Classification, missing: str) -> Classify:
    """The task of a run that goes on."""
    examples = Examples(source, problem.cells, problem.label, missing == "drop")
    return Classify(settings, examples, problem)


def _reading(settings: Settings, examples: Examples, choice: Choice) -> Reading:
    parts = drawn(examples.keys, settings.held_out, settings.seed, examples.table.name)
    if not examples.cells.text:
        return Numbers.of(examples.raws(parts.training), examples.size)
    some = list(islice(examples.raws(parts.training), 200))
    by = choice.by or ("words" if by_words(some) else "characters")
    return Text(Alphabet.of(examples.raws(parts.training), by, choice.vocabulary))
