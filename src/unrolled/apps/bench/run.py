"""The whole benchmark and its table: a line for every row, or a few."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ...display import counted
from ..terminal import say
from .choice import Choice
from .clock import short
from .machine import Ceiling, machine
from .outcome import Mean, Timing, means, outcome, report
from .rivals import Rival

RATIO = 14

KEY = (
    "Times are ours, a median; peak is the part of the multiply-adds that the processor can do.\n"
    "Under each opponent: how many times as fast ours is, median and quartiles. Above 1 ours wins."
)


def introduction(
    machine: Mapping[str, Any], ceiling: Mapping[int, float], threads: int, rivals: Sequence[Rival]
) -> str:
    """Return what is measured where, and what the columns mean."""
    versions = machine["versions"]
    rates = ", ".join(
        f"{value:.0f} GFLOP/s on {counted(count, 'threads')}" for count, value in ceiling.items()
    )
    others = {"torch.nn": "torch", **{each.name: each.key for each in rivals}}
    names = ", ".join(f"{name} {versions[package]}" for name, package in others.items())
    return (
        f"{machine['processor']} ({machine['llvm_name']}), {machine['cores']} cores, "
        f"{machine['vector_bits']}-bit vectors; measured with {threads} of them\n"
        f"multiply-adds that wait for nothing: {rates}\n"
        f"unrolled {versions['unrolled']}, {names}\n\n{KEY}"
    )


OWN = 38
"""Columns of what is said of ours."""


def beside(own: str, others: Sequence[str], columns: int) -> str:
    """Return what is said of ours with columns of others beside it, in as many lines as it takes.

    >>> print(beside("1,1,1,1", ["0.5"] * 2, OWN + 16))
    1,1,1,1                                           0.5
                                                      0.5
    """
    room = max(1, (columns - OWN) // (RATIO + 1))
    rows = [others[at : at + room] for at in range(0, len(others), room)] or [()]
    starts = (own, *("" for _ in rows[1:]))
    return "\n".join(
        (f"{start:<{OWN}}" + "".join(f" {each:>{RATIO}}" for each in row)).rstrip()
        for start, row in zip(starts, rows, strict=True)
    )


def head(outcome: Timing, columns: int = 100) -> str:
    """Return the lines over rows that are compared with the same opponents."""
    own = f"{'T,B,I,H':<16} {'time':>8} {'GFLOP/s':>7} {'peak':>4}"
    names = [each.name for each in outcome.contenders[1:]]
    return f"\n{outcome.row.title}\n{beside(own, names, columns)}"


def line(outcome: Timing, ceiling: float, columns: int = 100) -> str:
    """Return a row: time, speed and part of the ceiling, and the ratio to each opponent."""
    if outcome.wrong is not None:
        return f"{outcome.row.shape!s:<16} WRONG, so not timed: {outcome.wrong}"
    speed = outcome.gflops
    own = (
        f"{outcome.row.shape!s:<16} {duration(outcome.seconds):>8} {short(speed):>7} "
        f"{speed / ceiling:>4.0%}"
    )
    return beside(own, [str(value) for value in outcome.ratios.values()], columns)


def summary(means: Sequence[Mean], columns: int = 100) -> str:
    """Return the geometric means, their titles in lines of their own where the columns are few."""
    wide = columns >= 100
    title, gap = (46, " ") if wide else (0, "\n")
    lines = (
        f"{each.title:<{title}}{gap}{each.opponent:>14} {short(each.mean):>6} "
        f"{short(each.least):>6} {each.shape}"
        for each in means
    )
    head = f"\n{'geometric means':<{title}}{gap}{'opponent':>14} {'mean':>6} {'least':>6} at"
    return "\n".join([head, *lines])


def duration(seconds: float) -> str:
    """Format seconds in three digits and a unit.

    >>> duration(0.00123), duration(4.5e-6), duration(2.5)
    ('1.23 ms', '4.50 µs', '2.50 s')
    """
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{short(seconds / unit)} {name}"
    return f"{short(seconds / 1e-6)} µs"


def run(console: Console, choice: Choice) -> dict[str, Any]:
    """Measure the rows of a choice on torch's number of threads, print each as it comes.

    Returns:
        The run as data; a row whose numbers are wrong has an entry ``wrong`` and no times.
    """
    threads, found, ceiling = torch.get_num_threads(), machine(), Ceiling()
    rates = {count: ceiling.gflops(count) for count in sorted({1, threads})}
    say(console, introduction(found, rates, threads, choice.rivals))
    outcomes, above = [], ""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        for each in _outcomes(console, choice):
            # The best of many moments: other programs may have had their share of the first.
            rates[threads] = max(rates[threads], ceiling.gflops(threads))
            if head(each, console.width) != above:
                above = head(each, console.width)
                say(console, above)
            say(
                console, line(each, rates[threads], console.width), "bold red" if each.wrong else ""
            )
            outcomes.append(each)
    say(console, summary(means(outcomes), console.width))
    return report(found, rates, threads, outcomes)


def _outcomes(console: Console, choice: Choice) -> Iterator[Timing]:
    """Return the rows one after the other; on a terminal, with a bar below."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Drawn at changes only: a thread that draws would take time from what is measured.
    with Progress(
        *columns, TextColumn("{task.description}"), console=console, transient=True,
        auto_refresh=False, disable=not console.is_terminal,
    ) as progress:  # fmt: skip
        task = progress.add_task("", total=len(choice.rows))
        for row in choice.rows:
            progress.update(task, description=f"{row.title} {row.shape}", refresh=True)
            yield outcome(row, choice.rivals, choice.seconds)
            progress.advance(task)
