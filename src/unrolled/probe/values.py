"""Values of all steps at once: given the states before each, no step depends on another."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ..graph.graph import Graph
from ..graph.learned import Size
from ..graph.node import Node
from ..graph.operation import Operation
from ..graph.rewrite import rewrite
from ..kernels.eager import run
from .jacobian import Stretch, program


def opened(graph: Graph, nodes: Mapping[str, Node]) -> Graph:
    """Some nodes of a cell as values of another, whose inputs are the old states as well."""

    def rule(node: Node) -> Node | None:
        is_state = node.operation is Operation.STATE
        return Node(Operation.INPUT, (), node.attribute) if is_state else None

    new = rewrite(nodes.values(), rule)
    kept: dict[str, Size] = {f"kept {state}": size for state, size in graph.states.items()}
    values = {name: new[node] for name, node in nodes.items()}
    values |= {name: Node(Operation.STATE, (), name) for name in kept}
    return Graph(graph.name, {**graph.inputs, **graph.states}, kept, values)


def evaluated(stretch: Stretch, graph: Graph) -> dict[str, Tensor]:
    """The values of an opened graph at every step, (T, B, units)."""
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
