"""Rows of the layers that torch.nn has too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar, final

import torch
from torch.nn import Module

from . import work
from .contender import Contender, Contest, Results
from .problem import Problem
from .rival import Rival
from .row import Row


@final
class Inference(Row):
    """The call alone, beside torch.nn and the rivals."""

    kind = "inference"

    @property
    def title(self) -> str:
        """LSTM inference."""
        return f"{self.cell.upper()} inference"

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """All compute the same numbers."""
        problem = Problem(self.cell, self.shape)

        @cache
        def expected() -> Results:
            given = problem.feed.to(torch.float64)
            return work.named(problem.exact, given)(work.inference(problem.exact, given)())

        def contender(name: str, module: Module) -> Contender:
            results = work.named(module, problem.feed)
            return Contender(
                name, work.inference(module, problem.feed), results, expected, problem.flops
            )

        threads = torch.get_num_threads()
        others = [rival.contender(problem, threads, expected) for rival in rivals]
        opponents = (contender("torch.nn", problem.theirs), *others)
        return Contest(contender("unrolled", problem.ours), opponents)


class Gradients(Row):
    """Abstract: the call and all its gradients, beside torch.nn."""

    projected: ClassVar[bool] = False
    ragged: ClassVar[bool] = False

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Ours and that of torch.nn."""
        problem = Problem(self.cell, self.shape, self.projected, self.ragged)

        @cache
        def expected() -> Results:
            given = problem.feed.to(torch.float64)
            return work.named(problem.exact, given)(work.training(problem.exact, given)())

        ours = _trained("unrolled", problem.ours, problem, expected)
        return Contest(ours, (_trained("torch.nn", problem.theirs, problem, expected),))


def _trained(
    name: str, module: Module, problem: Problem, expected: Callable[[], Results]
) -> Contender:
    results = work.named(module, problem.feed)
    step = work.training(module, problem.feed)
    return Contender(name, step, results, expected, 3 * problem.flops)


@final
class Training(Gradients):
    """Sequences of one length."""

    kind = "training"

    @property
    def title(self) -> str:
        """LSTM training."""
        return f"{self.cell.upper()} training"


@final
class Packed(Gradients):
    """Packed sequences with lengths between T/4 and T."""

    kind = "packed"
    ragged = True

    @property
    def title(self) -> str:
        """Packed LSTM training."""
        return f"packed {self.cell.upper()} training, lengths T/4 to T"


@final
class Projected(Gradients):
    """A hidden state projected to half its units."""

    kind = "projected"
    projected = True

    @property
    def title(self) -> str:
        """Projected LSTM training."""
        return f"projected {self.cell.upper()} training, proj_size H/2"
