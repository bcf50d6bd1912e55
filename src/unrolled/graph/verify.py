"""Verification of graphs: what every consumer of equations relies on, wherever they come from.

A cell passes `check_cell` when it is made, from a function or from a file; a graph that is read
passes `check_graph`, and `check_step` unless it is a derivative.
"""

from __future__ import annotations

import keyword
import unicodedata
from typing import TYPE_CHECKING

from ..errors import CellError
from . import limits
from .graph import Graph
from .learned import Layer, Learned, Term
from .node import Node
from .operation import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .learned import Block

ONLY_IN_DERIVATIVES = frozenset({Operation.BROADCAST, Operation.TRANSPOSED, Operation.OUTER})

ANONYMOUS = "<lambda>"
"""The name of a cell whose function has none."""


def check_graph(graph: Graph) -> None:
    """Raise CellError unless numbers are finite and each weight reads one value by blocks of rows.

    Every graph of this library passes: cells, their variants, parts and derivatives.
    """
    limits.check_count(graph.name, "nodes", len(graph.order), limits.STORED_NODES)
    for node in graph.order:
        _check_numbers(graph, node)
    sources: dict[str, Node] = {}
    heights: dict[str, str] = {}
    seen: set[tuple[str, int | None]] = set()
    for layer, source, block in _blocks(graph):
        group, size = block.group, layer.attribute.size
        if sources.setdefault(group, source) is not source:
            raise CellError(f"{graph.name}: weight_{group} reads more than one value")
        if block.size != graph.sizes[source]:
            raise CellError(f"{graph.name}: weight_{group} has other columns than what it reads")
        if size not in ("hidden", "projection"):
            raise CellError(f"{graph.name}: a learned layer has H or P units, not those of {size}")
        if heights.setdefault(group, size) != size:
            raise CellError(f"{graph.name}: weight_{group} serves layers of two sizes")
        for name, row in ((f"weight_{group}", block.row), (f"bias_{group}", block.bias)):
            if row is not None and (name, row) in seen:
                raise CellError(f"{graph.name}: {name} has rows twice: block {row}")
            seen.add((name, row))
    for node in graph.order:  # layers included that only a gradient mentions
        layer = node.attribute.layer if isinstance(node.attribute, Term) else node.attribute
        for block in layer.blocks if isinstance(layer, Layer) else ():
            if max(block.row, block.bias or 0) >= limits.SOURCES:
                raise CellError(
                    f"{graph.name}: weight_{block.group} has no block of rows {block.row}: "
                    f"a weight has at most {limits.SOURCES:,}"
                )


def check_step(graph: Graph) -> None:
    """Raise CellError unless a graph is a step forward that owns all rows of its weights."""
    for node in graph.order:
        if node.operation in ONLY_IN_DERIVATIVES:
            raise CellError(f"{graph.name}: {node.operation.value} has its place in derivatives")
    rows: dict[str, list[Block]] = {}
    for layer, _, block in _blocks(graph):
        _check_kind(graph, layer.attribute, block)
        rows.setdefault(block.group, []).append(block)
    arrays = [node.attribute.name for node in graph.learned]
    for group, blocks in rows.items():
        blocks.sort(key=lambda block: block.row)
        biases = [block.bias for block in blocks if block.bias is not None]
        _check_dense(graph, f"weight_{group}", [block.row for block in blocks])
        _check_dense(graph, f"bias_{group}", biases)
        arrays += [f"weight_{group}", *([f"bias_{group}"] if biases else [])]
    _check_unique(graph, arrays, "learned arrays")
    _check_unique(graph, _printed_names(graph), "learned parts")


def check_cell(graph: Graph) -> None:
    """Raise CellError unless a graph is what tracing makes: a step of one input, within limits."""
    _check_head(graph)
    for name in (*graph.inputs, *graph.values, *_printed_names(graph)):
        _check_name(graph, name)
    widths = [len(layer.arguments) for layer in graph.layers]
    for what, count, most in (
        ("nodes", len(graph.order), limits.NODES),
        ("named values", len(graph.values), limits.VALUES),
        ("states", len(graph.states), limits.STATES),
        ("sources of learned layers", sum(widths), limits.SOURCES),
        ("sources of one learned layer", max(widths, default=0), limits.WIDTH),
    ):
        limits.check_count(graph.name, what, count, most)
    check_graph(graph)
    check_step(graph)
    _check_unique(graph, (*graph.inputs, *graph.values, *_printed_names(graph)), "values")
    inferred = Graph(graph.name, graph.inputs, dict.fromkeys(graph.states), graph.values)
    for state, size in graph.states.items():
        if inferred.states[state] != size:
            raise CellError(
                f"{graph.name}: the state {state} has the size {size}, its equations "
                f"give it {inferred.states[state]}"
            )


def _check_head(graph: Graph) -> None:
    """Check the name, the direction, the input and the states."""
    if graph.name != ANONYMOUS:
        _check_name(graph, graph.name)
    if graph.backward:
        raise CellError(f"{graph.name}: a derivative is no cell")
    if not graph.inputs or not graph.states:
        raise CellError(f"not a cell: {graph.name} needs an input and at least one state")
    if list(graph.inputs.values()) != ["input"]:
        inputs = ", ".join(f"{name}: {size}" for name, size in graph.inputs.items())
        raise CellError(
            f"{graph.name}: a cell has one input, of size input, got {limits.short(inputs)}"
        )
    for state, size in graph.states.items():
        if size == "input":
            raise CellError(f"{graph.name}: the state {state} cannot have the I units of the input")


def _check_name(graph: Graph, name: str) -> None:
    usable = name.isidentifier() and not keyword.iskeyword(name)
    if not usable or unicodedata.normalize("NFKC", name) != name:
        raise CellError(
            f"{limits.short(graph.name)}: {limits.short(name)!r} is no name of a variable"
        )
    if len(name) > limits.NAME:
        raise CellError(
            f"{limits.short(graph.name, 50)}: the name {limits.short(name, 50)} has "
            f"{len(name):,} letters; a name has at most {limits.NAME}"
        )


def _check_numbers(graph: Graph, node: Node) -> None:
    """Check that the numbers in a node fit float32 and are finite."""
    attribute = node.attribute
    is_number = isinstance(attribute, float)
    number = attribute.init if isinstance(attribute, Learned) else attribute if is_number else None
    if number is not None and not abs(number) <= limits.LARGEST:
        raise CellError(
            f"{graph.describe(node)}: the number {number!r} is not finite in float32: "
            f"at most {limits.LARGEST:.3g} either way"
        )
    if node.operation is Operation.NORMALIZE and number is not None and number < 0:
        raise CellError(f"{graph.describe(node)}: epsilon must not be negative, got {attribute!r}")


def _check_kind(graph: Graph, layer: Layer, block: Block) -> None:
    """Check that a layer is as `affine` or `project` make it."""
    group = block.group
    if layer.size == "projection":
        known = len(layer.blocks) == 1 and (block.row, block.bias) == (0, None)
        known = known and group.startswith("hr") and (group == "hr" or group[2:].isdecimal())
    else:
        known = group.endswith("h")
    if not known:
        raise CellError(f"{graph.name}: no layer of size {layer.size} has rows of weight_{group}")


def _check_dense(graph: Graph, name: str, rows: list[int]) -> None:
    """Check that blocks of rows follow one another: together they are the array's shape."""
    for expected, row in enumerate(rows):
        if row != expected:
            raise CellError(
                f"{graph.name}: {name} has {len(rows)} blocks of rows, in order 0, 1, ...; "
                f"got {row} in the place of {expected}"
            )


def _check_unique(graph: Graph, names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise CellError(f"{graph.name}: two {what} are called {name}")
        seen.add(name)


def _printed_names(graph: Graph) -> list[str]:
    """Return the names of everything learned in the printed equations."""
    weights = [name for node in graph.layers for name in node.attribute.names]
    return [*weights, *(node.attribute.name for node in graph.learned)]


def _blocks(graph: Graph) -> Iterator[tuple[Node, Node, Block]]:
    """Yield each learned layer with each of its sources and the block of rows that reads it."""
    for layer in graph.layers:
        for source, block in zip(layer.arguments, layer.attribute.blocks, strict=True):
            yield layer, source, block
