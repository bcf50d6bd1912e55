"""Rows of the table: layers that torch.nn has too, cells that it does not have, recordings."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeAlias, final

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn import functional as F

from ... import cells, nn
from ...equations import Cell, cell
from ...equations.language import affine, sigmoid, tanh
from .contender import Contender, Contest, Results, numbered
from .library import Runner, eager_only, recorded
from .rivals import Rival
from .work import (
    TRAINING,
    Feed,
    Shape,
    StandardLayer,
    Step,
    contender,
    drawn,
    feed,
    flops,
    results,
)

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


def layer(cell: Cell, shape: Shape) -> nn.Recurrent:
    """Return a layer of a cell, always with the same weights."""
    return drawn(nn.Recurrent, cell, shape.I, shape.H)


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


def _recorded(module: nn.Recurrent, given: Feed, record: list[str]) -> Callable[[], Results]:
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
