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

from ..display import text_of
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

    __repr__ = text_of

    @property
    def like(self) -> Tensor:
        """One of what is given, for its dtype, its device and its shape."""
        return next(iter(self.given.values()))

    @property
    def steps(self) -> int:
        """T."""
        return self.like.shape[0]

    @property
    def rows(self) -> int:
        """B."""
        return self.like.shape[1]

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
    eye = torch.eye(stretch.size, dtype=stretch.like.dtype, device=stretch.like.device)
    return eye.expand(stretch.rows, -1, -1)


def rows_of(state: str, widths: Mapping[str, int]) -> slice:
    """Return where a state stands among the joined states."""
    before = list(widths.values())[: list(widths).index(state)]
    return slice(sum(before), sum(before) + widths[state])


def vjp(
    stretch: Stretch,
    graph: Graph,
    vectors: Tensor,
    names: Sequence[str] = (),
    extra: Mapping[str, Tensor] | None = None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Return vector-Jacobian products: run backward steps over a stretch.

    Args:
        stretch: T steps.
        graph: one backward step, such as `backward` makes.
        vectors: (B, K, S), gradients with respect to the states after the last step.
        names: of the gradients to return for every step.
        extra: further inputs of the graph, (T, B, K, units).

    Returns:
        The gradients by name, (T, B, K, units), and those with respect to the states before the
        first step, (B, K, S).
    """
    spread = {name: value.unsqueeze(-2) for name, value in stretch.given.items()}
    seeds = parted(vectors, stretch.widths)
    steps = program(graph, stretch.units)
    given = {**spread, **(extra or {})}
    found, last = run(steps, stretch.weights, given, seeds, list(names), reverse=True)
    return found, joined(last, stretch.widths, vectors.shape[:-1])


def walk(stretch: Stretch, vectors: Tensor) -> Iterator[Tensor]:
    """Yield vectors times the Jacobians of the last step, of the last two, ..., (B, K, S) each.

    Args:
        stretch: T steps.
        vectors: (B, K, S), gradients with respect to the states after the last step.
    """
    widths = stretch.widths
    names = [f"d_{state}" for state in widths]
    for stop in range(stretch.steps, 0, -CHUNK):
        part = stretch.part(max(0, stop - CHUNK), stop)
        found, _ = vjp(part, backward(stretch.graph), vectors, names)
        for t in range(part.steps - 1, -1, -1):
            each = {name: value[t] for name, value in found.items()}
            vectors = joined(each, widths, vectors.shape[:-1])
            yield vectors


def with_inputs(step: Stretch, vectors: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Return vectors times the Jacobians of one step: by the states, (B, K, S), and by an input."""
    found, by_states = vjp(step, backward(step.graph, (), (name,)), vectors, [f"d_{name}"])
    by_input = found[f"d_{name}"][0]
    return by_states, by_input.expand(*vectors.shape[:-1], by_input.shape[-1])


def returned(step: Stretch, vectors: Tensor, name: str) -> Tensor:
    """Return gradients with respect to one value of one step, brought to the old states, (B, K, S).

    Args:
        step: of one step.
        vectors: (B, K, units of the value).
        name: of the value.
    """
    zero = vectors.new_zeros(*vectors.shape[:-1], step.size)
    extra = {returned_input(step.graph, name): vectors.unsqueeze(0)}
    return vjp(step, backward(step.graph, (name,)), zero, extra=extra)[1]


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
    shape = (stretch.steps, stretch.rows)
    kept = {
        name: stretch.like.new_zeros(stretch.rows, stretch.units[size])
        for name, size in graph.states.items()
    }
    names = [name for name in graph.values if name not in kept]
    loop = program(graph, stretch.units)
    values, _ = run(loop, stretch.weights, stretch.given, kept, names)
    return {name: value.expand(*shape, value.shape[-1]) for name, value in values.items()}
