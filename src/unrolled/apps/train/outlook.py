"""How long a run has yet to train until it passes a simple predictor, told from its own curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, final

from ...display import counted

FARTHEST = 1000
"""Times the steps so far: what lies beyond is not told from so short a curve."""


@final
class Point(NamedTuple):
    """An evaluation: the steps before it, and the loss on the held-out part."""

    step: int
    loss: float


def steps_until(curve: Sequence[Point], target: float) -> float | None:
    """Return the step at which a loss will come to a target if it goes on as in the last half of
    its curve: by as much each time the steps double.

    Returns:
        The step; infinity where the loss no longer falls; None with fewer than three evaluations.

    >>> steps_until([Point(100, 3.0), Point(200, 2.5), Point(400, 2.0)], 1.5)
    800.0
    >>> steps_until([Point(100, 3.0), Point(200, 2.5), Point(400, 2.6)], 1.5)
    inf
    """
    half = [point for point in curve if 2 * point.step >= curve[-1].step] if curve else []
    half = half if len(half) >= 2 else list(curve[-2:])
    if len(curve) < 3:
        return None
    x = [math.log(point.step) for point in half]
    y = [point.loss for point in half]
    middle, level = sum(x) / len(x), sum(y) / len(y)
    spread = sum((each - middle) ** 2 for each in x)
    slope = sum((a - middle) * (b - level) for a, b in zip(x, y, strict=True)) / spread
    if slope >= 0:
        return math.inf
    found = math.log(curve[-1].step) + (target - curve[-1].loss) / slope
    return round(math.exp(found), 6) if found < 700 else math.inf


def outlook(
    curve: Sequence[Point], target: float, name: str, seconds: float, hidden: int, dropout: float
) -> str:
    """Say how long it will take until a run passes a simple predictor, and what to try else.

    Args:
        curve: its evaluations.
        target: the loss of the predictor.
        name: of the predictor.
        seconds: that a step takes.
        hidden: units of a layer.
        dropout: between layers.

    >>> curve = [Point(100, 3.0), Point(200, 2.5), Point(400, 2.0)]
    >>> print(outlook(curve, 1.5, "interpolated 5-gram", 0.5, 256, 0.0))
    It is not better than interpolated 5-gram yet: if the loss goes on as in the last half of its
    curve, it will be at about step 800, in 3 minutes; go on by --resume --steps 960
    """
    head = f"It is not better than {name} yet: "
    step = steps_until(curve, target)
    if step is None:
        return head + "three evaluations would tell how long that takes: --evaluate-every less"
    now = curve[-1].step
    if step == math.inf:
        what = "--dropout 0.3" if dropout < 0.3 else f"--hidden {max(1, hidden // 2)}"
        return f"{head}its held-out loss no longer falls; more text would help most, else {what}"
    if step > FARTHEST * now:
        return (
            f"{head}at this pace it takes more than {FARTHEST:,} times as long as so far; try "
            f"--hidden {2 * hidden}, or --lr"
        )
    more = counted_time((step - now) * seconds)
    wanted = 10 ** max(0, len(str(int(step))) - 2)
    steps = max(now + wanted, math.ceil(1.2 * step / wanted) * wanted)
    return (
        f"{head}if the loss goes on as in the last half of its curve, it will be at about step "
        f"{round(step):,}, in {more}; go on by --resume --steps {steps}"
    )


def counted_time(seconds: float) -> str:
    """Return a time in its largest unit.

    >>> counted_time(40), counted_time(200), counted_time(9000), counted_time(3e5)
    ('40 seconds', '3 minutes', '2.5 hours', '3.5 days')
    """
    if seconds < 100:
        return counted(max(1, round(seconds)), "seconds")
    if seconds < 6000:
        return counted(round(seconds / 60), "minutes")
    hours = seconds / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
