"""Rows of streams: one step a call, each from the states of the one before."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import Module

from ... import nn
from .contender import Contender, Contest, Results
from .problem import Problem
from .rival import Rival
from .row import Row

Call = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]


class Stream(Row):
    """Abstract: T calls; times are those of one."""

    kind = "streaming"

    @abstractmethod
    def calls(self, problem: Problem) -> tuple[Call, Call, Call]:
        """One step by ours, by torch.nn, and by torch.nn in float64."""

    @abstractmethod
    def items(self, problem: Problem) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """The input of each call, and the states before the first."""

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Ours and that of torch.nn."""
        problem = Problem(self.cell, self.shape)
        ours, theirs, exact = self.calls(problem)
        steps, states = self.items(problem)

        @cache
        def expected() -> Results:
            doubled = [step.double() for step in steps]
            return _named(_stream(exact, doubled, tuple(state.double() for state in states))())

        def contender(name: str, call: Call) -> Contender:
            work = _stream(call, steps, states)
            return Contender(name, work, _named, expected, problem.flops, steps=len(steps))

        return Contest(contender("unrolled", ours), (contender("torch.nn", theirs),))


@final
class StreamingCell(Stream):
    """LSTMCell."""

    @property
    def title(self) -> str:
        """LSTMCell, for each step."""
        return "LSTMCell, for each step of a stream"

    def calls(self, problem: Problem) -> tuple[Call, Call, Call]:
        """Modules with the weights of the problem's layer."""
        made = (nn.LSTMCell, torch.nn.LSTMCell, torch.nn.LSTMCell)
        ours, theirs, exact = (each(self.shape.I, self.shape.H) for each in made)
        weights = problem.theirs.state_dict()
        for module in (ours, theirs, exact):
            module.load_state_dict({name.removesuffix("_l0"): w for name, w in weights.items()})
        return ours, theirs, exact.double()

    def items(self, problem: Problem) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """(B, I) and (B, H)."""
        states = tuple(state[0] for state in problem.feed.states)
        return list(problem.feed.data), states


@final
class StreamingLayer(Stream):
    """LSTM, called with T = 1."""

    @property
    def title(self) -> str:
        """LSTM with T = 1, for each step."""
        return "LSTM with T = 1, for each step of a stream"

    def calls(self, problem: Problem) -> tuple[Call, Call, Call]:
        """The problem's layers."""
        return _last(problem.ours), _last(problem.theirs), _last(problem.exact)

    def items(self, problem: Problem) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """(1, B, I) and (1, B, H)."""
        return list(problem.feed.data.split(1)), problem.feed.states


def _last(module: Module) -> Call:
    def call(x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return module(x, states)[1]

    return call


def _stream(call: Call, steps: Sequence[Tensor], first: tuple[Tensor, ...]) -> Callable[[], Any]:
    @torch.inference_mode()
    def work() -> tuple[Tensor, ...]:
        states = first
        for step in steps:
            states = call(step, states)
        return states

    return work


def _named(states: Any) -> Results:
    return {f"state {place}": state for place, state in enumerate(states)}
