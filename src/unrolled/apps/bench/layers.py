"""Rows of the layers that torch.nn has too: called, trained, and run step by step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeAlias, final

import torch
from torch import Tensor
from torch.nn import Module

from ... import nn
from .contender import Contender, Contest, Results, numbered
from .rivals import Rival
from .work import Shape, StandardLayer, Step, contender, results

Maker: TypeAlias = Callable[[str, Shape, Sequence[Rival]], Contest]
"""Makes everything that is needed to do a row's work, from its cell, its shape and the rivals."""


@final
@dataclass(frozen=True)
class Row:
    """A line of the table, a piece of work at one shape.

    Attributes:
        kind: name by which a user asks for it.
        heading: title of the rows that differ in shape alone; ``{cell}`` stands for the cell's
            name, ``{CELL}`` for the same in capitals.
        make: makes the contenders.
        cell: name of the cell that does the work.
        shape: sizes of the work.
    """

    kind: str
    heading: str
    make: Maker
    cell: str
    shape: Shape

    @property
    def title(self) -> str:
        """The heading with the cell's name in it."""
        return self.heading.format(cell=self.cell, CELL=self.cell.upper())

    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Make everything that is needed to do the work."""
        return self.make(self.cell, self.shape, rivals)


def standard(step: Step, is_open: bool = False, **options: bool) -> Maker:
    """Return how our layer is compared with that of torch.nn, both with the same weights.

    Args:
        step: the work of one call.
        is_open: whether other libraries take part.
        options: of `StandardLayer`.
    """

    def make(cell: str, shape: Shape, rivals: Sequence[Rival]) -> Contest:
        layer = StandardLayer(cell, shape, **options)

        @cache
        def expected() -> Results:
            return results(step, layer.exact, layer.feed.to(torch.float64))

        threads = torch.get_num_threads()
        others = [each.contender(layer, threads, expected) for each in rivals if is_open]
        theirs = contender("torch.nn", step, layer.theirs, layer.feed, expected)
        ours = contender("unrolled", step, layer.ours, layer.feed, expected)
        return Contest(ours, (theirs, *others))

    return make


Call = Callable[[Module, Tensor, Any], tuple[Tensor, Any]]
"""Returns the output of a step, and the states after it."""


def _cell_call(module: Module, x: Tensor, states: Any) -> tuple[Tensor, Any]:
    states = module(x, states)
    return states[0], states


def _layer_call(module: Module, x: Tensor, states: Any) -> tuple[Tensor, Any]:
    return module(x, states)


def stepwise(name: str, learns: bool) -> Maker:
    """Return how a module in a loop of Python is compared with that of torch.nn.

    Args:
        name: of the module: LSTMCell, or LSTM, which is called with T = 1.
        learns: whether the gradients of the weights are taken, too.
    """
    call = _layer_call if name == "LSTM" else _cell_call
    work, named = (
        (_train if learns else _stream),
        partial(numbered, "result" if learns else "state"),
    )

    def make(cell: str, shape: Shape, rivals: Sequence[Rival]) -> Contest:
        layer = StandardLayer(cell, shape)
        ours, theirs = (getattr(library, name)(shape.I, shape.H) for library in (nn, torch.nn))
        steps, states = list(layer.feed.data.split(1)), layer.feed.states
        weights = layer.theirs.state_dict()
        if name == "LSTMCell":
            steps, states = list(layer.feed.data), tuple(state[0] for state in states)
            weights = {name.removesuffix("_l0"): weight for name, weight in weights.items()}
        for module in (ours, theirs):
            module.load_state_dict(weights)

        @cache
        def expected() -> Results:
            doubled = [[each.double() for each in given] for given in (steps, states)]
            return named(work(call, copy.deepcopy(theirs).double(), *doubled))

        def contender(name: str, module: Module) -> Contender:
            loop, flops = partial(work, call, module, steps, states), layer.flops * (1 + 2 * learns)
            return Contender(name, loop, named, expected, flops, steps=shape.T)

        return Contest(contender("unrolled", ours), (contender("torch.nn", theirs),))

    return make


@torch.inference_mode()
def _stream(call: Call, module: Module, steps: Sequence[Tensor], states: Any) -> Sequence[Tensor]:
    """Return the states after the last step."""
    for step in steps:
        _, states = call(module, step, states)
    return states


def _train(call: Call, module: Module, steps: Sequence[Tensor], states: Any) -> Sequence[Tensor]:
    """Return the sum of all outputs, and its gradients with respect to the weights."""
    total = torch.zeros((), dtype=steps[0].dtype)
    for step in steps:
        output, states = call(module, step, states)
        total = total + output.sum()
    return [total, *torch.autograd.grad(total, list(module.parameters()))]
