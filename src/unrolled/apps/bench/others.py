"""Rows of cells that torch.nn does not have: beside our LSTM, beside a loop, watched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar, final

import torch
from torch import Tensor
from torch.nn import Module

from ... import cells
from ...equations import Cell
from ...kernels.dispatch import Runner
from ...kernels.runtime.torch_state import eager_only
from ...nn import Recurrent
from . import work
from .contender import Contender, Contest, Results
from .highway import HandWritten, lstm_highway
from .rival import Rival
from .row import Row
from .shape import Shape
from .work import Feed, Work

Step = Callable[[Module, Feed], Work]


def find(name: str) -> Cell:
    """A known cell, or the one written here."""
    return lstm_highway if name == lstm_highway.name else cells.find(name)


def layer(cell: Cell, shape: Shape) -> Recurrent:
    """A layer of a cell, always with the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Recurrent(cell, shape.I, shape.H)


def fed(cell: Cell, shape: Shape) -> Feed:
    """What its layer is called with."""
    return work.feed(shape, [shape.H] * len(cell.states))


def by_definition(cell: Cell, shape: Shape, step: Step) -> Callable[[], Results]:
    """The results of a layer in float64, by the cell's eager definition."""

    @cache
    def expected() -> Results:
        exact, given = layer(cell, shape).double(), fed(cell, shape).to(torch.float64)
        with eager_only():
            return work.named(exact, given)(step(exact, given)())

    return expected


class Beside(Row):
    """Abstract: another cell beside our own LSTM, for each operation of the products."""

    kind = "cells"
    step: ClassVar[Step]
    passes: ClassVar[int]

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """The same shape for both."""
        return Contest(self._contender(find(self.cell)), (self._contender(cells.lstm),))

    def _contender(self, cell: Cell) -> Contender:
        module, given = layer(cell, self.shape), fed(cell, self.shape)
        step = type(self).step
        return Contender(
            cell.name,
            step(module, given),
            work.named(module, given),
            by_definition(cell, self.shape, step),
            self.passes * work.flops(module, given.rows),
        )


@final
class BesideInference(Beside):
    """The call alone."""

    step = staticmethod(work.inference)
    passes = 1

    @property
    def title(self) -> str:
        """lstm_peephole inference."""
        return f"{self.cell} inference, per operation"


@final
class BesideTraining(Beside):
    """The call and its gradients."""

    step = staticmethod(work.training)
    passes = 3

    @property
    def title(self) -> str:
        """lstm_peephole training."""
        return f"{self.cell} training, per operation"


@final
class Loop(Row):
    """A user's cell beside the loop of PyTorch operations that computes the same."""

    kind = "loop"

    @property
    def title(self) -> str:
        """The cell's training."""
        return f"{self.cell} training"

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Both have the same weights."""
        ours, given = layer(lstm_highway, self.shape), fed(lstm_highway, self.shape)
        expected = by_definition(lstm_highway, self.shape, work.training)

        def contender(name: str, module: Module) -> Contender:
            results, count = work.named(module, given), 3 * work.flops(module, given.rows)
            return Contender(name, work.training(module, given), results, expected, count)

        return Contest(contender("unrolled", ours), (contender("PyTorch loop", HandWritten(ours)),))


@final
class Taps(Row):
    """The call with every named value recorded, beside the call alone."""

    kind = "taps"

    @property
    def title(self) -> str:
        """LSTM inference, watched."""
        return f"{self.cell.upper()} inference with every value recorded"

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """The same kernel but for what it records."""
        cell, given = cells.find(self.cell), fed(cells.find(self.cell), self.shape)
        module = layer(cell, self.shape)
        everything, output = list(cell.graph.values), [cell.graph.output]

        def contender(name: str, record: list[str]) -> Contender:
            exact, doubled = layer(cell, self.shape).double(), given.to(torch.float64)

            def expected() -> Results:
                with eager_only():
                    return _recorded(exact, doubled, record)()

            count = work.flops(module, given.rows)
            return Contender(name, _recorded(module, given, record), dict, expected, count)

        return Contest(contender("recorded", everything), (contender("not recorded", output),))


def _recorded(module: Recurrent, given: Feed, record: list[str]) -> Callable[[], Results]:
    """A call of the layer that hands back the values of some names."""
    shape = {"input": module.input_size, "hidden": module.hidden_size, "projection": 0, "one": 1}
    runner = Runner(module.graph, shape)  # pyright: ignore[reportArgumentType]
    weights = {name.removesuffix("_l0"): each for name, each in module.named_parameters()}
    states = dict(zip(module.graph.states, (each[0] for each in given.states), strict=True))
    inputs: dict[str, Tensor] = {next(iter(module.graph.inputs)): given.data}

    @torch.inference_mode()
    def recorded() -> Results:
        return runner.run(weights, inputs, states, record)[0]

    return recorded
