"""Other libraries that run the same layers."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch

from .contender import Contender, RefusalError, Results
from .problem import Problem


class Rival(ABC):
    """Abstract: a library that can compute an RNN, GRU or LSTM layer without gradients.

    Attributes:
        key: by which a user asks for it.
        name: for the table.
    """

    key: ClassVar[str]
    name: ClassVar[str]

    @abstractmethod
    def available(self) -> str | None:
        """Why it cannot be used here; None if it can."""

    @abstractmethod
    def work(self, problem: Problem, threads: int) -> Callable[[], Any]:
        """What computes the problem's layer; hands back output and last states as arrays."""

    def contender(
        self, problem: Problem, threads: int, expected: Callable[[], Results]
    ) -> Contender:
        """The rival at a problem; RefusalError if it cannot be made ready."""
        try:
            work = self.work(problem, threads)
        except Exception as error:
            raise RefusalError(self.name, error) from error
        return Contender(self.name, work, _named, expected, problem.flops)


def missing(*packages: str) -> str | None:
    """Why a rival that needs some packages cannot be used; None if all are installed."""
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    return f"{' and '.join(absent)} not installed" if absent else None


def _named(values: Any) -> Results:
    output, *states = (torch.from_numpy(np.array(value)) for value in values)
    return {"output": output, **{f"state {place}": each for place, each in enumerate(states)}}
