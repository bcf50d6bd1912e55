"""The commands under figures: each shows or measures again what the figure shows."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from ...cells import CELLS
from ...equations import Cell
from ..study.outcome import Outcome


def line(*words: object) -> str:
    """Return a command as a shell takes it.

    >>> line("draw", "gates", "--text", "to be")
    "unrolled draw gates --text 'to be'"
    """
    return shlex.join(["unrolled", *map(str, words)])


def language_of(language: str) -> tuple[str, ...]:
    """Return the option of a command that is to speak a language; none for English.

    >>> language_of("en"), language_of("zh")
    ((), ('--lang', 'zh'))
    """
    return () if language == "en" else ("--lang", language)


def draw(name: str, language: str, *more: object, out: str = "") -> str:
    """Return the command that draws a picture of its own, in a language.

    Args:
        name: of the drawing.
        language: en or zh.
        more: options.
        out: the name of the file, without its end; empty: that of the drawing.

    >>> draw("loop", "zh")
    'unrolled draw loop --lang zh -o loop.svg'
    """
    return line("draw", name, *more, *language_of(language), "-o", f"{out or name}.svg")


def named(cell: Cell, run: Path | None) -> str:
    """Return how a command names a cell: a known one by its name, any other by a run with it.

    >>> from unrolled import cells
    >>> named(cells.gru, None), named(cells.cornn(dt=0.1), Path("runs/text"))
    ('gru', 'runs/text')
    """
    return str(run) if run is not None and CELLS.get(cell.name) != cell else cell.name


def of_cell(name: str, language: str, cell: Cell, run: Path | None = None) -> str:
    """Return the command that draws a cell, into a file that is called as the cell is.

    >>> from unrolled import cells
    >>> of_cell("cell", "en", cells.gru)
    'unrolled draw cell --cell gru -o gru.svg'
    >>> of_cell("forget", "en", cells.lstm)
    'unrolled draw forget --cell lstm -o lstm-forget.svg'
    """
    out = cell.name if name == "cell" else f"{cell.name}-{name}"
    return draw(name, language, "--cell", named(cell, run), out=out)


def of_run(name: str, language: str, run: Path, text: str) -> str:
    """Return the command that draws a run while it reads a text, in a language."""
    return draw(name, language, "--run", run, "--text", text)


def study(outcomes: Sequence[Outcome]) -> str:
    """Return the command that repeats trials of one task, gap, size and number of steps.

    Trials go by their seeds from 0 on.
    """
    first = outcomes[0]
    names = dict.fromkeys(each.entrant for each in outcomes)
    cells = [word for name in names for word in ("--cells", name)]
    seeds = max(each.seed for each in outcomes) + 1
    sizes = ["--seeds", seeds, "--steps", first.steps, "--hidden", first.hidden]
    return line("study", first.task, *cells, "--gaps", first.gap, *sizes)


def trials(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the commands that repeat a study, one for each task and gap."""
    found: dict[tuple[str, int], list[Outcome]] = {}
    for each in outcomes:
        found.setdefault((each.task, each.gap), []).append(each)
    return [study(each) for each in found.values()]
