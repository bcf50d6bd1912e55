"""The figures of a study in a table: cells down, gaps across."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ...printable import printable
from .entrant import DEFAULT
from .outcome import Outcome


@final
@dataclass(frozen=True)
class Figure:
    """The outcomes of one entrant on one problem, all seeds together."""

    outcomes: Sequence[Outcome]

    @property
    def scores(self) -> list[float]:
        """Of the seeds, held out."""
        return [outcome.held_out for outcome in self.outcomes]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return sum(self.scores) / len(self.scores)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the greatest."""
        return min(self.scores), max(self.scores)

    @property
    def solved(self) -> int:
        """From how many seeds the goal was reached."""
        return sum(outcome.solved for outcome in self.outcomes)

    @property
    def diverged(self) -> int:
        """From how many seeds the training diverged."""
        return sum(outcome.diverged for outcome in self.outcomes)

    @property
    def seconds(self) -> float:
        """Of a trial, on average."""
        return sum(outcome.seconds for outcome in self.outcomes) / len(self.outcomes)

    def __str__(self) -> str:
        low, high = self.spread
        if self.outcomes[0].unit != "accuracy":
            return f"{number(self.mean)}" + (
                f" ({number(low)}–{number(high)})" if low < high else ""
            )
        text = f"{100 * self.mean:.1f}"
        return f"{text} ({100 * low:.0f}–{100 * high:.0f})" if low < high else text


def number(value: float) -> str:
    """Return a figure of three digits.

    >>> number(0.000123), number(0.1671), number(float("nan"))
    ('0.00012', '0.167', 'diverged')
    """
    if not math.isfinite(value):
        return "diverged"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.5f}"


def gathered(outcomes: Iterable[Outcome]) -> dict[str, dict[str, dict[int, Figure]]]:
    """Gather figures by task, entrant and gap."""
    found: dict[str, dict[str, dict[int, list[Outcome]]]] = {}
    for each in outcomes:
        gaps = found.setdefault(each.task, {}).setdefault(each.entrant, {})
        gaps.setdefault(each.gap, []).append(each)
    return {
        task: {
            entrant: {gap: Figure(gaps[gap]) for gap in sorted(gaps)}
            for entrant, gaps in ordered(entrants).items()
        }
        for task, entrants in found.items()
    }


def ordered(entrants: dict[str, Any]) -> dict[str, Any]:
    """Order entrants as they are named usually, others behind."""
    places = {name: place for place, name in enumerate(DEFAULT)}
    return {name: entrants[name] for name in sorted(entrants, key=lambda n: places.get(n, 99))}


HEADINGS = {
    "short": "Short gap, “the clouds … are in the bright sky”: % of held-out answers right",
    "long": "Long gap, “I lived in France … I speak fluent French”: % of held-out answers right",
    "adding": "Adding problem: mean squared error (1/6 remembers nothing; solved below 0.01)",
    "copy": "Copy memory: cross-entropy in nats, 10 ln 8 / (gap + 20) remembers nothing",
}


def tables(outcomes: Iterable[Outcome]) -> list[Group]:
    """Return one table for each task; mean over seeds, in brackets the least and the greatest."""
    return [_table(task, entrants) for task, entrants in gathered(outcomes).items()]


def _table(task: str, entrants: dict[str, dict[int, Figure]]) -> Group:
    gaps = sorted({gap for figures in entrants.values() for gap in figures})
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("cell")
    for gap in gaps:
        table.add_column(f"gap {gap}", justify="right")
    table.add_column("s/trial", justify="right")
    for entrant, figures in entrants.items():
        cells = []
        for gap in gaps:
            figure = figures.get(gap)
            style = "bold" if figure is not None and figure.solved == len(figure.outcomes) else ""
            cells.append(Text("" if figure is None else str(figure), style))
        seconds = sum(figure.seconds for figure in figures.values()) / len(figures)
        table.add_row(Text(printable(entrant)), *cells, f"{seconds:.1f}")
    first = next(iter(next(iter(entrants.values())).values())).outcomes[0]
    chance = f"{100 * first.chance:.1f} %" if first.unit == "accuracy" else number(first.chance)
    seeds = len({o.seed for f in entrants.values() for g in f.values() for o in g.outcomes})
    note = f"{seeds} seed{'s' if seeds > 1 else ''}; chance {chance}; bold: solved"
    return Group(Text(HEADINGS[task], "bold"), table, Text(note, "dim"))
