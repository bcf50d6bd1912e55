"""The command ``unrolled study``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...display import counted
from ...equations import Cell
from ...printable import printable
from ..terminal import Interrupt, say
from .entrant import DEFAULT, Entrant
from .grid import Plan, carry_out, tasks
from .outcome import Outcome, Results
from .problems import GAPS, problem
from .table import number, tables
from .trial import Budget


def study(
    console: Console,
    names: Sequence[str],
    cells: Sequence[str],
    gaps: Sequence[int],
    seeds: int,
    budget: Budget,
    jobs: int | None,
    out: Path | None,
    find: Callable[[str], Cell],
    interrupt: Interrupt,
) -> None:
    """Do what the command asks: trials that `out` has already are not run again.

    Raises:
        UserError: something that is asked for is not there or out of range.
    """
    chosen = {name: tuple(gaps) or GAPS.get(name, ()) for name in names or ["long"]}
    for name in chosen:
        problem(name, (chosen[name] or (1,))[0])
    entrants = [Entrant.of(name, find) for name in cells or DEFAULT]
    todo = tasks(chosen, entrants, seeds, budget)
    results = Results(out)
    results.save()
    jobs = jobs or min(len(todo), os.cpu_count() or 1)
    follow(console, todo, results, jobs, interrupt)
    shown = [results[task.key] for task in todo if task.key in results]
    show(console, shown)
    if out is not None:
        say(console, f"The figures, learning curves and gradients are in {out}.")
    if interrupt.requested is not None:
        trials = counted(len(todo), "trials")
        say(console, f"Stopped with {len(shown)} of {trials}; the same command goes on.")


def follow(
    console: Console, todo: Sequence[Plan], results: Results, jobs: int, interrupt: Interrupt
) -> None:
    """Carry out trials, with a bar on a terminal and a line for each elsewhere."""
    known = sum(task.key in results for task in todo)
    if known:
        say(console, f"Known already: {known} of {counted(len(todo), 'trials')}.")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    began, has_bar = time.monotonic(), console.is_terminal
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not has_bar
    ) as bar:
        row = bar.add_task("trials", total=len(todo), completed=known)
        for count, outcome in enumerate(carry_out(todo, results, jobs, interrupt), known + 1):
            bar.update(row, advance=1, description=escape(line(outcome)))
            if not has_bar:
                spent = time.monotonic() - began
                say(console, f"{count}/{len(todo)}  {line(outcome)}  {spent:.0f} s so far")


def show(console: Console, outcomes: Iterable[Outcome]) -> None:
    """Print the tables of a study."""
    for table in tables(outcomes):
        console.print(table)
        console.print()


def line(outcome: Outcome) -> str:
    """Return an outcome in a line."""
    score = (
        f"{100 * outcome.held_out:.1f} %"
        if outcome.unit == "accuracy"
        else f"{outcome.unit} {number(outcome.held_out)}"
    )
    mark = ", diverged" if outcome.diverged else ""
    about = f"{outcome.task} {outcome.gap}  {outcome.entrant}, seed {outcome.seed}"
    return printable(f"{about}: {score}{mark}")
