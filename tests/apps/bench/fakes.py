"""Rows and rivals that cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from unrolled.apps.bench.choice import Shapes, every
from unrolled.apps.bench.contender import Contender, Contest
from unrolled.apps.bench.outcome import Timing
from unrolled.apps.bench.rivals import Rival
from unrolled.apps.bench.rows import Row
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


def fake(cell: str, shape: Shape = SMALL) -> Row:
    """A row of two contenders, of which the second gives what its cell's name says."""

    def make(cell: str, shape: Shape, rivals: Sequence[Rival]) -> Contest:
        return Contest(contender("ours"), (contender("theirs", value=float(cell)),))

    return Row("fake", "fake", make, cell, shape)


def inference(cell: str) -> Row:
    """The row of a layer that is called."""
    rows = every(Shapes([SMALL], [SMALL], [SMALL], [SMALL]))
    return next(row for row in rows if row.kind == "inference" and row.cell == cell)


def stranger(value: Callable[[torch.Tensor], torch.Tensor]) -> Rival:
    """Gives whatever numbers it is made with, in the shape of the right ones."""

    def ready(problem: StandardLayer, threads: int) -> Callable[[], Any]:
        output, state = problem.theirs(problem.feed.data, problem.feed.states[0])
        return lambda: [value(each.detach()).numpy() for each in (output, state)]

    return Rival("stranger", "Stranger", (), ready)


def timed(
    first: Sequence[float], second: Sequence[float], flops: tuple[int, int] = (1000, 1000)
) -> Timing:
    """A row with these seconds."""
    ours, theirs = contender("ours", flops[0]), contender("torch.nn", flops[1])
    return Timing(inference("gru"), (ours, theirs), {"ours": first, "torch.nn": second})
