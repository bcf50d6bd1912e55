"""The outcome of a row, means over rows, and a run as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple, final

from ..files import dated
from .clock import Ratio, geometric_mean, measure, ratio
from .contender import Contender, RefusalError
from .rivals import Rival
from .rows import Row
from .work import Shape


@final
@dataclass(frozen=True)
class Timing:
    """The times of a row, or why there are none.

    Attributes:
        row: which one.
        contenders: ours first.
        times: of each contender, seconds a step took in each round.
        wrong: what was wrong with a result; then nothing was timed.
    """

    row: Row
    contenders: Sequence[Contender]
    times: Mapping[str, Sequence[float]]
    wrong: str | None = None

    @property
    def seconds(self) -> float:
        """That our step takes: the median."""
        return median(self.times[self.contenders[0].name])

    @property
    def gflops(self) -> float:
        """Billions of operations in the products that ours does in a second."""
        return _work(self.contenders[0]) / self.seconds / 1e9

    @property
    def ratios(self) -> dict[str, Ratio]:
        """The speed of ours relative to each opponent; for different work, per operation.

        Empty for a row that was not timed.
        """
        if self.wrong is not None:
            return {}
        ours, *others = self.contenders
        found = {}
        for other in others:
            share = _work(ours) / _work(other)
            theirs = [seconds * share for seconds in self.times[other.name]]
            found[other.name] = ratio(self.times[ours.name], theirs)
        return found


def _work(contender: Contender) -> float:
    return contender.flops / contender.steps


def outcome(row: Row, rivals: Sequence[Rival], seconds: float) -> Timing:
    """Check all contenders of a row, then time them in turn for about so long."""
    try:
        contest = row.contest(rivals)
    except RefusalError as refusal:
        return Timing(row, (), {}, str(refusal))
    contenders = (contest.subject, *contest.opponents)
    for contender in contenders:
        wrong = contender.complaint()
        if wrong is not None:
            return Timing(row, contenders, {}, wrong)
    measured = measure([contender.work for contender in contenders], seconds)
    times = {
        contender.name: [each / contender.steps for each in taken]
        for contender, taken in zip(contenders, measured, strict=True)
    }
    return Timing(row, contenders, times)


class Mean(NamedTuple):
    """Ratio to an opponent, averaged over rows that differ in shape alone."""

    title: str
    opponent: str
    mean: float
    least: float
    shape: Shape  # of the least


BEST = "best rival"


def means(outcomes: Sequence[Timing]) -> list[Mean]:
    """Average ratios by title and opponent; of several rivals, also the best of each row."""
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


def _ratios(outcome: Timing) -> Iterator[tuple[str, float]]:
    medians = {name: each.median for name, each in outcome.ratios.items()}
    yield from medians.items()
    rivals = [value for name, value in medians.items() if name != "torch.nn"]
    if outcome.row.kind == "inference" and len(rivals) > 1:
        yield BEST, min(rivals)


VERSION = 1


def report(
    machine: dict[str, Any], ceiling: dict[int, float], threads: int, outcomes: Sequence[Timing]
) -> dict[str, Any]:
    """Return the run as JSON has it; times in seconds, rates in billions of operations a second."""
    return dated(
        VERSION,
        machine=machine,
        threads=threads,
        ceiling_gflops={str(count): value for count, value in ceiling.items()},
        rows=[_row(outcome, ceiling[threads]) for outcome in outcomes],
        means=[mean._asdict() for mean in means(outcomes)],
    )


def _row(outcome: Timing, ceiling: float) -> dict[str, Any]:
    row = outcome.row
    head = {"kind": row.kind, "title": row.title, "cell": row.cell, "shape": row.shape}
    if outcome.wrong is not None:
        return {**head, "wrong": outcome.wrong}
    return {
        **head,
        "contenders": [
            {
                "name": each.name,
                "flops": each.flops // each.steps,
                "seconds": outcome.times[each.name],
            }
            for each in outcome.contenders
        ],
        "gflops": outcome.gflops,
        "part_of_ceiling": outcome.gflops / ceiling,
        "ratios": {name: each._asdict() for name, each in outcome.ratios.items()},
    }
