"""A small example of a cell: a few units, random weights, and every value of one real step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from ..graph.graph import Graph
from ..graph.operation import LEAVES, Operation
from ..graph.parameters import Parameter, parameters, weights
from ..printing.python import python

if TYPE_CHECKING:
    from numpy import ndarray

    from ..graph.learned import Size
    from ..graph.node import Node

UNITS: dict[Size, int] = {"input": 3, "hidden": 4, "projection": 3, "one": 1}
"""How many units the values of each size have."""
STEPS = 3
"""Steps before the one that is shown, so that its old states are some that the cell can reach."""
SEED = 2
SPREAD = 0.8
"""The standard deviation of the weights: gates that open and close."""


class Example(NamedTuple):
    """One step of a cell with random weights, the last of a short sequence from zero states.

    Attributes:
        arrays: the weights by parameter name (``weight_ih``), shaped as those of a layer.
        sequence: what was read, (STEPS + 1, units) by the name of each input.
        values: every value of the last step, (units,), one for each node of ``graph.order``;
            those of conditions are 0 or 1.
        inputs, states: what the last step was given, (units,) by name.
    """

    arrays: Mapping[str, ndarray]
    sequence: Mapping[str, ndarray]
    values: Sequence[ndarray]
    inputs: Mapping[str, ndarray]
    states: Mapping[str, ndarray]


@lru_cache(maxsize=32)
def example(graph: Graph) -> Example:
    """Compute the example of a graph, by the code that is printed of it.

    >>> from unrolled import cells
    >>> made = example(cells.rnn_tanh.graph)
    >>> made.inputs["x"].shape, made.states["h"].shape
    ((3,), (4,))
    """
    source = numpy.random.default_rng(SEED)
    arrays = {each.name: _drawn(each, source) for each in parameters(graph)}
    sequence = {
        name: source.uniform(-1.0, 1.0, (STEPS + 1, UNITS[size]))
        for name, size in graph.inputs.items()
    }
    states = {name: numpy.zeros(UNITS[size]) for name, size in graph.states.items()}
    step = _step(graph, weights(graph, arrays))
    for t in range(STEPS):
        values = step({name: rows[t] for name, rows in sequence.items()}, states)
        known = dict(zip(graph.order, values, strict=True))
        states = {name: known[graph.values[name]] for name in graph.states}
    inputs = {name: rows[-1] for name, rows in sequence.items()}
    return Example(arrays, sequence, step(inputs, states), inputs, states)


def _drawn(parameter: Parameter, source: numpy.random.Generator) -> ndarray:
    shape = parameter.shape(UNITS)
    if parameter.init is not None:
        return numpy.full(shape, parameter.init)
    return source.normal(0.0, SPREAD, shape)


def _step(
    graph: Graph, cut: Mapping[str, Any]
) -> Callable[[Mapping[str, ndarray], Mapping[str, ndarray]], list[ndarray]]:
    """Return the function from inputs and states to the values of all nodes.

    It is the printed code of the same graph with a name for every value, which returns them all.
    """
    computed = [node for node in graph.order if node.operation not in LEAVES]
    names = {node: graph.unused(f"value{n}") for n, node in enumerate(computed)}
    named = {name: node for node, name in names.items()}
    whole = Graph(graph.name, graph.inputs, graph.states, named | dict(graph.values))
    body, _, _ = python(whole).rpartition("    return ")
    space: dict[str, Any] = {}
    exec(f"{body}    return locals()", space)
    function: Any = next(found for found in reversed(space.values()) if callable(found))

    def step(inputs: Mapping[str, ndarray], states: Mapping[str, ndarray]) -> list[ndarray]:
        given = {**inputs, **states, **cut}
        with numpy.errstate(all="ignore"):  # a cell that overflows is shown as it is
            found = function(**given)
        return [_value(node, names, found, given) for node in graph.order]

    return step


def _value(
    node: Node, names: Mapping[Node, str], found: Mapping[str, Any], given: Mapping[str, Any]
) -> ndarray:
    if node in names:
        value = found[names[node]]
    elif node.operation is Operation.CONSTANT:
        value = node.attribute
    else:
        value = given[getattr(node.attribute, "name", node.attribute)]
    return numpy.atleast_1d(numpy.asarray(value, dtype=float))
