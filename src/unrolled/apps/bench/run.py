"""The whole benchmark."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .ceiling import Ceiling
from .choice import Choice
from .machine import machine
from .outcome import Outcome, outcome
from .report import report
from .summary import means
from .table import head, introduction, line, summary


def run(console: Console, choice: Choice) -> dict[str, Any]:
    """Measure the rows of a choice on torch's number of threads, print each as it comes.

    Returns:
        The run as data; a row whose numbers are wrong has an entry ``wrong`` and no times.
    """
    threads, found, ceiling = torch.get_num_threads(), machine(), Ceiling()
    rates = {count: ceiling.gflops(count) for count in sorted({1, threads})}
    _print(console, introduction(found, rates, threads, choice.rivals))
    outcomes, above = [], ""
    with _unwarned():
        for each in _outcomes(console, choice):
            # The best of many moments: other programs may have had their share of the first.
            rates[threads] = max(rates[threads], ceiling.gflops(threads))
            if head(each) != above:
                above = head(each)
                _print(console, above)
            _print(console, line(each, rates[threads]), "bold red" if each.wrong else "")
            outcomes.append(each)
    _print(console, summary(means(outcomes)))
    return report(found, rates, threads, outcomes)


def _outcomes(console: Console, choice: Choice) -> Iterator[Outcome]:
    """The rows one after the other; on a terminal, with a bar below."""
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    # Drawn at changes only: a thread that draws would take time from what is measured.
    with Progress(
        *columns,
        console=console,
        transient=True,
        auto_refresh=False,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("", total=len(choice.rows))
        for row in choice.rows:
            progress.update(task, description=f"{row.title} {row.shape}", refresh=True)
            yield outcome(row, choice.rivals, choice.seconds)
            progress.advance(task)


@contextmanager
def _unwarned() -> Iterator[None]:
    """Without PyTorch's remark that its projected LSTM is slow."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        yield


def _print(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)
