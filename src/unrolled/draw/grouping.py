"""The parts of a graph that are drawn as one: which nodes a box or circle takes in.

A learned layer takes in what is linear and learned together with its activation:
``sigmoid(layer_norm(affine(x, h) + p * c))`` is one box. A number is written into the operation
that uses it, under the name that the author gave it: ``1 - z`` is a circle with ``1-``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, final

from ..equations import language
from ..graph.node import Node
from ..graph.notation import Composite, log_sigmoid
from ..graph.operation import ACTIVATIONS, LEAVES, Operation
from ..printing.latex import decimal, learned_symbol, number
from .symbols import LEARNED_PRODUCT, LOG_SIGMOID, MARKS, MEAN, SYMBOL, WITH

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from ..graph.graph import Graph

Role = Literal["layer", "operation", "learned", "constant", "input", "state", "next", "join"]
"""A learned layer or an operation; a leaf; a terminal; the place where lines join."""

TERMINALS = frozenset({Operation.INPUT, Operation.STATE})
MIXING = frozenset({Operation.NORMALIZE, Operation.SUM})
"""Operations that are not pointwise: each unit of the result depends on all units."""


class Part(NamedTuple):
    """One element as far as the graph says: which nodes it takes in and what it reads."""

    role: Role
    text: str
    nodes: tuple[Node, ...]
    bundle: tuple[Node, ...]  # sources that join before the box
    reads: tuple[tuple[Node, str], ...]  # further sources, each with the mark at its end
    ports: tuple[Node, ...] = ()  # products of a learned vector and a source, taken in
    mixes: bool = False  # whether each unit of its value depends on all units that it reads


@final
class Grouping:
    """The parts of a graph.

    Args:
        graph: of a cell.
        kept: nodes that no other part takes in: those with names, and next values of states.
    """

    def __init__(self, graph: Graph, kept: Set[Node]) -> None:
        self.graph = graph
        self.kept = kept
        self.numbers: Mapping[tuple[Node, int], Node] = graph.written.numbers
        self.users: dict[Node, set[Node]] = {}
        for node in graph.order:
            for argument in node.arguments:
                self.users.setdefault(argument, set()).add(node)

    def number(self, node: Node, user: Node | None, within: bool = False) -> str:
        """Return a number, or what its author wrote where `user` reads it; in brackets if it is a
        sum `within` an operation.
        """
        if user is not None:
            for place, argument in enumerate(user.arguments):
                scalar = self.numbers.get((user, place)) if argument is node else None
                if scalar is not None:
                    return number(scalar, within)
        return decimal(node.attribute)

    def parts(self) -> dict[Node, Part]:
        """Return the nodes that are drawn, with what they take in; users first take in what they
        can.
        """
        taken: set[Node] = set()
        parts: dict[Node, Part] = {}
        for node in reversed(self.graph.order):
            if node in taken or node.operation in LEAVES:
                continue
            part = self._layer(node) or self._composite(node) or self._operation(node)
            parts[node] = part
            taken.update(part.nodes)
            for product in part.ports:
                taken |= {product, factors(product)[0]}
        return parts

    def _in_order(self, nodes: set[Node]) -> tuple[Node, ...]:
        return tuple(node for node in self.graph.order if node in nodes)

    def _free(self, node: Node, cover: set[Node]) -> bool:
        """Return whether nothing outside `cover` needs a node, so that it can be taken in."""
        return node not in self.kept and self.users.get(node, set()) <= cover

    def _layer(self, node: Node) -> Part | None:
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
        read = {factors(term)[1]: None for term in diagonal}
        several = len(read) != len(diagonal) or len(read) > 2
        if several or any(s is a for s in read for a in cores[0].arguments):
            return None
        cover.add(cores[0])
        if texts in ([], [SYMBOL[Operation.NORMALIZE]]):  # a norm alone has no weights before it
            texts.append(SYMBOL[Operation.AFFINE])
        text = "\n".join(reversed(texts))
        taken = self._in_order(cover - set(diagonal))
        return Part("layer", text, taken, cores[0].arguments, (), tuple(diagonal))

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

    def _composite(self, node: Node) -> Part | None:
        """Return an operation that is written as several: layer norm, log sigmoid, mean."""
        norm = self._norm(node, {node})
        if norm is not None and norm[0].operation not in LEAVES - TERMINALS:
            nodes = self._in_order(norm[1])
            text = SYMBOL[Operation.NORMALIZE]
            return Part("learned", text, nodes, (), ((norm[0], ""),), mixes=True)
        for text, found in ((LOG_SIGMOID, log_sigmoid(node)), (MEAN, _mean(node))):
            if found is None or found.value.operation in LEAVES - TERMINALS:
                continue
            inside = set(found.parts)
            if all(self._free(n, inside) for n in inside - {node}):
                nodes = self._in_order(inside)
                reads = ((found.value, ""),)
                return Part("operation", text, nodes, (), reads, mixes=text == MEAN)
        return None

    def _operation(self, node: Node) -> Part:
        """Return a single operation, with its own number or learned vector written into it."""
        if node.operation is Operation.AFFINE:
            return Part("layer", SYMBOL[Operation.AFFINE], (node,), node.arguments, ())
        arguments = node.arguments
        if len(arguments) == 2:
            a, b = arguments
            if a is b and node.operation is Operation.MUL:
                return Part("operation", "$\\cdot^2$", (node,), (), ((a, ""),))
            for own, other in ((a, b), (b, a)):
                text = self._written(node, own, other)
                if text is not None:
                    learned = own.operation is Operation.LEARNED
                    nodes = (own, node) if learned else (node,)
                    role = "learned" if learned else "operation"
                    return Part(role, text, nodes, (), ((other, ""),))
        marks = MARKS.get(node.operation, ("",) * len(arguments))
        reads = tuple(zip(arguments, marks, strict=True))
        mixes = node.operation in MIXING
        return Part("operation", SYMBOL[node.operation], (node,), (), reads, mixes=mixes)

    def _written(self, node: Node, own: Node, other: Node) -> str | None:
        """Return the operation as a text with `own` in it, None if `own` is an element."""
        if own is other or other.operation is Operation.CONSTANT:
            return None
        if own.operation is Operation.CONSTANT:
            text = _flat(self.number(own, node, within=True))
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


def factors(term: Node) -> tuple[Node, Node]:
    """Return the learned vector and the value of a product of both."""
    a, b = term.arguments
    return (a, b) if a.operation is Operation.LEARNED else (b, a)


def _activation(node: Node) -> tuple[str, Node, set[Node]] | None:
    """Return the text of an activation, its argument, and the nodes that make it up."""
    if node.operation in ACTIVATIONS:
        return SYMBOL[node.operation], node.arguments[0], {node}
    found = log_sigmoid(node)
    return None if found is None else (LOG_SIGMOID, found.value, set(found.parts))


def _mean(node: Node) -> Composite | None:
    """Return v and what makes mean(v) of it if a node is that, else None."""
    if node.operation is not Operation.DIV or node.arguments[0].operation is not Operation.SUM:
        return None
    (below,) = node.arguments[0].arguments
    return Composite(below, (node, *node.arguments)) if language.mean(below) is node else None


def _flat(text: str) -> str:
    """Return a number with fractions of single names in one line: a pill has room for one.

    >>> _flat("\\\\frac{\\\\mathrm{dt}}{\\\\tau}"), _flat("\\\\frac{1 - a}{b}")
    ('\\\\mathrm{dt}/\\\\tau', '\\\\frac{1 - a}{b}')
    """
    name = r"((?:\\mathrm\{[^{}]*\}|[^{} ])+)"
    return re.sub(rf"\\frac\{{{name}\}}\{{{name}\}}", r"\1/\2", text)
