"""How a step is computed over time: what runs once, what runs for all steps at once, what loops.

A plan knows no backend. It sorts the values of a graph into phases, and gathers the learned
layers into as few matrix products as their weights allow.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, final

from ...graph.learned import Layer, Term
from ...graph.operation import Operation
from ...locks import cached_property

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...graph.graph import Graph
    from ...graph.learned import Size
    from ...graph.node import Node


class Phase(IntEnum):
    """When a value is known."""

    ONCE = 0  # before anything: it depends on learned values and numbers alone
    HOISTED = 1  # for all steps at once: it depends on inputs, not on states
    STEP = 2  # step by step


class Product(NamedTuple):
    """One matrix product: the rows of a weight with the one value that they read."""

    group: str  # weight_{group}, bias_{group}
    source: Node
    size: Size  # of a block of rows
    widths: tuple[int, ...]  # how many blocks each part has, in order of the rows
    bias: tuple[int | None, ...]  # for each block of rows, its block of the bias


class Bank(NamedTuple):
    """Learned layers that stand in adjoining rows of the same products; added up as one."""

    layers: tuple[Node, ...]
    parts: tuple[tuple[str, int], ...]  # (group, which part of that group's product)


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
        runs = _runs(graph)
        self.products: Mapping[str, Product] = _products(graph, runs)
        banks = _banks(runs, self.products)
        self.banks: Mapping[Node, Bank] = {node: bank for bank in banks for node in bank.layers}

    @cached_property
    def phases(self) -> Mapping[Node, Phase]:
        """When each node is known."""
        leaf = {Operation.INPUT: Phase.HOISTED, Operation.STATE: Phase.STEP}
        phases: dict[Node, Phase] = {}
        for node in self.graph.order:
            known = [phases[argument] for argument in node.arguments]
            phases[node] = max([leaf.get(node.operation, Phase.ONCE), *known])
        return phases

    def __str__(self) -> str:
        """The plan as text: each phase with its products and values."""
        from ...graph.notation import expression

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
    from ...graph.notation import expression

    if node.operation in (Operation.INPUT, Operation.STATE):
        return node.attribute
    return graph.names.get(node) or f"({expression(node, graph.names)})"


def _runs(graph: Graph) -> list[list[Node]]:
    """Learned layers with the same groups in adjoining rows, in order of their rows."""
    runs: list[list[Node]] = []
    for node in sorted(graph.layers, key=lambda node: node.attribute.blocks):
        if runs and _adjoin(runs[-1][-1], node):
            runs[-1].append(node)
        else:
            runs.append([node])
    return runs


def _adjoin(a: Node, b: Node) -> bool:
    """Whether the layer `b` continues the rows of the layer `a` in every weight and bias."""
    first, second = a.attribute, b.attribute
    return first.size == second.size and [
        (block.group, block.row + 1, None if block.bias is None else block.bias + 1)
        for block in first.blocks
    ] == [(block.group, block.row, block.bias) for block in second.blocks]


def _products(graph: Graph, runs: list[list[Node]]) -> dict[str, Product]:
    """For each weight of the graph, the product that uses it; every run of rows is a part.

    A derivative may hold only some layers of the forward step: the rows of the others are parts
    that nothing takes.
    """
    products: dict[str, Product] = {}
    parts = [
        (block, [node.attribute.blocks[index] for node in run], run[0])
        for run in runs
        for index, block in enumerate(run[0].attribute.blocks)
    ]
    for first, blocks, node in sorted(parts, key=lambda part: part[0]):
        source = node.arguments[node.attribute.blocks.index(first)]
        new = Product(first.group, source, node.attribute.size, (), ())
        known = products.get(first.group, new)
        assert known.source is source, f"weight_{first.group} reads more than one value"
        known = _padded(known, first.row)
        products[first.group] = known._replace(
            widths=(*known.widths, len(blocks)),
            bias=known.bias + tuple(block.bias for block in blocks),
        )
    rows = _rows(graph)
    return {group: _padded(product, rows[group]) for group, product in products.items()}


def _padded(product: Product, rows: int) -> Product:
    """The product with a part, if one is missing, up to a row."""
    gap = rows - len(product.bias)
    if not gap:
        return product
    return product._replace(widths=(*product.widths, gap), bias=product.bias + (None,) * gap)


def _rows(graph: Graph) -> dict[str, int]:
    """How many blocks of rows each weight has, counting layers that only a gradient mentions."""
    rows: dict[str, int] = {}
    for node in graph.order:
        layer = node.attribute.layer if isinstance(node.attribute, Term) else node.attribute
        for block in layer.blocks if isinstance(layer, Layer) else ():
            rows[block.group] = max(rows.get(block.group, 0), block.row + 1)
    return rows


def _banks(runs: list[list[Node]], products: Mapping[str, Product]) -> tuple[Bank, ...]:
    """Each run of layers, with the parts of the products that it adds up."""
    return tuple(
        Bank(
            tuple(run),
            tuple(
                (block.group, _part(products[block.group], block.row))
                for block in run[0].attribute.blocks
            ),
        )
        for run in runs
    )


def _part(product: Product, row: int) -> int:
    """Which part of a product begins at a row."""
    return [sum(product.widths[:part]) for part in range(len(product.widths))].index(row)
