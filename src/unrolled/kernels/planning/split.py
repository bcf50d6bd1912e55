"""A graph in two parts: what is computed for all steps at once, and what loops over the steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, final

from ...graph.graph import Graph
from ...graph.learned import Size
from ...graph.node import Node
from ...graph.operation import CONDITIONS, Operation
from .plan import Phase, Plan


class Split(NamedTuple):
    """The two parts of a graph, joined by named values.

    Attributes:
        hoisted: computes the values that the loop reads; it has no states.
        step: the loop; its inputs are the values of `hoisted`, some of them inputs of the cell.
        banks: the values of `hoisted` in groups; each group stands side by side in one tensor.
        vectors: the values of `hoisted` that are the same for all rows and steps.
    """

    hoisted: Graph
    step: Graph
    banks: tuple[tuple[str, ...], ...]
    vectors: frozenset[str]


def split(graph: Graph) -> Split:
    """Leave in the loop what depends on inputs: they are read while they are in the cache.

    What is as wide as the input is taken out, but for learned layers.
    """

    def outside(node: Node, phase: Phase) -> bool:
        wide = any(graph.sizes[argument] == "input" for argument in node.arguments)
        wide = wide and node.operation is not Operation.AFFINE
        return phase is Phase.ONCE or (phase is Phase.HOISTED and wide)

    return _split(_Parts(graph, outside))


def hoisted(graph: Graph) -> Split:
    """Take everything out of the loop that does not depend on states.

    Of a learned layer that reads both, the part that reads the input is taken out: what stays is
    the sum of an input of the loop and of a layer that reads the states. For few rows: all steps
    together then read the weights once.
    """
    return _split(_Parts(graph, lambda node, phase: phase is not Phase.STEP))


def _split(parts: _Parts) -> Split:
    graph = parts.graph
    values = {
        name: parts.step(node)
        for name, node in graph.values.items()
        if name in graph.states or parts.is_inside(node)
    }
    inputs: dict[str, Size] = {name: parts.sizes[name] for name in parts.hoisted}
    step = Graph(graph.name, inputs, graph.states, values)
    hoisted = Graph(f"{graph.name}_hoisted", graph.inputs, {}, parts.hoisted)
    return Split(hoisted, step, parts.banks(), parts.vectors())


@final
class _Parts:
    """Builds the two parts, node by node."""

    def __init__(self, graph: Graph, outside: Callable[[Node, Phase], bool]) -> None:
        self.graph = graph
        self._outside = outside
        self.plan = Plan(graph)
        self.phases = self.plan.phases
        self.hoisted: dict[str, Node] = {}
        self.sizes: dict[str, Size] = {}
        self._names: dict[Node, str] = {}  # of the inputs of the loop, by what they stand for
        self._fixed: set[str] = set()  # those that depend on learned values alone
        self._new: dict[Node, Node] = {}
        for node in graph.order:
            if self.is_inside(node):
                self._new[node] = self._rebuilt(node)

    def is_inside(self, node: Node) -> bool:
        """Whether a node is computed in the loop."""
        if node.operation is Operation.STATE:
            return True
        return bool(node.arguments) and not self._outside(node, self.phases[node])

    def step(self, node: Node) -> Node:
        """What stands for a node in the loop."""
        if node in self._new:
            return self._new[node]
        if node.operation in (Operation.CONSTANT, Operation.LEARNED):
            return node
        if node.operation in CONDITIONS:  # no array holds truth values
            return Node(node.operation, tuple(self.step(a) for a in node.arguments))
        return self._input(node, node, self.phases[node])

    def _input(self, key: Node, node: Node, phase: Phase) -> Node:
        """The input of the loop that carries `node`, a value of the hoisted part."""
        if key not in self._names:
            is_input = node.operation is Operation.INPUT
            number = len(self._names)
            name = node.attribute if is_input else self.graph.unused(f"hoisted_{number}")
            self._names[key] = name
            self.hoisted[name] = node
            self.sizes[name] = self.graph.sizes[key]
            if phase is Phase.ONCE:
                self._fixed.add(name)
        return Node(Operation.INPUT, (), self._names[key])

    def _rebuilt(self, node: Node) -> Node:
        if node.operation is not Operation.AFFINE:
            arguments = tuple(self.step(argument) for argument in node.arguments)
            return Node(node.operation, arguments, node.attribute)
        outside, inside = [], []
        for source, block in zip(node.arguments, node.attribute.blocks, strict=True):
            if self._outside(node, self.phases[source]):
                outside.append((source, block))
            else:
                inside.append((self.step(source), block))
        layer = _layer(node, inside)
        if not outside:
            return layer
        phase = max(self.phases[source] for source, _ in outside)
        return self._input(node, _layer(node, outside), phase) + layer

    def vectors(self) -> frozenset[str]:
        """Names of hoisted values that depend on learned values alone."""
        return frozenset(self._fixed)

    def banks(self) -> tuple[tuple[str, ...], ...]:
        """Names of hoisted layers that stand side by side, and every other name by itself."""
        groups: list[tuple[str, ...]] = []
        names = {node: name for name, node in self.hoisted.items()}
        plan = Plan(Graph("", self.graph.inputs, {}, self.hoisted))
        for bank in dict.fromkeys(plan.banks.values()):
            if all(layer in names for layer in bank):
                groups.append(tuple(names[layer] for layer in bank))
        grouped = {name for group in groups for name in group}
        return (*groups, *((name,) for name in self.hoisted if name not in grouped))


def _layer(node: Node, parts: list[tuple[Node, object]]) -> Node:
    """The learned layer with some of its sources."""
    sources, blocks = zip(*parts, strict=True)
    return Node(Operation.AFFINE, sources, node.attribute._replace(blocks=blocks))
