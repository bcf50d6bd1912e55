"""Exact Jacobians of a cell's steps, from its derivative graph.

A backward step maps a gradient with respect to the states after a step to the one before it: a
vector times the step's Jacobian. Many vectors at once stand in a dimension of their own, K; with
the rows of the identity as vectors the whole matrix comes out, and after several steps the product
of their Jacobians. Everything is float64, because products over many steps leave float32's range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from ..graph.derivative import derivative, returned_input
from ..graph.graph import Graph
from ..graph.learned import Size
from ..graph.node import Node
from ..graph.operation import Operation
from ..graph.rewrite import states_as_inputs
from ..kernels.eager import Program, run

CHUNK = 32
"""The number of steps in memory at a time."""


@lru_cache(maxsize=256)
def backward(graph: Graph, returned: tuple[str, ...] = (), inputs: tuple[str, ...] = ()) -> Graph:
    """Return one backward step, with the gradients of states and of some inputs, of nothing else.

    Args:
        graph: of a cell.
        returned: values whose gradients are inputs; see `derivative`.
        inputs: of the cell, whose gradients ``d_x`` are wanted.
    """
    whole = derivative(graph, returned)
    names = [f"d_{name}" for name in (*graph.states, *inputs)]
    values = {name: whole.values[name] for name in names}
    return Graph(whole.name, whole.inputs, whole.states, values, backward=True)


@lru_cache(maxsize=256)
def _program(graph: Graph, units: tuple[tuple[Size, int], ...]) -> Program:
    return Program(graph, dict(units))


def program(graph: Graph, units: Mapping[Size, int]) -> Program:
    """Return the calls that compute a graph; made once."""
    return _program(graph, tuple(units.items()))


@final
@dataclass(frozen=True, eq=False)
class Stretch:
    """Consecutive steps of one layer in one direction, in the order in which they are taken.

    Attributes:
        graph: the equations.
        units: how many units I, H, P and 1 are.
        weights: by name.
        given: the inputs, and the states before each step, (T, B, units) by name.
    """

    graph: Graph
    units: Mapping[Size, int]
    weights: Mapping[str, Tensor]
    given: Mapping[str, Tensor]

    @property
    def steps(self) -> int:
        """T."""
        return next(iter(self.given.values())).shape[0]

    @property
    def rows(self) -> int:
        """B."""
        return next(iter(self.given.values())).shape[1]

    @property
    def device(self) -> torch.device:
        """The device of the numbers."""
        return next(iter(self.given.values())).device

    @property
    def widths(self) -> dict[str, int]:
        """The number of units of each state, in the order of the signature."""
        return {state: self.units[size] for state, size in self.graph.states.items()}

    @property
    def size(self) -> int:
        """S, the units of all states together."""
        return sum(self.widths.values())

    def part(self, start: int, stop: int, row: int | None = None) -> Stretch:
        """Return the steps from `start` on before `stop`, of all rows or of one."""
        rows = slice(None) if row is None else slice(row, row + 1)
        given = {name: value[start:stop, rows] for name, value in self.given.items()}
        return Stretch(self.graph, self.units, self.weights, given)

    def flat(self) -> Stretch:
        """Return all rows of all steps as the rows of a single step."""
        given = {name: value.flatten(0, 1).unsqueeze(0) for name, value in self.given.items()}
        return Stretch(self.graph, self.units, self.weights, given)


def joined(parts: Mapping[str, Tensor], widths: Mapping[str, int], shape: Sequence[int]) -> Tensor:
    """Return gradients of states side by side, (*shape, S)."""
    return torch.cat([parts[f"d_{s}"].expand(*shape, width) for s, width in widths.items()], -1)


def parted(vectors: Tensor, widths: Mapping[str, int]) -> dict[str, Tensor]:
    """Return the gradient of each state, of gradients side by side, (..., S)."""
    parts = vectors.split(list(widths.values()), -1)
    return {f"d_{state}": part for state, part in zip(widths, parts, strict=True)}


def identity(stretch: Stretch) -> Tensor:
    """Return the rows of the identity for every row, (B, S, S)."""
    like = next(iter(stretch.given.values()))
    eye = torch.eye(stretch.size, dtype=like.dtype, device=like.device)
    return eye.expand(stretch.rows, -1, -1)


def rows_of(state: str, widths: Mapping[str, int]) -> slice:
    """Return where a state stands among the joined states."""
    start = 0
    for name, width in widths.items():
        if name == state:
            return slice(start, start + width)
        start += width
    raise KeyError(state)


def walk(stretch: Stretch, vectors: Tensor) -> Iterator[Tensor]:
    """Yield vectors times the Jacobians of the last step, of the last two, ..., (B, K, S) each.

    Args:
        stretch: T steps.
        vectors: (B, K, S), gradients with respect to the states after the last step.
    """
    widths = stretch.widths
    steps = program(backward(stretch.graph), stretch.units)
    names = [f"d_{state}" for state in widths]
    for stop in range(stretch.steps, 0, -CHUNK):
        part = stretch.part(max(0, stop - CHUNK), stop)
        seeds = parted(vectors, widths)
        found, _ = run(steps, part.weights, _spread(part), seeds, names, reverse=True)
        for t in range(part.steps - 1, -1, -1):
            each = {name: value[t] for name, value in found.items()}
            vectors = joined(each, widths, vectors.shape[:-1])
            yield vectors


def transported(stretch: Stretch, vectors: Tensor) -> Tensor:
    """Return vectors times the product of all Jacobians, (B, K, S)."""
    steps = program(backward(stretch.graph), stretch.units)
    for stop in range(stretch.steps, 0, -CHUNK):
        part = stretch.part(max(0, stop - CHUNK), stop)
        seeds = parted(vectors, stretch.widths)
        _, last = run(steps, part.weights, _spread(part), seeds, [], reverse=True)
        vectors = joined(last, stretch.widths, vectors.shape[:-1])
    return vectors


def with_inputs(step: Stretch, vectors: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Return vectors times the Jacobians of one step: by the states, (B, K, S), and by an input."""
    once = program(backward(step.graph, (), (name,)), step.units)
    seeds = parted(vectors, step.widths)
    found, last = run(once, step.weights, _spread(step), seeds, [f"d_{name}"], reverse=True)
    shape = vectors.shape[:-1]
    by_input = found[f"d_{name}"][0]
    return joined(last, step.widths, shape), by_input.expand(*shape, by_input.shape[-1])


def returned(step: Stretch, vectors: Tensor, name: str) -> Tensor:
    """Return gradients with respect to one value of one step, brought to the old states, (B, K, S).

    Args:
        step: of one step.
        vectors: (B, K, units of the value).
        name: of the value.
    """
    once = program(backward(step.graph, (name,)), step.units)
    shape = vectors.shape[:-1]
    zero = parted(vectors.new_zeros(()).expand(*shape, step.size), step.widths)
    given = {**_spread(step), returned_input(step.graph, name): vectors.unsqueeze(0)}
    _, last = run(once, step.weights, given, zero, [], reverse=True)
    return joined(last, step.widths, shape)


def _spread(stretch: Stretch) -> dict[str, Tensor]:
    """Return the inputs of a backward step, with a dimension for the vectors."""
    return {name: value.unsqueeze(-2) for name, value in stretch.given.items()}


def opened(graph: Graph, nodes: Mapping[str, Node]) -> Graph:
    """Return some nodes of a cell as values of another, whose inputs are the old states as well.

    Given the states before each step, no step depends on another: all are computed at once.
    """
    new = states_as_inputs(nodes.values())
    kept: dict[str, Size] = {f"kept {state}": size for state, size in graph.states.items()}
    values = {name: new[node] for name, node in nodes.items()}
    values |= {name: Node(Operation.STATE, (), name) for name in kept}
    return Graph(graph.name, {**graph.inputs, **graph.states}, kept, values)


def evaluated(stretch: Stretch, graph: Graph) -> dict[str, Tensor]:
    """Return the values of an opened graph at every step, (T, B, units)."""
    like = next(iter(stretch.given.values()))
    kept = {
        name: like.new_zeros(stretch.rows, stretch.units[size])
        for name, size in graph.states.items()
    }
    names = [name for name in graph.values if name not in kept]
    loop = program(graph, stretch.units)
    values, _ = run(loop, stretch.weights, stretch.given, kept, names)
    shape = (stretch.steps, stretch.rows)
    return {name: value.expand(*shape, value.shape[-1]) for name, value in values.items()}
