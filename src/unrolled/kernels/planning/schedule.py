"""From a graph to passes over the units of a row: what a kernel does in one step, in what order.

A value that a learned layer reads, or whose units are summed up, must be complete before anything
can follow from it. So a step is a sequence of passes, each over all units of its rows; values that
a later pass needs are kept in memory in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, final

from ...graph.graph import Graph
from ...graph.learned import Block, Size
from ...graph.node import Node
from ...graph.notation import expression
from ...graph.operation import Operation
from ...graph.sizes import UNITS
from ..runtime.abi import Buffer
from .lowering import lowered, uses


class UnsupportedError(Exception):
    """No kernel can be written for this graph; the message says why."""


class Factor(NamedTuple):
    """One matrix of a pass: what it reads, and which rows of which weight it is."""

    source: Node
    group: str  # of weight_{group}
    rows: tuple[int, ...]  # blocks of rows; transposed, all but one sum up to the same value
    size: Size  # of a block of rows
    transposed: bool
    targets: tuple[int, ...] = ()  # the products of the pass that it adds to; transposed, one


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
        self.graph = lowered(graph, given, {**stored, **reduced})
        self.given = {str(buffer): buffer for buffer in given.values()}
        self.stored = {buffer: self.graph.values[str(buffer)] for buffer in stored}
        self.reduced = {buffer: self.graph.values[str(buffer)] for buffer in reduced}
        self.sizes = self.graph.sizes
        self._check()
        self._written = {*self.stored.values(), *(self.graph.values[s] for s in self.graph.states)}
        self._products, inside = self._sums_of_products()
        self.order = [node for node in self.graph.order if node not in inside]
        self.stages: dict[Node, int] = {}
        for node in self.order:
            self.stages[node] = self._stage(node)
        self._postpone()
        self.sums = [node for node in self.order if node.operation is Operation.SUM]
        self.passes = self._passes()
        self.kept = self._kept()

    def __str__(self) -> str:
        """Return the passes as text."""
        count = len(self.passes)
        passes = "pass" if count == 1 else "passes"
        lines = [f"{self.graph.name}: {count} {passes} over the units of a row"]
        kept_nodes = set(self.kept)
        for number, work in enumerate(self.passes):
            lines.append(f"  pass {number}, {UNITS[work.size]} units:")
            for factor in work.factors:
                rows = ", ".join(map(str, factor.rows))
                turned = ", transposed" if factor.transposed else ""
                source = self.describe(factor.source)
                lines.append(f"    product  weight_{factor.group}[{rows}] @ {source}{turned}")
            for node in work.nodes:
                if name := self.graph.names.get(node):
                    lines.append(f"    value    {name}")
            kept = [node for node in (*work.products, *work.nodes) if node in kept_nodes]
            lines += [f"    keeps    {self.describe(node)}" for node in kept]
        return "\n".join(lines)

    def describe(self, node: Node) -> str:
        """Return a value as text: the name under which it is stored, or its equation."""
        return self.graph.names.get(node) or expression(node, self.graph.names)

    def _check(self) -> None:
        for name, size in self.graph.states.items():
            if size == "one":
                raise UnsupportedError(f"the state {name} is one number for all units")
        if any(_reads_one(self.graph, node) for node in self.graph.order):
            raise UnsupportedError(READS_ONE)

    def _sums_of_products(self) -> tuple[dict[Node, tuple[Factor, ...]], set[Node]]:
        """Return the matrices of each sum of products, and the nodes inside of such a sum."""
        count = uses(self.graph.values)
        products: dict[Node, tuple[Factor, ...]] = {}
        inside: set[Node] = set()
        for node in self.graph.order:
            if node.operation is Operation.AFFINE:
                products[node] = tuple(
                    Factor(source, block.group, (block.row,), node.attribute.size, False)
                    for source, block in zip(node.arguments, _blocks(node), strict=True)
                )
            elif node.operation is Operation.TRANSPOSED:
                layer, index = node.attribute
                block, (source,) = layer.blocks[index], node.arguments
                products[node] = (Factor(source, block.group, (block.row,), layer.size, True),)
            elif node.operation is Operation.ADD and all(
                a in products and not _blocks(a) and count[a] == 1 for a in node.arguments
            ):
                a, b = node.arguments
                products[node] = products.pop(a) + products.pop(b)
                inside.update(node.arguments)
        return products, inside

    def is_product(self, node: Node) -> bool:
        """Return whether a node is computed as a sum of matrix products."""
        return node in self._products

    def sources(self, node: Node) -> tuple[Node, ...]:
        """Return what a node is computed from: of a sum of products, what its matrices read."""
        factors = self._products.get(node)
        return node.arguments if factors is None else tuple(f.source for f in factors)

    def _waits(self, node: Node) -> bool:
        """Return whether what a node is computed from has to be complete."""
        return self.is_product(node) or node.operation is Operation.SUM

    def _stage(self, node: Node) -> int:
        if self.is_product(node):
            return max(self.stages[s] + bool(s.arguments) for s in self.sources(node))
        stages = [self.stages[argument] for argument in node.arguments]
        return max(stages, default=0) + (node.operation is Operation.SUM)

    def _postpone(self) -> None:
        """Move values to the pass that reads them where nothing more has to be kept for it.

        Of z and 1 - z, both read in a later pass, only z is then kept.
        """
        latest: dict[Node, int] = {}
        roots = self._written.union(self.reduced.values())
        for node in reversed(self.order):
            waits = self._waits(node)
            moves = bool(node.arguments) and not waits and node not in roots
            wide = [a for a in node.arguments if a.arguments and self.sizes[a] != "one"]
            if moves and len(wide) < 2 and self.sizes[node] != "one":
                self.stages[node] = latest.get(node, self.stages[node])
            stage = self.stages[node] - waits
            for source in self.sources(node):
                latest[source] = min(stage, latest.get(source, stage))

    def home(self, node: Node) -> tuple[int, Size]:
        """Return the pass in which a value is computed."""
        return self.stages[node], self.sizes[node]

    def _passes(self) -> tuple[Pass, ...]:
        """Return all passes; a leaf that is stored or summed up has its place in the first one."""
        used = {*map(summand, (*self.reduced.values(), *self.sums)), *self._written}
        homes: dict[tuple[int, Size], list[Node]] = {self.home(node): [] for node in used}
        for node in self.order:
            if self.sizes[node] != "one" and node.arguments:
                homes.setdefault(self.home(node), []).append(node)
        return tuple(self._pass(*home, homes[home]) for home in sorted(homes))

    def _pass(self, stage: int, size: Size, nodes: list[Node]) -> Pass:
        """Return a pass; its products are in the order of the rows of their weights."""
        products = sorted(
            filter(self.is_product, nodes),
            key=lambda product: [block.row for block in _blocks(product)],
        )
        factors: dict[Factor, Factor] = {}  # rows of one weight that read one value are one matrix
        for target, node in enumerate(products):
            for factor in self._products[node]:
                key = factor if factor.transposed else factor._replace(rows=())
                known = factors.get(key, factor._replace(rows=()))
                factors[key] = known._replace(
                    rows=known.rows + factor.rows, targets=(*known.targets, target)
                )
        biases = tuple(
            tuple((b.group, b.bias) for b in _blocks(product) if b.bias is not None)
            for product in products
        )
        rest = tuple(node for node in nodes if not self.is_product(node))
        return Pass(stage, size, tuple(products), tuple(factors.values()), biases, rest)

    def _kept(self) -> list[Node]:
        """Return values that another pass than their own reads, or a matrix product."""
        kept = {
            source: None
            for node in self.order
            for source in self.sources(node)
            if source.arguments and self.sizes[source] != "one"
            # a sum is made while its argument is
            if self.is_product(node) or self.home(summand(node)) != self.home(source)
        }
        return [node for node in kept if node not in self._written]


READS_ONE = "a learned layer of the loop reads one number for all units"


def _reads_one(graph: Graph, node: Node) -> bool:
    """Return whether a node is a matrix product with one number for all units."""
    is_product = node.operation in (Operation.AFFINE, Operation.TRANSPOSED)
    return is_product and any(graph.sizes[argument] == "one" for argument in node.arguments)


def unsupported(graph: Graph) -> dict[str, str]:
    """Return the values that no kernel can store though it has one for the states, and why."""
    reads: set[Node] = set()
    for node in graph.order:
        if _reads_one(graph, node) or not reads.isdisjoint(node.arguments):
            reads.add(node)
    return {name: READS_ONE for name, node in graph.probes.items() if node in reads}


def summand(node: Node) -> Node:
    """Return what is added up, over units or over rows and steps; of both, over units last."""
    return node.arguments[0] if node.operation is Operation.SUM else node


def _blocks(product: Node) -> tuple[Block, ...]:
    """Return the rows of a learned layer; of transposed products none."""
    return product.attribute.blocks if product.operation is Operation.AFFINE else ()
