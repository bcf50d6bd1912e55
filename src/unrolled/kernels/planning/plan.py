"""The phases of a cell's values: once, for all steps at once, in every step; and its products.

A plan knows no backend. It sorts the values of a graph into phases, and gathers the learned
layers into as few matrix products as their weights allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from operator import itemgetter
from typing import NamedTuple, final

from ...graph.graph import Graph
from ...graph.learned import Layer, Size, Term
from ...graph.node import Node
from ...graph.notation import expression
from ...graph.operation import Operation
from ...locks import cached_property


class Phase(IntEnum):
    """When a value is known."""

    ONCE = 0  # before anything: it depends on learned values and numbers alone
    HOISTED = 1  # for all steps at once: it depends on inputs, not on states
    STEP = 2  # step by step


def leaf_phase(operation: Operation) -> Phase:
    """Return when a leaf is known, by its operation; of other operations the earliest phase."""
    if operation is Operation.STATE:
        return Phase.STEP
    return Phase.HOISTED if operation is Operation.INPUT else Phase.ONCE


class Product(NamedTuple):
    """One matrix product: the rows of a weight with the one value that they read."""

    group: str  # weight_{group}, bias_{group}
    source: Node
    size: Size  # of a block of rows
    widths: tuple[int, ...]  # how many blocks each part has, in order of the rows
    bias: tuple[int | None, ...]  # for each block of rows, its block of the bias


Bank = tuple[Node, ...]
"""Learned layers that stand in adjoining rows of the same products; added up as one."""


@final
class Plan:
    """The order of work for a graph.

    Attributes:
        graph: what is computed.
        products: by group.
        banks: by learned layer, the one in which it is evaluated.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        banks = _banks(graph)
        self.products: Mapping[str, Product] = _products(graph, banks)
        self.banks: Mapping[Node, Bank] = {node: bank for bank in banks for node in bank}

    @cached_property
    def phases(self) -> Mapping[Node, Phase]:
        """When each node is known."""
        phases: dict[Node, Phase] = {}
        for node in self.graph.order:
            known = [phases[argument] for argument in node.arguments]
            phases[node] = max([leaf_phase(node.operation), *known])
        return phases

    def __str__(self) -> str:
        """Return the plan as text: each phase with its products and values."""
        lines = [self.graph.name]
        titles = ("once", "for all steps at once", "in every step")
        for phase, title in zip(Phase, titles, strict=True):
            work = [
                f"    product  weight_{product.group} @ {_source(self.graph, product.source)}"
                for product in self.products.values()
                if self.phases[product.source] == phase
            ]
            for name, node in self.graph.values.items():
                if self.phases[node] == phase:
                    work.append(f"    value    {name} = {expression(node, self.graph.names)}")
            if work:
                lines += [f"  {title}:", *work]
        return "\n".join(lines)


def _source(graph: Graph, node: Node) -> str:
    if node.operation in (Operation.INPUT, Operation.STATE):
        return node.attribute
    return graph.names.get(node) or f"({expression(node, graph.names)})"


def _banks(graph: Graph) -> list[Bank]:
    """Return learned layers with the same groups in adjoining rows, in order of their rows."""
    banks: list[Bank] = []
    for node in sorted(graph.layers, key=lambda node: node.attribute.blocks):
        if banks and _adjoin(banks[-1][-1], node):
            banks[-1] += (node,)
        else:
            banks.append((node,))
    return banks


def _adjoin(a: Node, b: Node) -> bool:
    """Return whether the layer `b` continues the rows of `a` in every weight and bias."""
    first, second = a.attribute, b.attribute
    return first.size == second.size and [
        (block.group, block.row + 1, None if block.bias is None else block.bias + 1)
        for block in first.blocks
    ] == [(block.group, block.row, block.bias) for block in second.blocks]


def _products(graph: Graph, banks: list[Bank]) -> dict[str, Product]:
    """Return for each weight of the graph the product that uses it; every bank is a part.

    A derivative may hold only some layers of the forward step: the rows of the others are parts
    that nothing takes.
    """
    products: dict[str, Product] = {}
    parts = [
        (block, source, bank[0].attribute.size, tuple(n.attribute.blocks[k].bias for n in bank))
        for bank in banks
        for k, (block, source) in enumerate(
            zip(bank[0].attribute.blocks, bank[0].arguments, strict=True)
        )
    ]
    for block, source, size, bias in sorted(parts, key=itemgetter(0)):
        known = products.get(block.group, Product(block.group, source, size, (), ()))
        assert known.source is source, f"weight_{block.group} reads more than one value"
        products[block.group] = _extended(_padded(known, block.row), bias)
    rows = _rows(graph)
    return {group: _padded(product, rows[group]) for group, product in products.items()}


def _padded(product: Product, rows: int) -> Product:
    """Return the product with a part that nothing takes, if one is missing, up to a row."""
    return _extended(product, (None,) * (rows - len(product.bias)))


def _extended(product: Product, bias: tuple[int | None, ...]) -> Product:
    """Return the product with one more part, of as many blocks of rows as blocks of the bias."""
    if not bias:
        return product
    return product._replace(widths=(*product.widths, len(bias)), bias=product.bias + bias)


def _rows(graph: Graph) -> dict[str, int]:
    """Return how many blocks of rows each weight has, with layers that only a gradient names."""
    rows: dict[str, int] = {}
    for node in graph.order:
        layer = node.attribute.layer if isinstance(node.attribute, Term) else node.attribute
        for block in layer.blocks if isinstance(layer, Layer) else ():
            rows[block.group] = max(rows.get(block.group, 0), block.row + 1)
    return rows
