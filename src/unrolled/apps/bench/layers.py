"""Rows of the layers that torch.nn has too: called, trained, and fed as a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from torch.nn import Module

from ... import nn
from .contender import Contender, Contest, Results
from .rivals import Rival
from .work import INFERENCE, TRAINING, Shape, StandardLayer, Step, contender, results


@dataclass(frozen=True)
class Row(ABC):
    """Abstract: a line of the table, a piece of work at one shape.

    Attributes:
        kind: name by which a user asks for it.
        heading: title of the rows that differ in shape alone; ``{cell}`` stands for the cell's
            name, ``{CELL}`` for the same in capitals.
        cell: name of the cell that does the work.
        shape: sizes of the work.
    """

    kind: ClassVar[str]
    heading: ClassVar[str]

    cell: str
    shape: Shape

    @property
    def title(self) -> str:
        """The heading with the cell's name in it."""
        return self.heading.format(cell=self.cell, CELL=self.cell.upper())

    @abstractmethod
    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Make everything that is needed to do the work."""


class StandardRow(Row):
    """Abstract: our layer beside that of torch.nn.

    Attributes:
        step: the work of one call.
        projected, ragged: as of `StandardLayer`.
        open: whether other libraries take part.
    """

    step: ClassVar[Step]
    projected: ClassVar[bool] = False
    ragged: ClassVar[bool] = False
    open: ClassVar[bool] = False

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Make layers with the same weights."""
        layer = StandardLayer(self.cell, self.shape, self.projected, self.ragged)

        @cache
        def expected() -> Results:
            return results(self.step, layer.exact, layer.feed.to(torch.float64))

        threads = torch.get_num_threads()
        others = [each.contender(layer, threads, expected) for each in rivals if self.open]
        theirs = contender("torch.nn", self.step, layer.theirs, layer.feed, expected)
        ours = contender("unrolled", self.step, layer.ours, layer.feed, expected)
        return Contest(ours, (theirs, *others))


@final
class InferenceRow(StandardRow):
    """The call alone, beside torch.nn and the rivals."""

    kind = "inference"
    heading = "{CELL} inference"
    step = INFERENCE
    open = True


@final
class TrainingRow(StandardRow):
    """The call and all its gradients, on sequences of one length."""

    kind = "training"
    heading = "{CELL} training"
    step = TRAINING


@final
class PackedRow(StandardRow):
    """The call and its gradients, on packed sequences with lengths between T/4 and T."""

    kind = "packed"
    heading = "packed {CELL} training, lengths T/4 to T"
    step = TRAINING
    ragged = True


@final
class ProjectedRow(StandardRow):
    """The call and its gradients, with a hidden state projected to half its units."""

    kind = "projected"
    heading = "projected {CELL} training, proj_size H/2"
    step = TRAINING
    projected = True


Call = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]


class StreamRow(Row):
    """Abstract: T calls; times are those of one."""

    kind = "streaming"

    @abstractmethod
    def calls(self, layer: StandardLayer) -> tuple[Call, Call, Call]:
        """Return one step by ours, by torch.nn, and by torch.nn in float64."""

    @abstractmethod
    def items(self, layer: StandardLayer) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Return the input of each call, and the states before the first."""

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Make our stream and that of torch.nn."""
        layer = StandardLayer(self.cell, self.shape)
        ours, theirs, exact = self.calls(layer)
        steps, states = self.items(layer)

        @cache
        def expected() -> Results:
            doubled = [step.double() for step in steps]
            return _named(_stream(exact, doubled, tuple(state.double() for state in states))())

        def contender(name: str, call: Call) -> Contender:
            work = _stream(call, steps, states)
            return Contender(name, work, _named, expected, layer.flops, steps=len(steps))

        return Contest(contender("unrolled", ours), (contender("torch.nn", theirs),))


@final
class StreamingCellRow(StreamRow):
    """LSTMCell."""

    heading = "LSTMCell, for each step of a stream"

    def calls(self, layer: StandardLayer) -> tuple[Call, Call, Call]:
        """Make modules with the weights of the layer."""
        made = (nn.LSTMCell, torch.nn.LSTMCell, torch.nn.LSTMCell)
        ours, theirs, exact = (each(self.shape.I, self.shape.H) for each in made)
        weights = layer.theirs.state_dict()
        for module in (ours, theirs, exact):
            module.load_state_dict({name.removesuffix("_l0"): w for name, w in weights.items()})
        return ours, theirs, exact.double()

    def items(self, layer: StandardLayer) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Return (B, I) and (B, H)."""
        states = tuple(state[0] for state in layer.feed.states)
        return list(layer.feed.data), states


@final
class StreamingLayerRow(StreamRow):
    """LSTM, called with T = 1."""

    heading = "LSTM with T = 1, for each step of a stream"

    def calls(self, layer: StandardLayer) -> tuple[Call, Call, Call]:
        """Return the layers."""
        return _last(layer.ours), _last(layer.theirs), _last(layer.exact)

    def items(self, layer: StandardLayer) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Return (1, B, I) and (1, B, H)."""
        return list(layer.feed.data.split(1)), layer.feed.states


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
