"""One trial: one cell learns one problem from one seed."""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn

from ...equations import Cell
from ...errors import UserError
from ...probe.flow import gradient_flow
from ..train.batch import Batch, Shard, States
from ..train.settings import Settings
from ..train.task import Loss, Metric, Task
from ..train.training import Training
from .entrant import Entrant, Reader
from .outcome import Outcome, Point, Reading
from .problems import GapProblem, Sentences

LAYER = "recurrent.l0"
LEAST = 1e-300
"""Stands for 0 where a logarithm is taken."""
STILL = 1e-6
"""A unit whose last values differ by less over all sequences tells nothing about them."""


def reading(double: Reader, problem: Sentences) -> Reading:
    """Let a model in float64 read a held-out sentence; all entrants read the same one."""
    grammar = problem.grammar
    sentence = grammar.sentence(problem.gap, random.Random("reading 4"), held_out=True)
    embedded = double.embedding(torch.tensor(problem.encode(sentence.words)).unsqueeze(1))
    embedded = embedded.detach().requires_grad_()
    outputs = double.readout(double.recurrent(embedded)[0][-1:])
    parts = problem.parts(outputs)
    best = [part.argmax(1) for part in parts]
    scores = [part[0, int(place)] for part, place in zip(parts, best, strict=True)]
    (found,) = torch.autograd.grad(torch.stack(scores).sum(), embedded)
    sizes = (found * embedded).detach().norm(dim=-1)[:, 0].nan_to_num(0.0, 0.0, 0.0)
    shares = sizes / sizes.sum().clamp_min(LEAST)
    given = [fact[number] for fact, number in zip(grammar.facts, sentence.answer, strict=True)]
    opening = len(grammar.story.openings[0].split())
    first, second = (sentence.words[:opening].index(word) for word in given)
    return Reading(
        words=sentence.words,
        facts=(first, second),
        answer=grammar.answer(sentence.answer),
        said=grammar.answer([int(place) for place in best]),
        shares=[float(f"{share:.4g}") for share in shares.tolist()],
    )


RISE = 20
"""Steps until the learning rate is full."""
EVALUATIONS, APART = 20, 25
"""How many there are along the learning curve, at least so many steps apart."""
EARLY = 200
"""Steps in which they stand as close as that: some cells begin to learn within 50."""
CHECKED, TESTED = 128, 512
"""Sequences of an evaluation along the way, and of the last one."""
MOMENTS = (0.0, 0.25, 1.0)
"""The parts of the training after which gradients are followed."""


@final
@dataclass(frozen=True, kw_only=True)
class Budget:
    """Size of a study's cells and length of their training.

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


@final
class Trial(Task[Any]):
    """The task of one entrant that learns one problem; everything follows from the seed.

    Its batches are drawn one after the other, so a trial is never resumed.

    Attributes:
        training: the model on its way.

    Raises:
        UserError: there is no memory for the model.
    """

    def __init__(self, problem: GapProblem, entrant: Entrant, seed: int, budget: Budget) -> None:
        self.problem, self.entrant = problem, entrant
        self.digest, self.metric = entrant.digest, Metric(problem.unit, "sequences")
        self.settings = Settings(
            cell=entrant.cell.name,
            hidden=budget.hidden,
            batch=problem.rows,
            steps=budget.steps or problem.steps,
            lr=problem.rate * entrant.pace,
            seed=seed,
        )
        self._draw = random.Random(seed)
        self.training = Training(self, entrant.cell)

    def model(self, cell: Cell) -> nn.Module:
        """Return the network around the entrant."""
        return Reader(self.problem, self.entrant, self.settings.hidden)

    def batch(self, step: int, shard: Shard) -> Batch:
        """Draw the next sequences."""
        x, y = self.problem.batch(self.settings.batch, self._draw)
        return Batch(inputs=(x,), targets=(y,), count=1)

    def loss(self, model: nn.Module, batch: Batch, states: States | None) -> Loss:
        """Return the problem's loss, which is a mean already."""
        return Loss(self.problem.loss(model(*batch.inputs), *batch.targets))

    def learning_rate(self, step: int) -> float:
        """Return a rate with a short rise, flat, in the second half down to 0."""
        return self.settings.lr * min(1.0, (step + 1) / RISE, 2 * (1 - step / self.settings.steps))

    def evaluate(self, model: nn.Module, rows: int = CHECKED) -> dict[str, float]:
        """Return the scores on fresh sequences with the whole gap, of both kinds, and the loss."""
        model.eval()
        loss, trained = self._tested(model, rows, False)
        _, held_out = self._tested(model, rows, True)
        model.train()
        return {"loss": loss, "trained": trained, "held_out": held_out}

    @torch.no_grad()
    def _tested(self, model: nn.Module, rows: int, held_out: bool) -> tuple[float, float]:
        """Return the loss and the score on sequences of one kind."""
        draw = random.Random(f"test {self.problem.name} {held_out}")
        x, y = self.problem.test(rows, draw, held_out)
        outputs = model(x)
        return self.problem.loss(outputs, y).item(), self.problem.score(outputs, y)

    def gradient(self) -> list[float]:
        """Return the size of the loss's gradient by the states k steps before the end, k = 0, 1, …

        Relative to k = 0, the geometric mean over rows, in float64: a gradient of 1e-40 is seen as
        what it is. Infinite or NaN where the states are.
        """
        x, y = self.problem.test(8, random.Random(1), False)
        given = x.double() if x.is_floating_point() else x
        flow = gradient_flow(
            self._double(), given, lambda outputs: self.problem.loss(outputs, y), LAYER
        )
        sizes = flow.norms[LAYER].flip(0).clamp_min(LEAST).log().mean(1)
        return (sizes - sizes[0]).exp().to(torch.float64).tolist()

    @torch.no_grad()
    def dead(self) -> float:
        """Return the part of the output's units that no sequence moves: the same, to 1e-6, after
        the last step of each.
        """
        x, _ = self.problem.test(CHECKED, random.Random(1), False)
        model: Any = self._double()
        last = model.recurrent(model.embedding(x.double() if x.is_floating_point() else x))[0][-1]
        return (last.amax(0) - last.amin(0) < STILL).double().mean().item()

    def reading(self) -> Reading | None:
        """Return how the model reads one sentence; None for problems without sentences."""
        is_read = isinstance(self.problem, Sentences)
        return reading(self._double(), self.problem) if is_read else None

    def _double(self) -> Any:
        """Return a copy of the model as it is, in float64."""
        return copy.deepcopy(self.training.model).double().eval()


def run(trial: Trial, stop: Callable[[], bool] = lambda: False) -> Outcome | None:
    """Train to the end; return None if told to stop."""
    began = time.monotonic()
    problem, settings, training = trial.problem, trial.settings, trial.training
    every = max(APART, settings.steps // EVALUATIONS)
    moments = {round(part * settings.steps): part for part in MOMENTS}
    curve: list[Point] = []
    gradients = {0.0: trial.gradient()}
    losses: list[float] = []
    diverged = False
    try:
        for report in training.updates(stop):
            step, last = report.step, report.step == settings.steps
            losses.append(report.loss)
            if step in moments and not last:
                gradients[moments[step]] = trial.gradient()
            if step % (APART if step <= EARLY else every) == 0 or last:
                scores = trial.evaluate(training.model)
                mean = sum(losses) / len(losses)
                reach = trial.gradient()[-1]
                curve.append(Point(step, mean, scores["trained"], scores["held_out"], reach))
                losses = []
                if problem.enough(scores["trained"]):
                    break
        else:
            if training.step < settings.steps:
                return None
    except FloatingPointError:
        diverged = True
    gradients[1.0] = trial.gradient()
    scores = trial.evaluate(training.model, TESTED)
    return Outcome(
        task=problem.name,
        gap=problem.gap,
        entrant=trial.entrant.name,
        digest=trial.digest,
        seed=settings.seed,
        hidden=settings.hidden,
        steps=settings.steps,
        unit=problem.unit,
        chance=problem.chance,
        goal=problem.goal,
        trained=scores["trained"],
        held_out=scores["held_out"],
        diverged=diverged,
        seconds=time.monotonic() - began,
        curve=curve,
        gradients=gradients,
        reading=trial.reading(),
        dead=trial.dead(),
    )
