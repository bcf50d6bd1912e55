"""The ways by which an old state reaches a new one: directly, or last through a learned layer.

Every path through the graph of a step either meets no learned layer, and is part of the direct
path (the conveyor belt of an LSTM), or has a last one. Sorted by that, the paths' contributions
add up to the step's Jacobian, for any cell. Over several steps, they are the terms of a cell
state's derivative.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from ..display import bounded, number, page, paragraph, table
from ..graph import derivative
from ..graph.graph import Graph
from ..graph.learned import Size
from ..graph.node import Node, constant, ordered
from ..graph.notation import expression
from ..graph.operation import LEAVES, POINTWISE, Operation
from ..graph.rewrite import rewrite, simplified, states_as_inputs
from ..kernels.eager import run
from .jacobian import (
    Stretch,
    backward,
    evaluated,
    identity,
    opened,
    program,
    returned,
    rows_of,
    vjp,
)
from .passage import Passage

DIRECT, AROUND = "direct", "around"


@final
@dataclass(frozen=True, eq=False)
class Cut:
    """A step whose learned layers are inputs: what is left are the paths after the last layer.

    Attributes:
        graph: with an input ``layer 0``, ``layer 1``, ... for each learned layer.
        labels: for each layer that old states can reach, its input here and the name it goes by:
            that of the value it stands in, with a number where several stand in one.
    """

    graph: Graph
    labels: dict[str, str]


def without_layers(graph: Graph) -> dict[Node, Node]:
    """Return for each node the one that stands for it where learned layers are inputs."""
    names = iter(f"layer {index}" for index in range(len(graph.layers)))

    def rule(node: Node) -> Node | None:  # layers come here in the order of graph.layers
        is_layer = node.operation is Operation.AFFINE
        return Node(Operation.INPUT, (), next(names)) if is_layer else None

    return rewrite(graph.values.values(), rule)


@lru_cache(maxsize=256)
def cut(graph: Graph) -> Cut:
    """Return the step without its learned layers."""
    sizes = {f"layer {index}": layer.attribute.size for index, layer in enumerate(graph.layers)}
    new = without_layers(graph)
    values = {name: new[node] for name, node in graph.values.items()}
    inputs = {**graph.inputs, **sizes}
    return Cut(Graph(graph.name, inputs, graph.states, values), _labels(graph))


def _labels(graph: Graph) -> dict[str, str]:
    """Return the names of the layers that depend on an old state."""
    states = {node for node in graph.order if node.operation is Operation.STATE}
    reached = _reaching(graph.order, states)
    labels: dict[str, str] = {}
    taken, numbers = {DIRECT}, dict[str, int]()
    for index, layer in enumerate(graph.layers):
        if layer not in reached:
            continue
        name = layer.attribute.name
        number = numbers.get(name, 1)
        while (label := name if number == 1 else f"{name}_{number}") in taken:
            number += 1
        numbers[name] = number
        taken.add(label)
        labels[f"layer {index}"] = label
    return labels


def _reaching(order: Iterable[Node], sources: Container[Node]) -> set[Node]:
    """Return the nodes that depend on one of the sources, these included; `order` has arguments
    first.
    """
    found: set[Node] = set()
    for node in order:
        if node in sources or any(argument in found for argument in node.arguments):
            found.add(node)
    return found


@lru_cache(maxsize=256)
def _alone(graph: Graph, key: str) -> Graph:
    """Return a learned layer as a value of a cell that keeps its states."""
    layer = graph.layers[int(key.removeprefix("layer "))]
    kept = {state: Node(Operation.STATE, (), state) for state in graph.states}
    return Graph(graph.name, graph.inputs, graph.states, {**kept, key: layer})


def contributions(step: Stretch, vectors: Tensor) -> dict[str, Tensor]:
    """Return vectors times the Jacobian of one step, path by path; the sum is the whole.

    Args:
        step: of one step.
        vectors: (B, K, S), gradients with respect to the new states.

    Returns:
        (B, K, S) by name: ``direct``, then the learned layers that old states reach, each with
        the paths that meet it last.
    """
    found = cut(step.graph)
    direct, at_layers = _before(step, vectors)
    shares = {DIRECT: direct}
    for key, label in found.labels.items():
        alone = Stretch(_alone(step.graph, key), step.units, step.weights, step.given)
        shares[label] = returned(alone, at_layers[key], key)
    return shares


def _before(step: Stretch, vectors: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the direct contribution, and the gradients with respect to the layers' values."""
    found = cut(step.graph)
    given = {**step.given, **evaluated(step, _layer_values(step.graph))}
    opened_step = Stretch(step.graph, step.units, step.weights, given)
    back = backward(found.graph, (), tuple(found.labels))
    gradients, direct = vjp(opened_step, back, vectors, [f"d_{key}" for key in found.labels])
    at_layers = {
        key: gradients[f"d_{key}"][0].expand(
            *vectors.shape[:-1], step.units[found.graph.inputs[key]]
        )
        for key in found.labels
    }
    return direct, at_layers


@lru_cache(maxsize=256)
def _layer_values(graph: Graph) -> Graph:
    """Return the values of the learned layers as functions of inputs and old states alone."""
    return opened(graph, {f"layer {index}": layer for index, layer in enumerate(graph.layers)})


@lru_cache(maxsize=256)
def coefficient(graph: Graph, state: str) -> Node | None:
    """Return the factor by which a state's units are multiplied on the direct path to themselves.

    Returns:
        The factor as an equation: ``f`` of the LSTM's c, ``z`` of the GRU's h. None where a
        state has no direct path, or one that mixes its units.
    """
    found = cut(graph)
    new, old = found.graph.values[state], Node(Operation.STATE, (), state)
    reached = _reaching(ordered([new]), {old})
    if not reached or any(node.operation not in POINTWISE | LEAVES for node in reached):
        return None
    whole = derivative(found.graph)
    seeds = {f"d_{name}": constant(float(name == state)) for name in graph.states}

    def rule(node: Node) -> Node | None:
        if node.operation is Operation.STATE:
            return seeds[node.attribute]
        return _folded(node)

    node = rewrite([whole.values[f"d_{state}"]], rule)
    factor = node[whole.values[f"d_{state}"]]
    return None if _is_number(factor, 0.0) else factor


def _is_number(node: Node, value: float) -> bool:
    return node.operation is Operation.CONSTANT and node.attribute == value


def _folded(node: Node) -> Node | None:
    """Return a simpler node, with 0 times anything taken for 0: these are seeds, not values."""
    arguments = node.arguments
    if node.operation is Operation.MUL and any(_is_number(a, 0.0) for a in arguments):
        return constant(0)
    if node.operation is Operation.DIV and _is_number(arguments[0], 0.0):
        return constant(0)
    if node.operation in (Operation.SUM, Operation.BROADCAST, Operation.TRANSPOSED):
        return constant(0) if _is_number(arguments[0], 0.0) else None
    if node.operation is Operation.SUB and _is_number(arguments[0], 0.0):
        return constant(0) if _is_number(arguments[1], 0.0) else -arguments[1]
    if node.operation is Operation.NEG and _is_number(arguments[0], 0.0):
        return constant(0)
    return simplified(node)


def written(graph: Graph, node: Node) -> str:
    """Return a coefficient in the names of the cell's own values.

    >>> from unrolled import cells
    >>> gru = cells.gru.graph
    >>> written(gru, coefficient(gru, "h"))
    'z'
    """
    forward = states_as_inputs(cut(graph).graph.values.values())
    simple = rewrite(forward.values(), simplified)
    names: dict[Node, str] = {}
    for name, value in cut(graph).graph.values.items():
        label = f"{name}_new" if name in graph.states else name
        names.setdefault(simple[forward[value]], label)
    return names.get(node) or expression(node, names)


def factors(stretch: Stretch, state: str) -> Tensor:
    """Return the coefficient of a state's direct path at every step, (T, B, units)."""
    flat = stretch.flat()
    own = rows_of(state, flat.widths)
    seeds = flat.like.new_zeros(flat.rows, 1, flat.size)
    seeds[..., own] = 1
    direct, _ = _before(flat, seeds)
    return direct[..., own].unflatten(0, (stretch.steps, stretch.rows)).squeeze(-2)


@final
@dataclass(frozen=True, eq=False)
class Terms:
    """The dependence of a cell state on an earlier one of itself: (H, H) matrices in float64.

    The earlier state is changed within its step, so that what the step makes of it, such as
    h = o tanh(c), follows; all inputs are held fixed.

    Attributes:
        state: which state; ``c`` of an LSTM.
        exact: the derivative of the later value by the earlier one.
        shares: its terms by the last learned layer on the way: ``direct`` for none, ``i``,
            ``f``, ``g`` of an LSTM, and ``around``: all that reaches the last step through other
            states that did not come from this state one step before. In an LSTM that is the path
            through the output gate. They add up to `exact`.
        popular: the product over steps of all terms but ``around``, the usual formula.
        gates: the product over steps of the direct terms alone, "the product of forget gates".
    """

    state: str
    exact: Tensor
    shares: Mapping[str, Tensor]
    popular: Tensor
    gates: Tensor

    def __repr__(self) -> str:
        return bounded(
            f"Terms({self.state}: {_shaped(self.exact)}, norm {number(_norm(self.exact), 4)})",
            (f"  {name:{LETTERS}} {number(value, 4)}" for name, value in self._norms().items()),
        )

    def _repr_html_(self) -> str:
        norms = self._norms().items()
        errors = (("popular", self.popular_error), ("gates", self.gates_error))
        return page(
            paragraph(f"{_shaped(self.exact)} of {self.state}, by its terms", "Terms"),
            table(
                ("term", "Frobenius norm"),
                [*norms, ("exact: norm of their sum", _norm(self.exact))],
            ),
            table(("instead of it", "relative error"), errors),
        )

    def _norms(self) -> dict[str, float]:
        """Return the Frobenius norm of every term."""
        return {name: _norm(share) for name, share in self.shares.items()}

    @property
    def popular_error(self) -> float:
        """The error of the usual formula, relative to the exact derivative (Frobenius norm)."""
        return self._error(self.popular)

    @property
    def gates_error(self) -> float:
        """The error of the product of forget gates."""
        return self._error(self.gates)

    def _error(self, other: Tensor) -> float:
        norm = torch.linalg.matrix_norm
        return (norm(other - self.exact) / norm(self.exact)).item()


LETTERS = 8
"""The column of a term's name, where terms are listed."""


def _norm(matrix: Tensor) -> float:
    return torch.linalg.matrix_norm(matrix).item()


def _shaped(matrix: Tensor) -> str:
    return f"{' × '.join(map(str, matrix.shape))} {str(matrix.dtype).removeprefix('torch.')}"


def carrier(graph: Graph) -> str:
    """Return the state that carries the memory: the first whose next value the output reads, else
    it.

    ``c`` of an LSTM, ``h`` of a GRU.
    """
    below = set(ordered([graph.values[graph.output]]))
    for state in graph.states:
        old, value = Node(Operation.STATE, (), state), graph.values[state]
        is_read = state != graph.output and value in below and bool(value.arguments)
        if is_read and old in set(ordered([value])):
            return state
    return graph.output


@lru_cache(maxsize=256)
def _readout(graph: Graph, state: str) -> Graph:
    """Return the new states as functions of one of them: a cell whose input is that new state."""
    name, new = f"{state} new", states_as_inputs(graph.values.values())
    target, leaf = new[graph.values[state]], Node(Operation.INPUT, (), name)
    again = rewrite(new.values(), lambda node: leaf if node is target else None)
    states: dict[str, Size] = {f"old {other}": size for other, size in graph.states.items()}
    renamed = {f"old {other}": again[new[graph.values[other]]] for other in graph.states}
    inputs: dict[str, Size] = {**graph.inputs, **graph.states, name: graph.states[state]}
    return backward(Graph(graph.name, inputs, states, renamed), (), (name,))


def readout(step: Stretch, state: str) -> Tensor:
    """Return the derivative of the joined new states by one of them within its step, (S, H).

    For an LSTM and c: diag(o tanh'(c)) over the identity.
    """
    graph, widths = _readout(step.graph, state), step.widths
    inputs = {name: step.given[name] for name in step.graph.inputs}
    old = {name: step.given[name][0] for name in widths}
    _, new = run(program(step.graph, step.units), step.weights, inputs, old, [])
    given = {**step.given, f"{state} new": new[state].unsqueeze(0)}
    spread = {name: value.unsqueeze(-2) for name, value in given.items()}
    parts = identity(step).split(list(widths.values()), -1)
    seeds = {f"d_old {name}": part for name, part in zip(widths, parts, strict=True)}
    name = f"d_{state} new"
    found, _ = run(program(graph, step.units), step.weights, spread, seeds, [name], reverse=True)
    return found[name][0].expand(1, step.size, widths[state])[0]


def terms(passage: Passage, later: int, earlier: int, row: int, state: str | None) -> Terms:
    """Return the terms of one state between two steps; see `Terms`.

    Raises:
        ValueError: for a layer, step, row or state that there is not, for steps in the wrong
            order, and without a step between them.
    """
    state = carrier(passage.graph) if state is None else state
    if state not in passage.widths:
        raise ValueError(
            f"{passage.name}: state should be one of {', '.join(passage.widths)}, got {state!r}"
        )
    steps = passage.way(later, earlier, row)
    if not steps:
        raise ValueError(f"{passage.name}: terms need an earlier step before step {later}")
    own = rows_of(state, passage.widths)
    eye = passage.identity
    outs = [readout(passage.step(row, step), state) for step in [earlier, *steps[:-1]]]
    popular = gates = eye[own, own]
    shares: dict[str, Tensor] = {}
    for step, out in zip(steps, outs, strict=True):
        found = contributions(passage.step(row, step), eye[own].unsqueeze(0))
        shares = {name: value[0] for name, value in found.items()}
        popular = torch.stack(list(shares.values())).sum(0) @ out @ popular
        gates = shares[DIRECT][:, own] @ gates
    before = passage.carried(eye, steps[:-1], row) @ outs[0]
    through = outs[-1] @ before[own]
    whole = torch.stack(list(shares.values())).sum(0)
    found = {name: share @ through for name, share in shares.items()}
    found[AROUND] = whole @ (before - through)
    return Terms(state, whole @ before, found, popular, gates)
