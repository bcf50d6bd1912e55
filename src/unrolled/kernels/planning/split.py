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
        outside: names of the cell's values that the loop does not compute. One of its own may go
            by such a name: `f_pre`, what the activation of `f` is applied to.
    """

    hoisted: Graph
    step: Graph
    banks: tuple[tuple[str, ...], ...]
    vectors: frozenset[str]
    outside: frozenset[str]

    @property
    def probes(self) -> dict[str, Node]:
        """The values that the loop computes and that can be recorded."""
        return {n: node for n, node in self.step.probes.items() if n not in self.outside}


def split(graph: Graph) -> Split:
    """Leave in the loop what depends on inputs: they are read while they are in the cache.

    What is as wide as the input is taken out, but for learned layers.
    """

    def outside(node: Node, phase: Phase) -> bool:
        wide = any(graph.sizes[argument] == "input" for argument in node.arguments)
        wide = wide and node.operation is not Operation.AFFINE
        return phase is Phase.ONCE or (phase is Phase.HOISTED and wide)

    return _Splitter(graph, outside).split()


def hoisted(graph: Graph) -> Split:
    """Take everything out of the loop that does not depend on states.

    Of a learned layer that reads both, the part that reads the input is taken out: what stays is
    the sum of an input of the loop and of a layer that reads the states. For few rows: all steps
    together then read the weights once.
    """
    return _Splitter(graph, lambda node, phase: phase is not Phase.STEP).split()


@final
class _Splitter:
    """The making of the two parts, node by node.

    Args:
        graph: of the cell.
        outside: tells whether a node that is known in some phase is computed before the loop.
    """

    def __init__(self, graph: Graph, outside: Callable[[Node, Phase], bool]) -> None:
        self.graph = graph
        self._outside = outside
        self.phases = Plan(graph).phases
        self.hoisted: dict[str, Node] = {}
        self.inputs: dict[str, Size] = {}  # of the loop
        self._names: dict[Node, str] = {}  # of these, by what they stand for
        self._vectors: set[str] = set()  # those that depend on learned values alone
        self._new: dict[Node, Node] = {}  # of the loop
        for node in graph.order:
            is_state = node.operation is Operation.STATE
            if is_state or (node.arguments and not outside(node, self.phases[node])):
                self._new[node] = self._rebuilt(node)

    def split(self) -> Split:
        """Return the two parts."""
        graph = self.graph
        values = {
            name: self._step(node)
            for name, node in graph.values.items()
            if name in graph.states or node in self._new
        }
        step = Graph(graph.name, self.inputs, graph.states, values)
        hoisted = Graph(f"{graph.name}_hoisted", graph.inputs, {}, self.hoisted)
        outside = frozenset(graph.values.keys() - values.keys())
        return Split(hoisted, step, self._banks(), frozenset(self._vectors), outside)

    def _step(self, node: Node) -> Node:
        """Return what stands for a node in the loop."""
        if node in self._new:
            return self._new[node]
        if node.operation in (Operation.CONSTANT, Operation.LEARNED):
            return node
        if node.operation in CONDITIONS:  # no array holds truth values
            return Node(node.operation, tuple(self._step(a) for a in node.arguments))
        return self._input(node, node, self.phases[node])

    def _input(self, key: Node, node: Node, phase: Phase) -> Node:
        """Return the input of the loop that carries `node`, a value of the hoisted part."""
        if key not in self._names:
            is_input = node.operation is Operation.INPUT
            number = len(self._names)
            name = node.attribute if is_input else self.graph.unused(f"hoisted_{number}")
            self._names[key] = name
            self.hoisted[name] = node
            self.inputs[name] = self.graph.sizes[key]
            if phase is Phase.ONCE:
                self._vectors.add(name)
        return Node(Operation.INPUT, (), self._names[key])

    def _rebuilt(self, node: Node) -> Node:
        if node.operation is not Operation.AFFINE:
            arguments = tuple(self._step(argument) for argument in node.arguments)
            return Node(node.operation, arguments, node.attribute)
        outside, inside = [], []
        for source, block in zip(node.arguments, node.attribute.blocks, strict=True):
            if self._outside(node, self.phases[source]):
                outside.append((source, block))
            else:
                inside.append((self._step(source), block))
        layer = _layer(node, inside)
        if not outside:
            return layer
        phase = max(self.phases[source] for source, _ in outside)
        return self._input(node, _layer(node, outside), phase) + layer

    def _banks(self) -> tuple[tuple[str, ...], ...]:
        """Return names of hoisted layers that stand side by side, other names by themselves."""
        names = {node: name for name, node in self.hoisted.items()}
        plan = Plan(Graph("", self.graph.inputs, {}, self.hoisted))
        banks = [
            tuple(names[layer] for layer in bank)
            for bank in dict.fromkeys(plan.banks.values())
            if names.keys() >= set(bank)
        ]
        together = {name for bank in banks for name in bank}
        return (*banks, *((name,) for name in self.hoisted if name not in together))


def _layer(node: Node, parts: list[tuple[Node, object]]) -> Node:
    """Return the learned layer with some of its sources."""
    sources, blocks = zip(*parts, strict=True)
    return Node(Operation.AFFINE, sources, node.attribute._replace(blocks=blocks))
