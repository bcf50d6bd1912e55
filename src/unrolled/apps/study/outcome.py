"""What a trial found, as data."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, final

import msgspec

from ...schema import Count, Size, checked
from .reading import Reading


class Point(NamedTuple):
    """One evaluation along the way.

    Attributes:
        step: how many steps were done.
        loss: of training, the mean since the evaluation before.
        trained: the score on fresh sequences of the kind that is trained on, with the whole gap.
        held_out: the same on those of the held-out kind.
    """

    step: int
    loss: float
    trained: float
    held_out: float


class Stored(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An outcome in a file; numbers that JSON has not are null."""

    task: str
    gap: Count
    entrant: str
    digest: str
    seed: Count
    hidden: Size
    steps: Size
    unit: str
    chance: float | None
    goal: float | None
    trained: float | None
    held_out: float | None
    diverged: bool
    seconds: float | None
    curve: list[tuple[Count, float | None, float | None, float | None]]
    gradients: dict[str, list[float | None]]
    reading: Reading | None


@final
@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One trial.

    Attributes:
        task, gap, entrant, digest, seed, hidden, steps: what was tried; the digest is of the
            cell's equations.
        unit, chance, goal: of the problem; see `unrolled.apps.study.problem.Problem`.
        trained, held_out: the last scores.
        diverged: whether the loss became infinite or NaN, which ended the training.
        seconds: wall time, evaluations and gradients included.
        curve: the evaluations.
        gradients: after parts of the training (0 is its start), the size of the loss's gradient
            by the states k steps before the end, relative to k = 0.
        reading: one sentence as the trained model reads it; None for problems of another kind.
    """

    task: str
    gap: int
    entrant: str
    digest: str
    seed: int
    hidden: int
    steps: int
    unit: str
    chance: float
    goal: float
    trained: float
    held_out: float
    diverged: bool
    seconds: float
    curve: list[Point]
    gradients: dict[float, list[float]]
    reading: Reading | None

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes two trials the same."""
        return key(
            self.task, self.gap, self.digest, self.entrant, self.seed, self.hidden, self.steps
        )

    @property
    def solved(self) -> bool:
        """Whether the held-out score reaches the goal."""
        better = self.held_out - self.goal
        return better >= 0 if self.goal > self.chance else better <= 0

    def to_json(self) -> dict[str, Any]:
        """As JSON has it; numbers that JSON has not are null."""
        data = asdict(self)
        data["curve"] = [list(point) for point in self.curve]
        data["gradients"] = {str(part): sizes for part, sizes in self.gradients.items()}
        return _plain(data)

    @classmethod
    def from_json(cls, data: Any) -> Outcome:
        """The outcome of `to_json`; ValueError for anything else."""
        stored = checked(data, Stored)
        given = {name: getattr(stored, name) for name in Stored.__struct_fields__}
        given["curve"] = [Point(step, *map(_number, rest)) for step, *rest in stored.curve]
        given["gradients"] = {
            float(part): [_number(size) for size in sizes]
            for part, sizes in stored.gradients.items()
        }
        for name in ("trained", "held_out", "seconds", "chance", "goal"):
            given[name] = _number(given[name])
        return cls(**given)


def key(*parts: Any) -> tuple[Any, ...]:
    """What makes two trials the same: task, gap, equations, entrant, seed, size and steps."""
    return parts


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _number(value: float | None) -> float:
    return math.nan if value is None else value
