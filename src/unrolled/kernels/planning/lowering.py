"""The part of a graph that a kernel computes, in operations that a kernel knows."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Mapping
from functools import reduce

from ...graph.graph import Graph
from ...graph.learned import Size
from ...graph.node import Node, ordered
from ...graph.operation import Operation
from ..runtime.abi import Buffer


def lowered(graph: Graph, given: Mapping[Node, Buffer], written: Mapping[Buffer, Node]) -> Graph:
    """Return the graph of states and written values, with given ones as inputs.

    Composite operations are taken apart; the transposed products of a sum stand together.
    """
    roots = {state: graph.values[state] for state in graph.states}
    roots |= {str(buffer): node for buffer, node in written.items()}
    new = {node: Node(Operation.INPUT, (), str(buffer)) for node, buffer in given.items()}
    inputs = dict(graph.inputs)
    inputs |= {str(b): graph.sizes[node] for node, b in given.items() if node in graph.sizes}
    for node in ordered(list(roots.values()), given):
        size, arguments = graph.sizes[node], tuple(new[a] for a in node.arguments)
        over_units = node.operation in (Operation.SUM, Operation.BROADCAST)
        if over_units and graph.sizes[node.arguments[0]] == size == "one":
            new[node] = arguments[0]  # the sum of one number, one number spread over one unit
        elif node.operation is Operation.BROADCAST:
            like = Node(Operation.INPUT, (), f"any {size}")  # read by nothing
            inputs[like.attribute] = size
            new[node] = Node(Operation.BROADCAST, (arguments[0], like))
        elif node.operation is Operation.NORMALIZE:
            new[node] = _normalized(arguments[0], size, node.attribute)
        else:
            new[node] = Node(node.operation, arguments, node.attribute)
    values = _gathered({name: new[node] for name, node in roots.items()})
    return Graph(graph.name, inputs, graph.states, values, graph.backward)


def _normalized(a: Node, size: Size, epsilon: float) -> Node:
    """Return normalisation as sums over units."""

    def mean(value: Node) -> Node:
        if size == "one":
            return value
        return Node(Operation.SUM, (value,)) / Node(Operation.DIMENSION, (a,))

    centred = a - mean(a)
    variance = mean(centred * centred)
    return centred / Node(Operation.SQRT, (variance + epsilon,))


def _gathered(values: Mapping[str, Node]) -> dict[str, Node]:
    """Return values whose sums begin with their transposed products, to be added up as one."""
    count = uses(values)
    new: dict[Node, Node] = {}
    terms: dict[Node, list[Node]] = {}  # of sums
    for node in ordered(list(values.values())):
        arguments = tuple(new[argument] for argument in node.arguments)
        new[node] = Node(node.operation, arguments, node.attribute)
        if node.operation is Operation.ADD:
            terms[node] = []
            for argument in node.arguments:
                inner = terms.get(argument) if count[argument] == 1 else None
                terms[node] += inner or [new[argument]]
            if sum(map(_is_transposed, terms[node])) > 1:
                new[node] = reduce(
                    operator.add, sorted(terms[node], key=_is_transposed, reverse=True)
                )
    return {name: new[node] for name, node in values.items()}


def _is_transposed(node: Node) -> bool:
    return node.operation is Operation.TRANSPOSED


def uses(values: Mapping[str, Node]) -> Counter[Node]:
    """Return how often each node is an argument, or one of the values."""
    count = Counter(a for node in ordered(list(values.values())) for a in node.arguments)
    count.update(values.values())
    return count
