"""From a graph to passes over the units of a row: what a kernel does in one step, in what order.

A value that a learned layer reads, or whose units are summed up, must be complete before anything
can follow from it. So a step is a sequence of passes, each over all units of its rows; values that
a later pass needs are kept in memory in between.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, final

from ...graph.graph import Graph
from ...graph.learned import Layer, Size, Term
from ...graph.node import Node, ordered
from ...graph.notation import expression
from ...graph.operation import Operation
from ...graph.sizes import UNITS
from ..runtime.abi import Buffer


class UnsupportedError(Exception):
    """No kernel can be written for this graph; the message says why."""


class Factor(NamedTuple):
    """One matrix of a pass: what it reads, and which rows of which weight it is."""

    source: Node
    group: str  # of weight_{group}
    rows: tuple[int, ...]  # blocks of rows; transposed, all but one sum up to the same value
    size: Size  # of a block of rows
    transposed: bool
    targets: tuple[int, ...]  # the products of the pass that it adds to; transposed, one


class Pass(NamedTuple):
    """One run over the units of some rows."""

    stage: int
    size: Size
    products: tuple[Node, ...]  # computed as sums of matrix products
    factors: tuple[Factor, ...]
    biases: tuple[tuple[tuple[str, int], ...], ...]  # of each product: (group, block of rows), ...
    nodes: tuple[Node, ...]  # computed from them, unit by unit


@final
class Schedule:
    """The passes of one step.

    Args:
        graph: of the loop.
        given: values that are read from memory instead of computed, and from which buffer.
        stored: values that are written to memory in every step, by buffer.
        reduced: values that are summed up over rows and steps, by buffer.

    Attributes:
        graph: the graph with `given` as inputs and composite operations taken apart.
        given: the buffers of inputs of the graph that are not the cell's, by the input's name.
        passes: in order.
        kept: values that a later pass reads from memory and that are stored nowhere else.
        sums: sums over units.
    """

    def __init__(
        self,
        graph: Graph,
        given: Mapping[Node, Buffer],
        stored: Mapping[Buffer, Node],
        reduced: Mapping[Buffer, Node],
    ) -> None:
        self.graph = _lowered(graph, given, {**stored, **reduced})
        self.given = {str(buffer): buffer for buffer in given.values()}
        self.stored = {buffer: self.graph.values[str(buffer)] for buffer in stored}
        self.reduced = {buffer: self.graph.values[str(buffer)] for buffer in reduced}
        self.sizes = self.graph.sizes
        self._check()
        self.parts, inside = self._sums_of_products()
        self.order = [node for node in self.graph.order if node not in inside]
        self.stages: dict[Node, int] = {}
        for node in self.order:
            self.stages[node] = self._stage(node)
        self._postpone()
        self.passes = self._passes()
        self.sums = [node for node in self.order if node.operation is Operation.SUM]
        self.kept = self._kept()

    def __str__(self) -> str:
        """The passes as text."""
        lines = [f"{self.graph.name}: {len(self.passes)} passes over the units of a row"]
        kept_nodes = set(self.kept)
        for number, work in enumerate(self.passes):
            lines.append(f"  pass {number}, {UNITS[work.size]} units:")
            for factor in work.factors:
                rows = ", ".join(map(str, factor.rows))
                turned = ", transposed" if factor.transposed else ""
                source = self.describe(factor.source)
                lines.append(f"    product  weight_{factor.group}[{rows}] @ {source}{turned}")
            for node in work.nodes:
                if name := self.name(node):
                    lines.append(f"    value    {name}")
            kept = [node for node in (*work.products, *work.nodes) if node in kept_nodes]
            lines += [f"    keeps    {self.describe(node)}" for node in kept]
        return "\n".join(lines)

    def name(self, node: Node) -> str | None:
        """The name under which a value is stored."""
        return self.graph.names.get(node)

    def describe(self, node: Node) -> str:
        """A value as text: its name, or its equation."""
        return self.name(node) or expression(node, self.graph.names)

    def _check(self) -> None:
        for name, size in self.graph.states.items():
            if size == "one":
                raise UnsupportedError(f"the state {name} is one number for all units")
        if any(_reads_one(self.graph, node) for node in self.graph.order):
            raise UnsupportedError(READS_ONE)

    def _sums_of_products(self) -> tuple[dict[Node, tuple[Node, ...]], set[Node]]:
        """For each sum of transposed products, the products; and the nodes inside such a sum."""
        uses = _uses(self.graph)
        parts: dict[Node, tuple[Node, ...]] = {}
        inside: set[Node] = set()
        for node in self.graph.order:
            if node.operation is Operation.TRANSPOSED:
                parts[node] = (node,)
            elif node.operation is Operation.ADD and all(
                argument in parts and uses[argument] == 1 for argument in node.arguments
            ):
                a, b = node.arguments
                parts[node] = parts.pop(a) + parts.pop(b)
                inside.update(node.arguments)
        return parts, inside

    def sources(self, node: Node) -> tuple[Node, ...]:
        """What the matrix products of a node read."""
        if node in self.parts:
            return tuple(part.arguments[0] for part in self.parts[node])
        return node.arguments

    def is_product(self, node: Node) -> bool:
        """Whether a node is computed as a sum of matrix products."""
        return node in self.parts or node.operation is Operation.AFFINE

    def _stage(self, node: Node) -> int:
        leaf = (Operation.INPUT, Operation.STATE)
        if self.is_product(node):
            return max(
                0 if source.operation in leaf else self.stages[source] + 1
                for source in self.sources(node)
            )
        stages = [self.stages[argument] for argument in node.arguments]
        return max(stages, default=0) + (node.operation is Operation.SUM)

    def _postpone(self) -> None:
        """Move values to the pass that reads them where nothing more has to be kept for it.

        Of z and 1 - z, both read in a later pass, only z is then kept.
        """
        latest: dict[Node, int] = {}
        roots = {*self.stored.values(), *self.reduced.values()}
        roots.update(self.graph.values[state] for state in self.graph.states)
        for node in reversed(self.order):
            fixed = self.is_product(node) or node.operation is Operation.SUM or node in roots
            fixed = fixed or not node.arguments
            wide = [a for a in node.arguments if a.arguments and self.sizes[a] != "one"]
            if not fixed and len(wide) < 2 and self.sizes[node] != "one":
                self.stages[node] = latest.get(node, self.stages[node])
            stage = self.stages[node]
            if self.is_product(node) or node.operation is Operation.SUM:
                stage -= 1
            for argument in self.sources(node) if self.is_product(node) else node.arguments:
                latest[argument] = min(stage, latest.get(argument, stage))

    def home(self, node: Node) -> tuple[int, Size]:
        """The pass in which a value is computed."""
        return self.stages[node], self.sizes[node]

    def _passes(self) -> tuple[Pass, ...]:
        """All passes; a leaf that is stored or summed up has its place in the first one."""
        sums = [node for node in self.order if node.operation is Operation.SUM]
        used = [summand(node) for node in (*self.reduced.values(), *sums)]
        used += [*self.stored.values(), *(self.graph.values[s] for s in self.graph.states)]
        homes: dict[tuple[int, Size], list[Node]] = {self.home(node): [] for node in used}
        for node in self.order:
            if self.sizes[node] != "one" and node.arguments:
                homes.setdefault(self.home(node), []).append(node)
        return tuple(
            self._pass(stage, size, homes[stage, size])
            for stage, size in sorted(homes, key=lambda home: (home[0], home[1]))
        )

    def _pass(self, stage: int, size: Size, nodes: list[Node]) -> Pass:
        products = tuple(sorted(filter(self.is_product, nodes), key=_rows))
        factors: list[Factor] = []
        for target, node in enumerate(products):
            for factor in self._factors(node, target):
                _join(factors, factor)
        biases = tuple(
            tuple(
                (block.group, block.bias)
                for block in getattr(node.attribute, "blocks", ())
                if block.bias is not None and node not in self.parts
            )
            for node in products
        )
        rest = tuple(node for node in nodes if not self.is_product(node))
        return Pass(stage, size, products, tuple(factors), biases, rest)

    def _factors(self, node: Node, target: int) -> Iterable[Factor]:
        if node in self.parts:
            for part in self.parts[node]:
                term: Term = part.attribute
                block = term.layer.blocks[term.source]
                (source,) = part.arguments
                yield Factor(source, block.group, (block.row,), term.layer.size, True, (target,))
            return
        for source, block in zip(node.arguments, node.attribute.blocks, strict=True):
            yield Factor(source, block.group, (block.row,), node.attribute.size, False, (target,))

    def _kept(self) -> list[Node]:
        """Values that are read in another pass than their own, or by a matrix product."""
        kept: dict[Node, None] = {}
        for node in self.order:
            arguments = self.sources(node) if self.is_product(node) else node.arguments
            for argument in arguments:
                if not argument.arguments or self.sizes[argument] == "one":
                    continue
                if self.is_product(node) or self._reader(node) != self.home(argument):
                    kept[argument] = None
        elsewhere = {*self.stored.values(), *(self.graph.values[s] for s in self.graph.states)}
        return [node for node in kept if node not in elsewhere]

    def _reader(self, node: Node) -> tuple[int, Size]:
        """The pass that reads a node's arguments: a sum is made while its argument is."""
        if node.operation is Operation.SUM:
            return self.home(node.arguments[0])
        return self.home(node)


READS_ONE = "a learned layer of the loop reads one number for all units"


def _reads_one(graph: Graph, node: Node) -> bool:
    """Whether a node is a matrix product with one number for all units."""
    is_product = node.operation in (Operation.AFFINE, Operation.TRANSPOSED)
    return is_product and any(graph.sizes[argument] == "one" for argument in node.arguments)


def unsupported(graph: Graph) -> dict[str, str]:
    """The values of a graph that no kernel can store though it has one for the states, and why."""
    reads: set[Node] = set()
    for node in graph.order:
        if _reads_one(graph, node) or not reads.isdisjoint(node.arguments):
            reads.add(node)
    return {name: READS_ONE for name, node in graph.probes.items() if node in reads}


def summand(node: Node) -> Node:
    """What is added up, over units or over rows and steps; of both, over units last."""
    return node.arguments[0] if node.operation is Operation.SUM else node


def _rows(product: Node) -> tuple[int, ...]:
    """The rows of a learned layer, to take its products in the order of their weights."""
    layer = product.attribute
    return tuple(block.row for block in layer.blocks) if isinstance(layer, Layer) else ()


def _join(factors: list[Factor], factor: Factor) -> None:
    """Add a matrix to those of a pass: rows of one weight that read one value are one matrix."""
    for place, known in enumerate(factors):
        same = known.source is factor.source and known.group == factor.group
        if same and not factor.transposed and known.size == factor.size:
            factors[place] = known._replace(
                rows=known.rows + factor.rows, targets=known.targets + factor.targets
            )
            return
    factors.append(factor)


def _uses(graph: Graph) -> dict[Node, int]:
    uses = dict.fromkeys(graph.order, 0)
    for node in graph.order:
        for argument in node.arguments:
            uses[argument] += 1
    for node in graph.values.values():
        uses[node] += 1
    return uses


def _lowered(graph: Graph, given: Mapping[Node, Buffer], written: Mapping[Buffer, Node]) -> Graph:
    """The part of the graph that a kernel computes, in operations that a kernel knows."""
    roots = {s: graph.values[s] for s in graph.states}
    roots |= {str(buffer): node for buffer, node in written.items()}
    inputs = dict(graph.inputs)
    new: dict[Node, Node] = {}
    for node in _below(list(roots.values()), given):
        if node in given:
            inputs[str(given[node])] = graph.sizes[node]
            new[node] = Node(Operation.INPUT, (), str(given[node]))
            continue
        if node.operation is Operation.BROADCAST and graph.sizes[node] != "one":
            like = Node(Operation.INPUT, (), f"any {graph.sizes[node]}")  # read by nothing
            inputs[like.attribute] = graph.sizes[node]
            new[node] = Node(Operation.BROADCAST, (new[node.arguments[0]], like))
            continue
        if node.arguments and _is_itself(node, graph):
            new[node] = new[node.arguments[0]]
            continue
        arguments = tuple(new[argument] for argument in node.arguments)
        rebuilt = Node(node.operation, arguments, node.attribute)
        new[node] = _taken_apart(rebuilt, graph.sizes[node])
    lowered = {name: new[node] for name, node in roots.items()}
    return Graph(graph.name, inputs, graph.states, _gathered(lowered), graph.backward)


def _is_itself(node: Node, graph: Graph) -> bool:
    """Whether a value is its argument: the sum of one number, one number spread over one unit."""
    over_units = node.operation in (Operation.SUM, Operation.BROADCAST)
    return over_units and graph.sizes[node.arguments[0]] == graph.sizes[node] == "one"


def _below(roots: list[Node], given: Mapping[Node, Buffer]) -> list[Node]:
    """The nodes below `roots`, arguments first, that are needed when some are given."""
    order: dict[Node, None] = {}
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order[node] = None
        elif node not in order:
            spread = node.operation is Operation.BROADCAST  # what it is like has no part in it
            arguments = node.arguments[:1] if spread else node.arguments
            stack.append((node, True))
            stack += [(argument, False) for argument in reversed(arguments) if node not in given]
    return list(order)


def _taken_apart(node: Node, size: Size) -> Node:
    """Normalisation as sums over units."""
    if node.operation is not Operation.NORMALIZE:
        return node
    (a,) = node.arguments

    def mean(value: Node) -> Node:
        if size == "one":
            return value
        return Node(Operation.SUM, (value,)) / Node(Operation.DIMENSION, (a,))

    centred = a - mean(a)
    variance = mean(centred * centred)
    return centred / Node(Operation.SQRT, (variance + node.attribute,))


def _gathered(values: Mapping[str, Node]) -> dict[str, Node]:
    """Sums with their transposed products moved together, so that they are added up as one."""

    order = ordered(list(values.values()))
    uses = Counter(argument for node in order for argument in node.arguments)
    uses.update(values.values())
    new: dict[Node, Node] = {}
    terms: dict[Node, list[Node]] = {}  # of sums
    for node in order:
        arguments = tuple(new[argument] for argument in node.arguments)
        new[node] = Node(node.operation, arguments, node.attribute)
        if node.operation is Operation.ADD:
            terms[node] = [
                term
                for argument in node.arguments
                for term in (terms.get(argument) if uses[argument] == 1 else None)
                or [new[argument]]
            ]
            if sum(map(_is_transposed, terms[node])) > 1:
                new[node] = _products_first(terms[node])
    return {name: new[node] for name, node in values.items()}


def _is_transposed(node: Node) -> bool:
    return node.operation is Operation.TRANSPOSED


def _products_first(terms: list[Node]) -> Node:
    """The sum of some terms, those that are transposed products before the others."""
    total, *others = sorted(terms, key=_is_transposed, reverse=True)
    for term in others:
        total = total + term
    return total
