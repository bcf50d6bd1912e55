"""Small models, and the same computed by a plain loop whose states autograd can see."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

import unrolled
from unrolled import affine, exp, layer_norm, scalar, sigmoid, tanh, vector, where
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.graph import parameters
from unrolled.kernels.eager import Program, run

I, H, P, T, B = 3, 5, 2, 7, 3  # noqa: E741


@unrolled.cell
def own(x, h, c, a):
    """A cell that no book has: three states, two stages, normalised, and of one unit."""
    u, s = vector(), scalar(0.5)
    q = affine(h) * sigmoid(affine(x, c))
    k = sigmoid(layer_norm(affine(x, q)) + u * c)
    a = s * a + (1 - s) * exp(-q * q)
    c = k * c + where(q < 0, a, tanh(a))
    h = tanh(c) * sigmoid(affine(x, c)) + s
    return locals()


ALL = {**CELLS, "own": own}


def units(cell: Cell) -> dict[Any, int]:
    return {"input": I, "hidden": H, "projection": P if cell.projects else 0, "one": 1}


def layer(cell: Cell, *sizes: int, **options: Any) -> unrolled.Recurrent:
    """A layer in float64."""
    options.setdefault("proj_size", P if cell.projects else 0)
    return unrolled.Recurrent(cell, *(sizes or (I, H)), dtype=torch.float64, **options)


class Loop(nn.Module):
    """A loop over a cell, as users write it."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        projection = P if cell.projects else 0
        self.cell = unrolled.RecurrentCell(cell, I, H, proj_size=projection, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        states: Any = None
        outputs = []
        for step in x:
            states = self.cell(step, states)
            place = list(self.cell.graph.states).index(self.cell.graph.output)
            outputs.append(states[place] if isinstance(states, tuple) else states)
        return torch.stack(outputs)


def weights(module: nn.Module, suffix: str = "_l0") -> dict[str, Tensor]:
    """The parameters of one layer by their names in the graph."""
    graph: Any = module.graph
    return {p.name: getattr(module, f"{p.name}{suffix}") for p in parameters(graph)}


def step(
    cell: Cell, given: dict[str, Tensor], x: Tensor, joined: Tensor, sizes: dict[Any, int]
) -> Tensor:
    """The joined states after a step (B, S), from those before it: with the states cut apart."""
    graph = cell.graph
    widths = [sizes[size] for size in graph.states.values()]
    states = dict(zip(graph.states, joined.split(widths, -1), strict=True))
    name = next(iter(graph.inputs))
    _, last = run(Program(graph, sizes), given, {name: x.unsqueeze(0)}, states, [])
    return torch.cat([last[state] for state in graph.states], -1)


def unroll(
    cell: Cell, given: dict[str, Tensor], x: Tensor, sizes: dict[Any, int], order: Sequence[int]
) -> tuple[list[Tensor], Tensor]:
    """The joined states after every step as variables with gradients, and the outputs (T, B, H)."""
    graph = cell.graph
    widths = [sizes[size] for size in graph.states.values()]
    place = list(graph.states).index(graph.output)
    joined = x.new_zeros(x.shape[1], sum(widths))
    seen: dict[int, Tensor] = {}
    for t in order:
        joined = step(cell, given, x[t], joined, sizes).clone()
        joined.retain_grad()
        seen[t] = joined
    states = [seen[t] for t in range(len(x))]
    return states, torch.stack([each.split(widths, -1)[place] for each in states])
