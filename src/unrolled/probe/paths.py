"""The ways by which an old state reaches a new one: directly, or last through a learned layer.

Every path through the graph of a step either meets no learned layer, and is part of the direct
path (the conveyor belt of an LSTM), or has a last one. Sorted by that, the paths' contributions
add up to the step's Jacobian, for any cell.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from torch import Tensor

from ..graph import derivative
from ..graph.graph import Graph
from ..graph.node import Node, constant, ordered
from ..graph.notation import expression
from ..graph.operation import LEAVES, POINTWISE, Operation
from ..graph.rewrite import rewrite, simplified, states_as_inputs
from .jacobian import Stretch, backward, evaluated, opened, returned, rows_of, vjp

DIRECT = "direct"


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
