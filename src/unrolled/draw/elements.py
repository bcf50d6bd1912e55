"""From a graph to what its picture shows: terminals, learned layers, operations and their wires.

Every node of the graph belongs to one element. A learned layer takes in what is linear and
learned together with its activation: ``sigmoid(layer_norm(affine(x, h) + p * c))`` is one box,
with a port on the line from c that says what it is multiplied by. A number is written into the
operation that uses it, under the name that the author gave it: ``1 - z`` is a circle with ``1-``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, final

from ..equations import language
from ..graph.node import Node, ordered
from ..graph.operation import ACTIVATIONS, LEAVES, Operation
from ..printing.latex import decimal, learned_symbol, symbol, weight_symbol

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..graph.graph import Graph

Role = Literal["layer", "operation", "learned", "constant", "input", "state", "next", "join"]
"""A learned layer or an operation; a leaf; a terminal; the place where lines join."""

SYMBOL: dict[Operation, str] = {
    **dict.fromkeys(LEAVES, ""),
    Operation.ADD: "$+$",
    Operation.SUB: "$-$",
    Operation.MUL: "$\\times$",
    Operation.DIV: "$\\div$",
    Operation.NEG: "$-$",
    Operation.SIGMOID: "$\\sigma$",
    Operation.TANH: "$\\mathrm{tanh}$",
    Operation.RELU: "$\\mathrm{relu}$",
    Operation.EXP: "$\\mathrm{exp}$",
    Operation.LOG: "$\\mathrm{log}$",
    Operation.SQRT: "$\\sqrt{\\;\\;}$",
    Operation.ABS: "$|\\cdot|$",
    Operation.MINIMUM: "$\\mathrm{min}$",
    Operation.MAXIMUM: "$\\mathrm{max}$",
    Operation.LESS: "$<$",
    Operation.LESS_EQUAL: "$\\leq$",
    Operation.SELECT: "$\\mathrm{if}$",
    Operation.SUM: "$\\Sigma$",
    Operation.DIMENSION: "$\\mathrm{dim}$",
    Operation.BROADCAST: "$\\mathrm{copy}$",
    Operation.NORMALIZE: "$\\mathrm{norm}$",
    Operation.AFFINE: "$W$",
    Operation.TRANSPOSED: "$W^\\top$",
    Operation.OUTER: "$\\mathrm{outer}$",
}
"""The text in the box or circle of each operation."""

LOG_SIGMOID = "$\\log\\,\\sigma$"

MARKS: dict[Operation, tuple[str, ...]] = {
    Operation.SUB: ("+", "−"),
    Operation.DIV: ("", "÷"),
    Operation.LESS: ("·<", "<·"),
    Operation.LESS_EQUAL: ("·<", "<·"),
    Operation.SELECT: ("?", "✓", "✗"),
}
"""Signs beside the lines into an operation whose arguments cannot be exchanged."""


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
    """

    key: str
    role: Role
    text: str
    root: Node | None
    nodes: tuple[Node, ...] = ()
    names: tuple[str, ...] = ()


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


class _Part(NamedTuple):
    """One element as far as the graph says: which nodes it takes in and what it reads."""

    role: Role
    text: str
    nodes: tuple[Node, ...]
    bundle: tuple[Node, ...]  # sources that join before the box
    reads: tuple[tuple[Node, str], ...]  # further sources, each with the mark at its end
    ports: tuple[Node, ...] = ()  # products of a learned vector and a source, taken in


def elements(graph: Graph) -> Elements:
    """Return the elements of a graph.

    >>> from unrolled import cells
    >>> found = elements(cells.rnn_tanh.graph)
    >>> [element.role for element in found.elements.values()]
    ['input', 'state', 'join', 'layer', 'next']
    """
    return _Builder(graph).build()


@final
class _Builder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.found = Elements(graph)
        self.keys: dict[Node, str] = {}
        self.joins: dict[tuple[Node, ...], str] = {}
        self.places = {node: place for place, node in enumerate(graph.order)}
        self.users: dict[Node, set[Node]] = {}
        for node in graph.order:
            for argument in node.arguments:
                self.users.setdefault(argument, set()).add(node)
        self.names: dict[Node, list[str]] = {}
        written = graph.written
        for name, node in graph.values.items():
            if name not in graph.states and (written.names is None or name in written.names):
                self.names.setdefault(node, []).append(name)
        self.kept = {*self.names, *(graph.values[state] for state in graph.states)}
        self.numbers = written.numbers

    def build(self) -> Elements:
        parts = self._parts()
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
            text = self._number(node, user)
            text = f"${text}$" if "\\" in text or "^" in text else text
            self._add(Element(key, "constant", text, node, (node,), names))
            return key
        if node not in self.keys:
            key = self.keys[node] = node.attribute.name
            text = f"${learned_symbol(key)}$"
            self._add(Element(key, "learned", text, node, (node,), self._names(node)))
        return self.keys[node]

    def _place(self, node: Node, part: _Part) -> None:
        key = self.keys[node] = f"{'box' if part.role == 'layer' else 'op'} {self._owner(node)}"
        several = len(part.bundle) > 1
        bundle = [self._join(part.bundle)] if several else map(self._source, part.bundle)
        reads = [(source, "") for source in bundle]
        reads += [(self._source(source, node), mark) for source, mark in part.reads]
        self._add(Element(key, part.role, part.text, node, part.nodes, self._names(node)))
        for product in part.ports:
            self._port(product, key)
        marks: dict[str, list[str]] = {}
        for source, mark in reads:
            marks.setdefault(source, []).append(mark)
        for source, signs in marks.items():
            self.found.wires.append(Wire(source, key, "".join(signs).replace("+−", "±")))

    def _port(self, product: Node, target: str) -> None:
        """Let a value go into a layer through the learned vector that it is multiplied by."""
        learned, source = _factors(product)
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

    def _number(self, node: Node, user: Node | None) -> str:
        """Return a number, or the name that its author gave it where `user` reads it."""
        if user is not None:
            for place, argument in enumerate(user.arguments):
                name = self.numbers.get((user, place)) if argument is node else None
                if name is not None:
                    self.found.numbers[name] = node.attribute
                    return learned_symbol(name)
        return decimal(node.attribute)

    def _join(self, sources: tuple[Node, ...]) -> str:
        """Return the place where some values join to go on as one line."""
        bundle = tuple(sorted(sources, key=self.places.__getitem__))
        if bundle not in self.joins:
            key = self.joins[bundle] = f"join {len(self.joins)}"
            keys = [self._source(source) for source in bundle]
            self._add(Element(key, "join", "", None))
            self.found.wires += [Wire(source, key) for source in keys]
        return self.joins[bundle]

    def _parts(self) -> dict[Node, _Part]:
        """Return the nodes that are drawn, with what they take in; users first take in what they
        can.
        """
        taken: set[Node] = set()
        parts: dict[Node, _Part] = {}
        for node in reversed(self.graph.order):
            if node in taken or node.operation in LEAVES:
                continue
            part = self._layer(node) or self._composite(node) or self._operation(node)
            parts[node] = part
            taken.update(part.nodes)
            for product in part.ports:
                taken |= {product, _factors(product)[0]}
        return parts

    def _in_order(self, nodes: set[Node]) -> tuple[Node, ...]:
        return tuple(node for node in self.graph.order if node in nodes)

    def _free(self, node: Node, cover: set[Node]) -> bool:
        """Return whether nothing outside `cover` needs a node, so that it can be taken in."""
        return node not in self.kept and self.users.get(node, set()) <= cover

    def _layer(self, node: Node) -> _Part | None:
        """Return a learned layer with its activation, norm and elementwise learned terms."""
        cover, texts, inner = {node}, [], node
        if (rule := _activation(node)) is not None:
            text, inner, more = rule
            texts.append(text)
            cover |= more
        if (norm := self._norm(inner, cover)) is not None:
            texts.append(SYMBOL[Operation.NORMALIZE])
            inner, more = norm
            cover |= more
        if inner is not node and not self._free(inner, cover):
            return None
        cover.add(inner)
        terms = self._terms(inner, cover)
        cores = [term for term in terms if term.operation is Operation.AFFINE]
        diagonal = [term for term in terms if term.operation is not Operation.AFFINE]
        if len(cores) != 1 or not all(self._diagonal(term, cover) for term in diagonal):
            return None
        read = {_factors(term)[1]: None for term in diagonal}
        several = len(read) != len(diagonal) or len(read) > 2
        if several or any(s is a for s in read for a in cores[0].arguments):
            return None
        cover.add(cores[0])
        text = "\n".join(reversed(texts)) or _weight(cores[0])
        taken = self._in_order(cover - set(diagonal))
        return _Part("layer", text, taken, cores[0].arguments, (), tuple(diagonal))

    def _terms(self, node: Node, cover: set[Node]) -> list[Node]:
        """Return the sum of an affine map and learned vectors times values, taken apart."""
        if node.operation is not Operation.ADD:
            return [node]
        terms: list[Node] = []
        for argument in node.arguments:
            inside = cover | {node}
            if not self._free(argument, inside):
                return [node]
            if argument.operation is Operation.ADD:
                below = self._terms(argument, inside)
                if len(below) == 1:
                    return [node]
                cover.add(argument)
                terms += below
            elif argument.operation is Operation.AFFINE or self._diagonal(argument, inside):
                terms.append(argument)
            else:
                return [node]
        return terms

    def _diagonal(self, node: Node, cover: set[Node]) -> bool:
        """Return whether a node is a learned vector of its own times a value."""
        if node.operation is not Operation.MUL:
            return False
        learned = [a for a in node.arguments if a.operation is Operation.LEARNED]
        other = [a for a in node.arguments if a.operation not in LEAVES or a.operation in TERMINALS]
        return len(learned) == len(other) == 1 and self._free(learned[0], cover | {node})

    def _norm(self, node: Node, cover: set[Node]) -> tuple[Node, set[Node]] | None:
        """Return the argument of a layer norm and the nodes that make it up."""
        if node.operation is not Operation.ADD:
            return None
        if node not in cover and not self._free(node, cover):
            return None
        product, offset = node.arguments
        if product.operation is not Operation.MUL or offset.operation is not Operation.LEARNED:
            return None
        scaled, gain = product.arguments
        if scaled.operation is not Operation.NORMALIZE or gain.operation is not Operation.LEARNED:
            return None
        more = {node, product, offset, scaled, gain}
        if all(self._free(n, cover | more) for n in more - {node}):
            return scaled.arguments[0], more
        return None

    def _composite(self, node: Node) -> _Part | None:
        """Return an operation that is written as several: layer norm, log sigmoid, mean."""
        norm = self._norm(node, {node})
        if norm is not None and norm[0].operation not in LEAVES - TERMINALS:
            nodes = self._in_order(norm[1])
            return _Part("operation", SYMBOL[Operation.NORMALIZE], nodes, (), ((norm[0], ""),))
        for text, below in ((LOG_SIGMOID, _log_sigmoid(node)), ("$\\mathrm{mean}$", _mean(node))):
            if below is None or below.operation in LEAVES - TERMINALS:
                continue
            inside = _between(node, below)
            if all(self._free(n, inside) for n in inside - {node}):
                return _Part("operation", text, self._in_order(inside), (), ((below, ""),))
        return None

    def _operation(self, node: Node) -> _Part:
        """Return a single operation, with its own number or learned vector written into it."""
        if node.operation is Operation.AFFINE:
            return _Part("layer", _weight(node), (node,), node.arguments, ())
        arguments = node.arguments
        if len(arguments) == 2:
            a, b = arguments
            if a is b and node.operation is Operation.MUL:
                return _Part("operation", "$\\cdot^2$", (node,), (), ((a, ""),))
            for own, other in ((a, b), (b, a)):
                text = self._written(node, own, other)
                if text is not None:
                    learned = own.operation is Operation.LEARNED
                    nodes = (own, node) if learned else (node,)
                    role = "learned" if learned else "operation"
                    return _Part(role, text, nodes, (), ((other, ""),))
        marks = MARKS.get(node.operation, ("",) * len(arguments))
        reads = tuple(zip(arguments, marks, strict=True))
        return _Part("operation", SYMBOL[node.operation], (node,), (), reads)

    def _written(self, node: Node, own: Node, other: Node) -> str | None:
        """Return the operation as a text with `own` in it, None if `own` is an element."""
        if own is other or other.operation is Operation.CONSTANT:
            return None
        if own.operation is Operation.CONSTANT:
            text = self._number(own, node)
            text = f"{{{text}}}" if text.startswith("-") else text  # a sign, not a difference
        elif own.operation is Operation.LEARNED and self._free(own, {node}):
            text = learned_symbol(own.attribute.name)
        else:
            return None
        first = own is node.arguments[0]
        template = WITH.get(node.operation)
        if own.operation is Operation.LEARNED and node.operation is Operation.MUL:
            template = LEARNED_PRODUCT
        return template[0 if first else 1].format(text) if template else None


def _weight(layer: Node) -> str:
    """Return what stands in a learned layer without activation: its weight, if it is one."""
    if len(layer.arguments) > 1:
        return SYMBOL[Operation.AFFINE]
    return f"${weight_symbol(layer.attribute, 0)}$"


TERMINALS = frozenset({Operation.INPUT, Operation.STATE})
WITH: dict[Operation, tuple[str, str]] = {
    Operation.ADD: ("$+{}$", "$+{}$"),
    Operation.SUB: ("${}{{-}}$", "$\\cdot-{}$"),
    Operation.MUL: ("$\\times {}$", "$\\times {}$"),
    Operation.DIV: ("${}{{\\div}}$", "$\\div {}$"),
    Operation.MINIMUM: ("$\\min\\,{}$", "$\\min\\,{}$"),
    Operation.MAXIMUM: ("$\\max\\,{}$", "$\\max\\,{}$"),
    Operation.LESS: ("${}{{<}}$", "$<{}$"),
    Operation.LESS_EQUAL: ("${}{{\\leq}}$", "$\\leq {}$"),
}
"""Operations with a number in them, as the first or the second argument."""
LEARNED_PRODUCT = ("$\\odot\\,{}$", "$\\odot\\,{}$")
"""The product with a learned vector."""


def _factors(term: Node) -> tuple[Node, Node]:
    """Return the learned vector and the value of a product of both."""
    a, b = term.arguments
    return (a, b) if a.operation is Operation.LEARNED else (b, a)


def _activation(node: Node) -> tuple[str, Node, set[Node]] | None:
    """Return the text of an activation, its argument, and the nodes that make it up."""
    if node.operation in ACTIVATIONS:
        return SYMBOL[node.operation], node.arguments[0], {node}
    below = _log_sigmoid(node)
    if below is None:
        return None
    return LOG_SIGMOID, below, _between(node, below)


def _between(node: Node, below: Node) -> set[Node]:
    """Return the operations that make a value of another one."""
    inside = ordered([node], set(ordered([below])))
    return {n for n in inside if n.operation is not Operation.CONSTANT}


def _log_sigmoid(node: Node) -> Node | None:
    """Return v if a node is log_sigmoid(v), else None."""
    return _read(node, language.log_sigmoid, Operation.SUB, Operation.MINIMUM)


def _mean(node: Node) -> Node | None:
    """Return v if a node is mean(v), else None."""
    return _read(node, language.mean, Operation.DIV, Operation.SUM)


def _read(
    node: Node, function: Callable[[Node], Node], last: Operation, first: Operation
) -> Node | None:
    """Return v if a node is function(v), which ends in `last` of `first` of v, else None."""
    if node.operation is not last or node.arguments[0].operation is not first:
        return None
    below = node.arguments[0].arguments[0]
    return below if function(below) is node else None


def name_text(name: str, time: str = "t") -> str:
    """Return a value's name as it stands in the picture."""
    return f"${symbol(name, time)}$"
