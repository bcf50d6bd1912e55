"""A graph in two parts: what is computed for all steps at once, and what loops over the steps."""

from __future__ import annotations

from typing import NamedTuple, final

from ..equations import Graph, Node
from ..equations.node import Size
from ..equations.operation import CONDITIONS, Operation
from .plan import Phase, Plan


class Split(NamedTuple):
    """The two parts of a graph, joined by named values.

    Attributes:
        hoisted: computes the values that the loop reads; it has no states.
        step: the loop; its inputs are the values of `hoisted`.
        banks: the values of `hoisted` in groups; each group stands side by side in one tensor.
        vectors: the values of `hoisted` that are the same for all rows and steps.
    """

    hoisted: Graph
    step: Graph
    banks: tuple[tuple[str, ...], ...]
    vectors: frozenset[str]


def split(graph: Graph) -> Split:
    """Take everything out of the loop that does not depend on states.

    Of a learned layer that reads both, the part that reads the input is taken out: what stays is
    the sum of an input of the loop and of a layer that reads the states.
    """
    parts = _Parts(graph)
    values = {
        name: parts.step(node)
        for name, node in graph.values.items()
        if name in graph.states or parts.phases[node] is Phase.STEP
    }
    inputs: dict[str, Size] = {name: parts.sizes[name] for name in parts.hoisted}
    step = Graph(graph.name, inputs, graph.states, values)
    hoisted = Graph(f"{graph.name}_hoisted", graph.inputs, {}, parts.hoisted)
    return Split(hoisted, step, parts.banks(), parts.vectors())


@final
class _Parts:
    """Builds the two parts, node by node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.plan = Plan(graph)
        self.phases = self.plan.phases
        self.hoisted: dict[str, Node] = {}
        self.sizes: dict[str, Size] = {}
        self._names: dict[Node, str] = {}  # of the inputs of the loop, by what they stand for
        self._new: dict[Node, Node] = {}
        for node in graph.order:
            if self.phases[node] is Phase.STEP:
                self._new[node] = self._rebuilt(node)

    def step(self, node: Node) -> Node:
        """What stands for a node in the loop."""
        if self.phases[node] is Phase.STEP:
            return self._new[node]
        if node.operation in (Operation.CONSTANT, Operation.LEARNED):
            return node
        if node.operation in CONDITIONS:  # no array holds truth values
            return Node(node.operation, tuple(self.step(a) for a in node.arguments))
        return self._input(node, node)

    def _input(self, key: Node, node: Node) -> Node:
        """The input of the loop that carries `node`, a value of the hoisted part."""
        if key not in self._names:
            self._names[key] = f"hoisted_{len(self._names)}"
            self.hoisted[self._names[key]] = node
            self.sizes[self._names[key]] = self.graph.sizes[key]
        return Node(Operation.INPUT, (), self._names[key])

    def _rebuilt(self, node: Node) -> Node:
        if node.operation is not Operation.AFFINE:
            arguments = tuple(self.step(argument) for argument in node.arguments)
            return Node(node.operation, arguments, node.attribute)
        outside, inside = [], []
        for source, block in zip(node.arguments, node.attribute.blocks, strict=True):
            if self.phases[source] is Phase.STEP:
                inside.append((self._new[source], block))
            else:
                outside.append((source, block))
        layer = _layer(node, inside)
        return self._input(node, _layer(node, outside)) + layer if outside else layer

    def vectors(self) -> frozenset[str]:
        """Names of hoisted values that depend on learned values alone."""
        phases = {name: self.phases[node] for node, name in self._names.items()}
        return frozenset(name for name, phase in phases.items() if phase is Phase.ONCE)

    def banks(self) -> tuple[tuple[str, ...], ...]:
        """Names of hoisted layers that stand side by side, and every other name by itself."""
        groups: list[tuple[str, ...]] = []
        names = {node: name for name, node in self.hoisted.items()}
        plan = Plan(Graph("", self.graph.inputs, {}, self.hoisted))
        for bank in dict.fromkeys(plan.banks.values()):
            if all(layer in names for layer in bank.layers):
                groups.append(tuple(names[layer] for layer in bank.layers))
        grouped = {name for group in groups for name in group}
        return (*groups, *((name,) for name in self.hoisted if name not in grouped))


def _layer(node: Node, parts: list[tuple[Node, object]]) -> Node:
    """The learned layer with some of its sources."""
    sources, blocks = zip(*parts, strict=True)
    return Node(Operation.AFFINE, sources, node.attribute._replace(blocks=blocks))
