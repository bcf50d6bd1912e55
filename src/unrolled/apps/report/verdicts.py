"""Verdicts on claims: what each seed tells for or against one, and what all of them settle.

Every claim is tested by a comparison that can come out the other way, from each seed by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, final

from ..settling import Told
from ..study.outcome import Outcome

LOST = 0.5
"""The part of right answers below which a gap counts as not learned; the goal is the problem's."""
ENOUGH = 2000
"""Steps of training after which a short gap is learned by every cell that can."""
BEGUN = 0.1
"""The part of right answers to what training asks for from which on learning has begun; a guess
is right once in 288 times."""
VANISHED = 1e-6
"""What is left at the first word of a gradient that has vanished, relative to the last word."""
ARRIVES = 1e-2
"""What is left, at least, of a gradient that arrives."""
GREATER = 30.0
"""A gradient that becomes so many times greater on its way back explodes, as in a diagnosis."""
DEAD = 0.5
"""The part of dead units from which on they are what is wrong."""
FALLING = 0.95
"""A loss that falls below this part of its value within a quarter of the training still falls."""


@final
@dataclass(frozen=True)
class Seed:
    """The outcomes from one seed: by task, gap and entrant."""

    outcomes: Mapping[str, Mapping[int, Mapping[str, Outcome]]]

    def at(self, task: str, pick: Callable[[Iterable[int]], int]) -> Mapping[str, Outcome]:
        """Return the outcomes of one gap of a task; none if the task was not tried."""
        gaps = self.outcomes.get(task, {})
        return gaps[pick(gaps)] if gaps else {}

    @property
    def near(self) -> Mapping[str, Outcome]:
        """Those of the long task's shortest gap."""
        return self.at("long", min)

    @property
    def far(self) -> Mapping[str, Outcome]:
        """Those of the long task's longest gap."""
        return self.at("long", max)


def by_seed(outcomes: Iterable[Outcome]) -> list[Seed]:
    """Sort outcomes by their seeds."""
    found: dict[int, dict[str, dict[int, dict[str, Outcome]]]] = {}
    for each in outcomes:
        task = found.setdefault(each.seed, {}).setdefault(each.task, {})
        task.setdefault(each.gap, {})[each.entrant] = each
    return [Seed(found[number]) for number in sorted(found)]


def failed(outcome: Outcome) -> bool:
    """Return True if a gap was clearly not learned."""
    return outcome.held_out < LOST


NOBODY = "no cell learned the longest gap in so many steps"
BETWEEN = "a cell is between learned and not learned"
ABSENT = "a cell that it takes was not tried"
TOGETHER = "gradient and answers came between two evaluations"


# One comparison each. What could refute it is said by the claim that stands on it.


def short_gap(seed: Seed) -> Told:
    """Compare every cell with the goal, at the shortest gap of both tasks."""
    shortest = [*seed.at("short", min).values(), *seed.near.values()]
    if all(each.solved for each in shortest):
        return Told(True)
    missed = [each for each in shortest if not each.solved]
    if any(each.steps >= ENOUGH for each in missed):
        return Told(False)
    return Told(None, "a cell missed the goal, after fewer than 2,000 steps")


def long_gap(seed: Seed, cell: str) -> Told:
    """Compare a cell over the longest gap with itself over the shortest, and with other cells."""
    if cell not in seed.near or cell not in seed.far or seed.near is seed.far:
        return Told(None, ABSENT)
    if not seed.near[cell].solved:
        return Told(None, "the cell did not learn the shortest gap either")
    if seed.far[cell].solved:
        return Told(False)
    if not failed(seed.far[cell]):
        return Told(None, BETWEEN)
    able = any(each.solved for each in seed.far.values())
    return Told(True) if able else Told(None, NOBODY)


def cure(seed: Seed, cell: str, ill: str) -> Told:
    """Compare a cell, however its weights start, with one that did not learn the longest gap."""
    kinds = [each for name, each in seed.far.items() if name.partition("+")[0] == cell]
    if not kinds or ill not in seed.far:
        return Told(None, ABSENT)
    if not failed(seed.far[ill]):
        return Told(None, "there is nothing to cure")
    if all(each.solved for each in kinds):
        return Told(True)
    if any(each.solved for each in kinds):
        return Told(None, "it depends on how the weights start")
    able = any(each.solved for each in seed.far.values())
    return Told(False) if able else Told(None, NOBODY)


def reaches(outcome: Outcome) -> list[tuple[int, float]]:
    """Return what was left of the gradient at the first word along the training, by step."""
    start = (0, outcome.gradients[0.0][-1]) if outcome.gradients.get(0.0) else (0, math.nan)
    return [start, *((point.step, point.reach) for point in outcome.curve)]


def beginning(outcome: Outcome) -> int | None:
    """Return the place in `reaches` of the last evaluation before learning began; None: never."""
    begun = (place for place, point in enumerate(outcome.curve) if point.trained >= BEGUN)
    return next(begun, None)


def needed(seed: Seed) -> Told:
    """Compare gradients when learning begins: of cells that learn, and of cells that do not.

    Against the claim is a cell that begins to learn the longest gap while its gradient has
    vanished, before and after the first sign of it.
    """
    learners = [each for each in seed.far.values() if each.solved]
    others = [each for each in seed.far.values() if failed(each)]
    if not learners:
        return Told(None, NOBODY)
    if not others:
        return Told(None, "every cell learned the longest gap")
    latest, clear = 0, 0
    for each in learners:
        place = beginning(each)
        along = reaches(each)
        if place is None or any(math.isnan(size) for _, size in along):
            return Told(None, "gradients were not followed along the training")
        (step, before), (_, after) = along[place : place + 2]
        latest = max(latest, step)
        if before < VANISHED:
            if after < VANISHED:
                return Told(False)
        else:
            clear += 1
    if not clear:
        return Told(None, TOGETHER)
    if any(_at(each, latest) < VANISHED for each in others):
        return Told(True)
    return Told(None, "no gradient had vanished when learning began")


def _at(outcome: Outcome, step: int) -> float:
    """Return what was left of the gradient at a step or the last evaluation before it."""
    return [size for at, size in reaches(outcome) if at <= step][-1]


def arriving(seed: Seed) -> list[Outcome]:
    """Return the cells whose gradient arrived in half of the steps or more.

    Of a cell that learns, steps count until it began to learn: what comes after may be an effect
    of the learning. One that began before the first look is not among them.
    """
    return [each for each in seed.far.values() if _arrived(each)]


def _arrived(outcome: Outcome) -> bool:
    along = reaches(outcome)
    if outcome.solved:
        place = beginning(outcome)
        along = along[: place + 1] if place is not None else []
    pairs = list(pairwise(along))
    steps = sum(now - before for (before, _), (now, size) in pairs if size >= ARRIVES)
    return bool(pairs) and 2 * steps >= along[-1][0]


def enough(seed: Seed) -> Told:
    """Compare with the goal every cell whose gradient arrives at the first word.

    Against the claim is a cell that does not learn the longest gap though its gradient arrives in
    half of the steps or more, while another cell learns it.
    """
    found = arriving(seed)
    if not found:
        early = any(each.solved and not beginning(each) for each in seed.far.values())
        return Told(None, TOGETHER if early else "no gradient arrived before learning began")
    if all(each.solved for each in found):
        return Told(True)
    if not any(each.solved for each in seed.far.values()):
        return Told(None, NOBODY)
    return Told(False) if any(map(failed, found)) else Told(None, BETWEEN)


# Why a cell did not learn.


@final
class Trouble(NamedTuple):
    """What went wrong with a cell that did not learn, from how many seeds.

    Attributes:
        seeds: from how many it did not learn.
        dead: more than half of its units were dead at the end.
        exploded: its gradient became 30 times greater on its way back, or the loss infinite.
        falling: its loss still fell when the training ended.
        unseen: nobody looked at its loss in both of the last two quarters.
    """

    seeds: int
    dead: int
    exploded: int
    falling: int
    unseen: int


def trouble(outcomes: Sequence[Outcome]) -> Trouble:
    """Count what went wrong in the trials that missed the goal."""
    missed = [each for each in outcomes if not each.solved]
    return Trouble(
        len(missed),
        sum(each.dead is not None and each.dead > DEAD for each in missed),
        sum(exploded(each) for each in missed),
        sum(falling(each) is True for each in missed),
        sum(falling(each) is None for each in missed),
    )


def exploded(outcome: Outcome) -> bool:
    """Return True if the gradient became much greater on its way back, or a number infinite."""
    sizes = [size for found in outcome.gradients.values() for size in found]
    sizes += [point.reach for point in outcome.curve if not math.isnan(point.reach)]
    return outcome.diverged or any(not size <= GREATER for size in sizes)


def falling(outcome: Outcome) -> bool | None:
    """Return True if the loss of the last quarter is below that of the quarter before.

    None: there was no look in one of them. A loss that became infinite does not fall.
    """
    before, last = (
        [point.loss for point in outcome.curve if low < point.step / outcome.steps <= high]
        for low, high in ((0.5, 0.75), (0.75, 1.0))
    )
    if not before or not last:
        return None
    fell = sum(last) / len(last) < FALLING * sum(before) / len(before)
    return fell and not outcome.diverged
