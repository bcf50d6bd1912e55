"""One trial: one cell learns one problem from one seed."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch.nn.utils import clip_grad_norm_

from ...errors import UserError
from .entrant import Entrant
from .gradient import gradient
from .outcome import Outcome, Point
from .problem import Problem
from .reader import Reader
from .reading import Reading, reading
from .sentences import Sentences

CLIP = 1.0
"""The greatest norm of the gradient."""
DECAY = 0.01
"""AdamW's weight decay."""
RISE = 20
"""Steps until the learning rate is full."""
EVALUATIONS, APART = 20, 25
"""How many there are along the learning curve, at least so many steps apart."""
CHECKED, TESTED = 128, 512
"""Sequences of an evaluation along the way, and of the last one."""
MOMENTS = (0.0, 0.25, 1.0)
"""The parts of the training after which gradients are followed."""


@final
@dataclass(frozen=True, kw_only=True)
class Budget:
    """How large and how long.

    Attributes:
        hidden: H, of every entrant.
        steps: of training; None: as many as the problem asks for.

    Raises:
        UserError: a number out of range.
    """

    hidden: int = 64
    steps: int | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.hidden <= 4096:
            raise UserError(f"--hidden must be from 2 to 4096, not {self.hidden}")
        if self.steps is not None and not 1 <= self.steps <= 10**7:
            raise UserError(f"--steps must be from 1 to 10000000, not {self.steps}")


Stop = Callable[[], bool]


@final
class Trial:
    """A model on its way through a problem; everything follows from the seed.

    Raises:
        UserError: there is no memory for the model.
    """

    def __init__(self, problem: Problem, entrant: Entrant, seed: int, budget: Budget) -> None:
        self.problem, self.entrant, self.seed = problem, entrant, seed
        self.steps = budget.steps or problem.steps
        self.hidden = budget.hidden
        torch.manual_seed(seed)
        self.model = Reader(problem, entrant, budget.hidden)
        self.draw = random.Random(seed)
        # 0.999 for the second moment would average over more steps than a short run has.
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), betas=(0.9, 0.99), weight_decay=DECAY
        )
        self.step = 0

    def advance(self) -> float:
        """Take one step; the loss before it, perhaps not finite (then nothing has changed)."""
        x, y = self.problem.batch(self.problem.rows, self.draw)
        loss = self.problem.loss(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(self.model.parameters(), CLIP)
        if not math.isfinite(norm.item()):
            return math.nan
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        self.optimizer.step()
        self.step += 1
        return loss.item()

    def rate(self) -> float:
        """The learning rate: a short rise, flat, in the second half down to 0."""
        part = min(1.0, (self.step + 1) / RISE, 2 * (1 - self.step / self.steps))
        return self.problem.rate * self.entrant.pace * part

    def score(self, held_out: bool, rows: int) -> float:
        """The score on fresh sequences with the whole gap."""
        draw = random.Random(f"test {self.problem.name} {held_out}")
        x, y = self.problem.test(rows, draw, held_out)
        self.model.eval()
        with torch.no_grad():
            found = self.problem.score(self.model(x), y)
        self.model.train()
        return found

    def gradient(self) -> list[float]:
        """See `unrolled.apps.study.gradient`."""
        x, y = self.problem.test(8, random.Random(1), False)
        return gradient(self.model, x, lambda outputs: self.problem.loss(outputs, y))

    def reading(self) -> Reading | None:
        """How the model reads one sentence; None for problems without sentences."""
        problem = self.problem
        return reading(self.model, problem) if isinstance(problem, Sentences) else None


def run(trial: Trial, stop: Stop = lambda: False) -> Outcome | None:
    """Train to the end; None if told to stop."""
    began = time.monotonic()
    every = max(APART, trial.steps // EVALUATIONS)
    moments = {round(part * trial.steps): part for part in MOMENTS}
    curve: list[Point] = []
    gradients = {0.0: trial.gradient()}
    losses: list[float] = []
    while trial.step < trial.steps:
        if stop():
            return None
        loss = trial.advance()
        losses.append(loss)
        if not math.isfinite(loss):
            break
        if trial.step in moments and trial.step < trial.steps:
            gradients[moments[trial.step]] = trial.gradient()
        if trial.step % every == 0 or trial.step == trial.steps:
            trained, held_out = (trial.score(each, CHECKED) for each in (False, True))
            curve.append(Point(trial.step, sum(losses) / len(losses), trained, held_out))
            losses = []
            if trial.problem.enough(trained):
                break
    gradients[1.0] = trial.gradient()
    return Outcome(
        task=trial.problem.name,
        gap=trial.problem.gap,
        entrant=trial.entrant.name,
        digest=trial.entrant.digest,
        seed=trial.seed,
        hidden=trial.hidden,
        steps=trial.steps,
        unit=trial.problem.unit,
        chance=trial.problem.chance,
        goal=trial.problem.goal,
        trained=trial.score(False, TESTED),
        held_out=trial.score(True, TESTED),
        diverged=bool(losses) and not math.isfinite(losses[-1]),
        seconds=time.monotonic() - began,
        curve=curve,
        gradients=gradients,
        reading=trial.reading(),
    )
