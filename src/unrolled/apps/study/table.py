"""The figures of a study in a table: cells down, gaps across."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from rich.console import Group
from rich.text import Text

from ...columns import Columns
from ...display import counted
from .entrant import DEFAULT
from .outcome import Outcome


@final
@dataclass(frozen=True)
class Figure:
    """The outcomes of one entrant on one problem, all seeds together."""

    outcomes: list[Outcome]

    @property
    def scores(self) -> list[float]:
        """Of the seeds, held out."""
        return [outcome.held_out for outcome in self.outcomes]

    @property
    def mean(self) -> float:
        """Over seeds."""
        return sum(self.scores) / len(self.scores)

    @property
    def percent(self) -> str:
        """The mean in percent, for a sentence."""
        return f"{100 * self.mean:.1f} %"

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the greatest."""
        return min(self.scores), max(self.scores)

    @property
    def all_solved(self) -> bool:
        """Whether the goal was reached from all seeds."""
        return all(outcome.solved for outcome in self.outcomes)

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
        mean, least, most = (number(each) for each in (self.mean, low, high))
        if self.outcomes[0].unit == "accuracy":
            mean, least, most = f"{100 * self.mean:.1f}", f"{100 * low:.0f}", f"{100 * high:.0f}"
        return f"{mean} ({least}–{most})" if low < high else mean


def number(value: float) -> str:
    """Return a figure of three digits.

    >>> number(0.000123), number(0.1671), number(float("nan"))
    ('0.00012', '0.167', 'diverged')
    """
    if not math.isfinite(value):
        return "diverged"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.5f}"


Found: TypeAlias = Mapping[str, Mapping[str, Mapping[int, Figure]]]
"""Figures by task, entrant and gap."""


def gathered(outcomes: Iterable[Outcome]) -> dict[str, dict[str, dict[int, Figure]]]:
    """Gather figures by task, entrant and gap."""
    found: dict[str, dict[str, dict[int, Figure]]] = {}
    for each in outcomes:
        gaps = found.setdefault(each.task, {}).setdefault(each.entrant, {})
        gaps.setdefault(each.gap, Figure([])).outcomes.append(each)
    return {
        task: {name: dict(sorted(gaps.items())) for name, gaps in ordered(entrants).items()}
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


Line: TypeAlias = tuple[str, list[Figure | None], float]
"""An entrant, its figures, and the seconds of a trial, on average over the problems."""


def lines(found: Found, tasks: Iterable[str]) -> tuple[list[tuple[str, int]], list[Line]]:
    """Return the task and gap of each column of a table of some tasks, and its lines."""
    chosen = {task: found[task] for task in tasks if task in found}
    columns = [
        (task, gap)
        for task, entrants in chosen.items()
        for gap in sorted({gap for figures in entrants.values() for gap in figures})
    ]
    made: list[Line] = []
    for name in dict.fromkeys(name for entrants in chosen.values() for name in entrants):
        figures = [chosen[task].get(name, {}).get(gap) for task, gap in columns]
        seconds = [f.seconds for task in found.values() for f in task.get(name, {}).values()]
        made.append((name, figures, sum(seconds) / len(seconds)))
    return columns, made


def tables(outcomes: Iterable[Outcome]) -> list[Group]:
    """Return one table for each task; mean over seeds, in brackets the least and the greatest."""
    return [_table(task, {task: entrants}) for task, entrants in gathered(outcomes).items()]


def _table(task: str, found: Found) -> Group:
    columns, made = lines(found, [task])
    rows: list[list[str | Text]] = []
    for entrant, figures, seconds in made:
        cells = [Text(str(f or ""), "bold" if f and f.all_solved else "") for f in figures]
        rows.append([entrant, *cells, f"{seconds:.1f}"])
    titles = ("cell", *(f"gap {gap}" for _, gap in columns), "s/trial")
    outcomes = [o for _, figures, _ in made for f in figures if f for o in f.outcomes]
    first = outcomes[0]
    chance = f"{100 * first.chance:.1f} %" if first.unit == "accuracy" else number(first.chance)
    seeds = len({outcome.seed for outcome in outcomes})
    note = f"{counted(seeds, 'seeds')}; chance {chance}; bold: solved"
    return Group(Text(HEADINGS[task], "bold"), Columns(titles, rows), Text(note, "dim"))
