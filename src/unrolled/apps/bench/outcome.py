"""What came out of a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import final

from .clock import measure
from .contender import Contender, RefusalError
from .ratio import Ratio, ratio
from .rival import Rival
from .row import Row


@final
@dataclass(frozen=True)
class Outcome:
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
        """How many times as fast as each opponent ours is; for different work, per operation.

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


def outcome(row: Row, rivals: Sequence[Rival], seconds: float) -> Outcome:
    """Check all contenders of a row, then time them in turn for about so long."""
    try:
        contest = row.contest(rivals)
    except RefusalError as refusal:
        return Outcome(row, (), {}, str(refusal))
    contenders = (contest.subject, *contest.opponents)
    for contender in contenders:
        wrong = contender.complaint()
        if wrong is not None:
            return Outcome(row, contenders, {}, wrong)
    measured = measure([contender.work for contender in contenders], seconds)
    times = {
        contender.name: [each / contender.steps for each in taken]
        for contender, taken in zip(contenders, measured, strict=True)
    }
    return Outcome(row, contenders, times)
