"""Rows and rivals that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import torch

from unrolled.apps.bench.contender import Contender, Contest
from unrolled.apps.bench.layers import InferenceRow, Row
from unrolled.apps.bench.outcome import Timing
from unrolled.apps.bench.rivals import Rival
from unrolled.apps.bench.work import Shape, StandardLayer

SMALL = Shape(3, 2, 4, 5)


def contender(name: str, flops: int = 1000, steps: int = 1, value: float = 1.0) -> Contender:
    """Gives `value` where 1 is right."""
    right = {"output": torch.ones(2, dtype=torch.float64)}
    return Contender(
        name,
        lambda: value,
        lambda v: {"output": torch.full((2,), v)},
        lambda: right,
        flops,
        steps=steps,
    )


@final
class Fake(Row):
    """A row of two contenders, of which the second gives what its cell's name says."""

    kind = "fake"
    heading = "fake"

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        return Contest(contender("ours"), (contender("theirs", value=float(self.cell)),))


@final
class Stranger(Rival):
    """Gives whatever numbers it is made with, in the shape of the right ones."""

    key = "stranger"
    name = "Stranger"

    def __init__(self, value: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.value = value

    def available(self) -> str | None:
        return None

    def work(self, problem: StandardLayer, threads: int) -> Callable[[], Any]:
        output, state = problem.theirs(problem.feed.data, problem.feed.states[0])
        return lambda: [self.value(each.detach()).numpy() for each in (output, state)]


def timed(
    first: Sequence[float], second: Sequence[float], flops: tuple[int, int] = (1000, 1000)
) -> Timing:
    """A row with these seconds."""
    ours, theirs = contender("ours", flops[0]), contender("torch.nn", flops[1])
    return Timing(InferenceRow("gru", SMALL), (ours, theirs), {"ours": first, "torch.nn": second})
