"""Rows of cells that torch.nn does not have: beside our LSTM, beside a loop, recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import final

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn import functional as F

from ... import cells
from ...equations import Cell, cell
from ...equations.language import affine, sigmoid, tanh
from ...nn import Recurrent
from .contender import Contender, Contest, Results
from .layers import Maker
from .library import Runner, eager_only, recorded
from .rivals import Rival
from .work import TRAINING, Feed, Shape, Step, contender, drawn, feed, flops, results


@cell
def lstm_highway(x, h, c):
    """LSTM with a fifth gate, through which the old hidden state goes past the cell."""
    i = sigmoid(affine(x, h))
    f = sigmoid(affine(x, h))
    g = tanh(affine(x, h))
    o = sigmoid(affine(x, h))
    s = sigmoid(affine(x, h))
    c = f * c + i * g
    h = s * h + (1 - s) * o * tanh(c)
    return locals()


@final
class HandWritten(Module):
    """The same layer as a loop of PyTorch operations, with the weights of another.

    The products with the input are done for all steps at once, as a careful user would.
    """

    def __init__(self, layer: Module) -> None:
        super().__init__()
        for name, weight in layer.named_parameters():
            self.register_parameter(name, torch.nn.Parameter(weight.detach().clone()))

    def forward(self, x: Tensor, hx: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Turn (T, B, I) and two states (1, B, H) into (T, B, H) and the last states."""
        h, c = (state.squeeze(0) for state in hx)
        weight, bias = self.get_parameter("weight_hh_l0"), self.get_parameter("bias_hh_l0")
        hoisted = F.linear(x, self.get_parameter("weight_ih_l0"), self.get_parameter("bias_ih_l0"))
        outputs = []
        for each in hoisted:
            i, f, g, o, s = (each + F.linear(h, weight, bias)).chunk(5, -1)
            s = torch.sigmoid(s)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = s * h + (1 - s) * torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs), (h.unsqueeze(0), c.unsqueeze(0))


def find(name: str) -> Cell:
    """Return a known cell, or the one written here."""
    return lstm_highway if name == lstm_highway.name else cells.find(name)


def layer(cell: Cell, shape: Shape) -> Recurrent:
    """Return a layer of a cell, always with the same weights."""
    return drawn(Recurrent, cell, shape.I, shape.H)


def fed(cell: Cell, shape: Shape) -> Feed:
    """Return the input and the states that a cell's layer is called with."""
    return feed(shape, [shape.H] * len(cell.states))


def by_definition(cell: Cell, shape: Shape, step: Step) -> Callable[[], Results]:
    """Return the results of a layer in float64, by the cell's eager definition, once asked for."""

    @cache
    def expected() -> Results:
        with eager_only():
            return results(step, layer(cell, shape).double(), fed(cell, shape).to(torch.float64))

    return expected


def beside_lstm(step: Step) -> Maker:
    """Return how another cell is compared with our own LSTM of the same shape."""

    def make(name: str, shape: Shape, rivals: Sequence[Rival]) -> Contest:
        cell, other = (
            contender(
                each.name, step, layer(each, shape), fed(each, shape),
                by_definition(each, shape, step),
            )
            for each in (find(name), cells.lstm)
        )  # fmt: skip
        return Contest(cell, (other,))

    return make


def beside_loop(name: str, shape: Shape, rivals: Sequence[Rival]) -> Contest:
    """Compare a user's cell with the loop of PyTorch operations that computes the same."""
    ours, given = layer(lstm_highway, shape), fed(lstm_highway, shape)
    expected = by_definition(lstm_highway, shape, TRAINING)
    loop = contender("PyTorch loop", TRAINING, HandWritten(ours), given, expected)
    return Contest(contender("unrolled", TRAINING, ours, given, expected), (loop,))


def recording(name: str, shape: Shape, rivals: Sequence[Rival]) -> Contest:
    """Compare the call with every named value recorded with the call alone."""
    cell, given = cells.find(name), fed(cells.find(name), shape)
    module = layer(cell, shape)

    def recorder(name: str, record: list[str]) -> Contender:
        exact, doubled = layer(cell, shape).double(), given.to(torch.float64)

        def expected() -> Results:
            with eager_only():
                return _recorded(exact, doubled, record)()

        count = flops(module, given.rows)
        return Contender(name, _recorded(module, given, record), dict, expected, count)

    output = recorder("not recorded", [cell.graph.output])
    return Contest(recorder("recorded", list(cell.graph.values)), (output,))


def _recorded(module: Recurrent, given: Feed, record: list[str]) -> Callable[[], Results]:
    """Return a call of the layer that hands back the values of some names."""
    shape = {"input": module.input_size, "hidden": module.hidden_size, "projection": 0, "one": 1}
    runner = Runner(module.graph, shape)  # pyright: ignore[reportArgumentType]
    weights = {name.removesuffix("_l0"): each for name, each in module.named_parameters()}
    states = dict(zip(module.graph.states, (each[0] for each in given.states), strict=True))
    inputs: dict[str, Tensor] = {next(iter(module.graph.inputs)): given.data}

    @torch.inference_mode()
    def work() -> Results:
        return recorded(runner, weights, inputs, states, record)

    return work
