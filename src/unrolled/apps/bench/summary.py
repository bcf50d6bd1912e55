"""Rows of one title in a line: the geometric mean of their ratios, and the least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .layers import Inference
from .outcome import Outcome
from .ratio import geometric_mean
from .shape import Shape


class Mean(NamedTuple):
    """How many times as fast as an opponent, over rows that differ in shape alone."""

    title: str
    opponent: str
    mean: float
    least: float
    shape: Shape  # of the least


BEST = "best rival"


def means(outcomes: Sequence[Outcome]) -> list[Mean]:
    """For each title and opponent; over several rivals, also for the best one of each row."""
    ratios: dict[tuple[str, str], dict[Shape, float]] = {}
    for outcome in outcomes:
        for opponent, value in _ratios(outcome):
            ratios.setdefault((outcome.row.title, opponent), {})[outcome.row.shape] = value
    found = []
    for (title, opponent), values in ratios.items():
        least = min(values, key=lambda shape: values[shape])
        mean = geometric_mean(values.values())
        found.append(Mean(title, opponent, mean, values[least], least))
    return found


def _ratios(outcome: Outcome) -> Iterator[tuple[str, float]]:
    medians = {name: each.median for name, each in outcome.ratios.items()}
    yield from medians.items()
    rivals = [value for name, value in medians.items() if name != "torch.nn"]
    if isinstance(outcome.row, Inference) and len(rivals) > 1:
        yield BEST, min(rivals)
