"""From a graph to what its picture shows: terminals, learned layers, operations and their wires.

Every node of the graph belongs to one element (see `grouping`). A learned vector that multiplies
what goes into a layer is a port on that line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, final

from ..graph.node import Node
from ..graph.operation import Operation
from ..printing.latex import learned_symbol, symbol
from .grouping import Grouping, Part, Role, factors

if TYPE_CHECKING:
    from ..graph.graph import Graph


@final
@dataclass(frozen=True, eq=False)
class Element:
    """A box, circle or terminal.

    Attributes:
        key: unique within a graph.
        text: what stands in it.
        root: the node whose value leaves it, None for a state's next value and a join.
        nodes: the nodes that it stands for.
        names: the names of its value.
        mixes: whether each unit of its value depends on all units that it reads, other than by
            learned weights: a norm, a sum.
    """

    key: str
    role: Role
    text: str
    root: Node | None
    nodes: tuple[Node, ...] = ()
    names: tuple[str, ...] = ()
    mixes: bool = False


class Wire(NamedTuple):
    """A value that goes from one element to another.

    Attributes:
        mark: stands beside its end.
        port: the key of the element that it goes through right before its end, if there is one.
    """

    source: str
    target: str
    mark: str = ""
    port: str = ""


@final
@dataclass
class Elements:
    """The elements of a graph in an order in which they can be computed, and their wires.

    Attributes:
        ports: elements that stand at the end of a wire: a learned vector times what comes in.
        numbers: the hyperparameters that stand in the elements, with their values.
    """

    graph: Graph
    elements: dict[str, Element] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    ports: dict[str, Element] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)

    def sources(self, key: str) -> list[str]:
        """Return what an element reads."""
        return [wire.source for wire in self.wires if wire.target == key]

    def targets(self, key: str) -> list[str]:
        """Return what reads an element."""
        return [wire.target for wire in self.wires if wire.source == key]


def elements(graph: Graph, last: str = "") -> Elements:
    """Return the elements of a graph.

    Args:
        graph: of a cell.
        last: the key of an element whose value joins after all others where several do.

    >>> from unrolled import cells
    >>> found = elements(cells.rnn_tanh.graph)
    >>> [element.role for element in found.elements.values()]
    ['input', 'state', 'join', 'layer', 'next']
    """
    return _Builder(graph, last).build()


def alternatives(found: Elements) -> list[Elements]:
    """Return the elements, and with each value that joins two others or more as the last of them:
    where it comes from says which order is best.
    """
    joins = {key for key, element in found.elements.items() if element.role == "join"}
    chains = {end for wire in found.wires for end in wire[:2] if joins.issuperset(wire[:2])}
    ways = {frozenset(found.wires): found}
    for last in dict.fromkeys(w.source for w in found.wires if w.target in chains):
        if last not in joins:
            other = elements(found.graph, last)
            ways.setdefault(frozenset(other.wires), other)
    return list(ways.values())


@final
class _Builder:
    def __init__(self, graph: Graph, last: str) -> None:
        self.graph, self.last = graph, last
        self.found = Elements(graph)
        self.keys: dict[Node, str] = {}
        self.joins: dict[tuple[Node, ...], str] = {}
        self.places = {node: place for place, node in enumerate(graph.order)}
        self.names: dict[Node, list[str]] = {}
        written = graph.written
        for name, node in graph.values.items():
            if name not in graph.states and (written.names is None or name in written.names):
                self.names.setdefault(node, []).append(name)
        self.kept = {*self.names, *(graph.values[state] for state in graph.states)}
        self.grouping = Grouping(graph, self.kept)
        self.found.numbers.update(written.hyperparameters)

    def build(self) -> Elements:
        parts = self.grouping.parts()
        for name in self.graph.inputs:
            self._leaf("input", Node(Operation.INPUT, (), name))
        for name in self.graph.states:
            self._leaf("state", Node(Operation.STATE, (), name))
        for node in self.graph.order:
            if node in parts:
                self._place(node, parts[node])
            elif node in self.kept and node.operation in (Operation.CONSTANT, Operation.LEARNED):
                self._source(node)
        for name in self.graph.states:
            node = self.graph.values[name]
            self._add(Element(f"{name}'", "next", "", None, (), (name,)))
            self.found.wires.append(Wire(self._source(node), f"{name}'"))
        return self.found

    def _add(self, element: Element) -> None:
        self.found.elements[element.key] = element

    def _leaf(self, role: Role, node: Node) -> None:
        self.keys[node] = node.attribute
        self._add(Element(node.attribute, role, "", node, (node,), self._names(node)))

    def _source(self, node: Node, user: Node | None = None) -> str:
        """Return the key of the element of a node; make those of numbers and learned leaves."""
        if node.operation is Operation.CONSTANT:
            key = f"number {len(self.found.elements)}"
            names = tuple(self.names.pop(node, ()))
            text = self.grouping.number(node, user)
            text = f"${text}$" if any(map(str.isalpha, text)) or "^" in text else text
            self._add(Element(key, "constant", text, node, (node,), names))
            return key
        if node not in self.keys:
            key = self.keys[node] = node.attribute.name
            text = f"${learned_symbol(key)}$"
            self._add(Element(key, "learned", text, node, (node,), self._names(node)))
        return self.keys[node]

    def _place(self, node: Node, part: Part) -> None:
        key = self.keys[node] = f"{'box' if part.role == 'layer' else 'op'} {self._owner(node)}"
        several = len(part.bundle) > 1
        bundle = [self._join(part.bundle)] if several else map(self._source, part.bundle)
        reads = [(source, "") for source in bundle]
        reads += [(self._source(source, node), mark) for source, mark in part.reads]
        names = self._names(node)
        self._add(Element(key, part.role, part.text, node, part.nodes, names, part.mixes))
        for product in part.ports:
            self._port(product, key)
        marks: dict[str, list[str]] = {}
        for source, mark in reads:
            marks.setdefault(source, []).append(mark)
        for source, signs in marks.items():
            self.found.wires.append(Wire(source, key, "".join(signs).replace("+−", "±")))

    def _port(self, product: Node, target: str) -> None:
        """Let a value go into a layer through the learned vector that it is multiplied by."""
        learned, source = factors(product)
        text = f"$\\odot\\,{learned_symbol(learned.attribute.name)}$"
        key = f"port {learned.attribute.name}"
        self.found.ports[key] = Element(key, "learned", text, product, (learned, product))
        self.found.wires.append(Wire(self._source(source), target, "", key))

    def _names(self, node: Node) -> tuple[str, ...]:
        return tuple(self.names.get(node, ()))

    def _owner(self, node: Node) -> str:
        """Return a name for an element: that of its value, or one with a number."""
        name = self.graph.names.get(node)
        if name is not None:
            return name
        return f"{self.graph.owners[node]} {len(self.found.elements)}"

    def _turn(self, node: Node) -> tuple[bool, int]:
        """Return a source's place among those that join: leaves first, as they were declared."""
        given = [*self.graph.inputs, *self.graph.states]
        last = node in self.keys and self.keys[node] == self.last
        if node.attribute in given:
            return last, given.index(node.attribute)
        return last, len(given) + self.places[node]

    def _join(self, sources: tuple[Node, ...]) -> str:
        """Return the place where some values have joined to go on as one line: two at a time, so
        that bundles that begin alike share what they have in common.
        """
        bundle = tuple(sorted(sources, key=self._turn))
        if len(bundle) == 1:
            return self._source(bundle[0])
        if bundle not in self.joins:
            keys = [self._join(bundle[:-1]), self._source(bundle[-1])]
            key = self.joins[bundle] = f"join {len(self.joins)}"
            self._add(Element(key, "join", "", None))
            self.found.wires += [Wire(source, key) for source in keys]
        return self.joins[bundle]


def name_text(name: str, time: str = "t") -> str:
    """Return a value's name as it stands in the picture."""
    return f"${symbol(name, time)}$"
