"""Several runs one after the other, of some cells and seeds, and their comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...display import counted
from ...errors import UserError
from . import checkpoint as checkpoints
from .comparison import Comparison, Entry, entries
from .options import Given
from .settings import SEED, require

if TYPE_CHECKING:
    from ...draw.picture import Picture

MOST = 1000
"""Runs of one command."""


def plan(given: Given, cells: Sequence[str], seeds: int, out: Path) -> dict[Path, Given]:
    """Return the settings of each run, by its folder: of all cells from the first seed first.

    Raises:
        UserError: two cells have one name, or there are too many runs.
    """
    from ..cell import cell_of

    if len(cells) * seeds > MOST:
        raise UserError(
            f"{len(cells)} cells from {seeds} seeds are {len(cells) * seeds:,} runs: at most "
            f"{MOST:,}"
        )
    names = [cell_of(each).name for each in cells]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two cells are called {name}: name each cell once")
    first = given.settings.get("seed", 0)
    require("--seed", first + seeds - 1, SEED)
    return {
        out / f"{name}-seed{seed}": replace(
            given, settings={**given.settings, "cell": cell, "seed": seed}, cells=(cell,)
        )
        for seed in range(first, first + seeds)
        for name, cell in zip(names, cells, strict=True)
    }


def fit_all(
    runs: Mapping[Path, Given],
    fit: Callable[[Given, Path, bool], None],
    out: Path,
    resume: bool,
    overwrite: bool,
) -> None:
    """Train the runs that are not finished, one after the other, and compare all.

    Args:
        runs: the settings of each, by its folder.
        fit: trains one, in its folder; whether it goes on with the run that is there.
        out: the folder of all.
        resume: whether to go on with those that are there.
        overwrite: whether to replace them.

    Raises:
        UserError: a folder holds a run and neither is asked for.
    """
    from ..terminal import output, rule, say
    from .folder import require_new

    console = output()
    if not (resume or overwrite):
        for folder in (out, *runs):
            require_new(folder)
    for number, (folder, given) in enumerate(runs.items(), 1):
        is_there = resume and (folder / checkpoints.NAME).exists()
        rule(console, f"{number} of {len(runs)}: {folder.name}")
        if is_there and _is_done(folder, given):
            say(console, f"{folder} is finished")
            continue
        fit(given, folder, is_there)
    rule(console, f"comparison of {counted(len(runs), 'runs')}")
    for line in said(Comparison.of(entries([out])), console.print):
        say(console, line)
    say(console, f"Draw it: unrolled compare {out} --out comparison.png")


def _is_done(folder: Path, given: Given) -> bool:
    """Return whether a run needs no more steps than it has."""
    steps = given.settings.get("steps")
    last = checkpoints.load(folder)
    if last.best is None or (steps is not None and steps > last.step):
        return False
    return Entry.at(folder).is_finished


def said(found: Comparison, show: Callable[[Any], None]) -> Iterator[str]:
    """Show the table of a comparison, and give what is to be said below it."""
    show(found.table())
    yield from found.lines()


def drawn(found: Comparison) -> Picture:
    """Return the picture of a comparison: losses on the held-out part against steps."""
    from ...draw.picture import Picture
    from ..curves import learning

    curves = {name: [each for each in several if each[0]] for name, several in found.curves.items()}
    title = f"Held-out loss of {', '.join(curves)}"
    about = " ".join(found.lines())
    many = any(len(several) > 1 for several in curves.values())
    across = f"steps{'; line: mean, band: all seeds' * many}"
    return Picture(lambda: learning(curves, across, found.unit), title=title, about=about)
