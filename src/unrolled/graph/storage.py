"""A graph as JSON and back: a file that holds a cell needs no code to be read."""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from ..errors import CellError
from . import limits, scalars
from .graph import Graph
from .learned import Block, Layer, Learned, Size, Term
from .limits import short
from .node import Node
from .operation import BINARY, LEAVES, UNARY, Operation
from .verify import check_graph, check_step
from .written import Written

Name = Annotated[str, Meta(max_length=limits.STORED_NAME)]
Index = Annotated[int, Meta(ge=0, lt=limits.STORED_NODES)]
Row = Annotated[int, Meta(ge=0, lt=limits.SOURCES)]


class StoredLearned(Struct, tag_field="kind", tag="Learned", forbid_unknown_fields=True):
    """A learned vector or scalar in a file."""

    name: Name
    size: Size
    init: float | None

    def read(self) -> Learned:
        """Return the attribute of a node."""
        return Learned(self.name, self.size, self.init)


class StoredBlock(Struct, tag_field="kind", tag="Block", forbid_unknown_fields=True):
    """A block of rows of a weight in a file."""

    group: Name
    row: Row
    bias: Row | None
    size: Size


class StoredLayer(Struct, tag_field="kind", tag="Layer", forbid_unknown_fields=True):
    """A learned layer in a file."""

    name: Name
    size: Size
    blocks: Annotated[list[StoredBlock], Meta(min_length=1, max_length=limits.SOURCES)]

    def read(self) -> Layer:
        """Return the attribute of a node."""
        blocks = (Block(b.group, b.row, b.bias, b.size) for b in self.blocks)
        return Layer(self.name, self.size, tuple(blocks))


class StoredTerm(Struct, tag_field="kind", tag="Term", forbid_unknown_fields=True):
    """One weight of a layer in a file."""

    layer: StoredLayer
    source: Row

    def read(self) -> Term:
        """Return the attribute of a node."""
        if self.source >= len(self.layer.blocks):
            raise CellError(f"the layer {self.layer.name} has no source {self.source}")
        return Term(self.layer.read(), self.source)


Attribute = float | Name | StoredLearned | StoredLayer | StoredTerm | None


class StoredNode(NamedTuple):
    """A node in a file."""

    operation: Operation
    arguments: Annotated[list[Index], Meta(max_length=limits.SOURCES)]
    attribute: Attribute


class StoredNumber(NamedTuple):
    """A number in a file: the node and the place among its arguments where it stands, and how it
    is computed from hyperparameters.
    """

    node: Index
    place: Row
    text: Name


class StoredWritten(Struct, forbid_unknown_fields=True):
    """What the author of a graph wrote, in a file."""

    names: Annotated[list[Name], Meta(max_length=limits.STORED_NODES)]
    numbers: Annotated[list[StoredNumber], Meta(max_length=limits.STORED_NODES)]
    hyperparameters: dict[Name, float] = {}

    def read(self, graph: Graph, nodes: list[Node]) -> Written:
        """Return what it says of a graph; raise CellError if that cannot be."""
        for name in self.names:
            if name not in graph.values:
                raise CellError(f"not the equations of a cell: no value is called {short(name)}")
        if unnamed := set(graph.states).difference(self.names):
            raise CellError(f"not the equations of a cell: {short(min(unnamed))} has no name")
        numbers, known, seen = {}, dict(self.hyperparameters), set(graph.order)
        for index, place, text in self.numbers:
            node = nodes[_above(index, len(nodes))]
            arguments = node.arguments[place : place + 1]
            if not arguments or node not in seen:
                raise CellError(f"not the equations of a cell: no number is called {short(text)}")
            if arguments[0].operation is not Operation.CONSTANT:
                raise CellError(f"not the equations of a cell: {short(text)} is no number")
            if (node, place) in numbers:
                raise CellError(f"not the equations of a cell: {short(text)} stands beside another")
            if text.isidentifier():  # older files say no more of it
                known.setdefault(text, arguments[0].attribute)
            numbers[node, place] = self._number(text, known, arguments[0].attribute)
        if unknown := known.keys() - scalars.leaves_of(numbers.values()):
            raise CellError(f"not the equations of a cell: {short(min(unknown))} stands nowhere")
        return Written(frozenset(self.names), numbers, known)

    def _number(self, text: str, known: Mapping[str, float], number: float) -> Node:
        """Return how a number is computed; raise CellError if that gives another one."""
        scalar = scalars.parse(text)
        if scalars.equals(scalar, known, number):
            return scalar
        raise CellError(f"not the equations of a cell: {short(text)} is not {number}")


class StoredGraph(Struct, forbid_unknown_fields=True):
    """A graph in a file: its nodes with arguments before users, and which of them have names."""

    name: Name
    inputs: Annotated[dict[Name, Size], Meta(max_length=limits.STORED_NODES)]
    states: Annotated[dict[Name, Size], Meta(max_length=limits.STATES)]
    backward: bool
    nodes: Annotated[list[StoredNode], Meta(max_length=limits.STORED_NODES)]
    values: Annotated[dict[Name, Index], Meta(max_length=limits.STORED_NODES)]
    written: StoredWritten | None = None

    def read(self) -> Graph:
        """Return the graph, verified; raise CellError if it makes no sense."""
        nodes: list[Node] = []
        for place, stored in enumerate(self.nodes):
            arguments = tuple(nodes[_above(index, place)] for index in stored.arguments)
            nodes.append(Node(stored.operation, arguments, _attribute(stored)))
        values = {name: nodes[_above(index, len(nodes))] for name, index in self.values.items()}
        graph = Graph(self.name, self.inputs, self.states, values, self.backward)
        check_graph(graph)
        if not graph.backward:
            check_step(graph)
        if self.written is not None:
            graph.tell(partial(Written, *self.written.read(graph, nodes)))
        return graph


def to_json(graph: Graph) -> dict[str, Any]:
    """Return the graph, with what its author wrote, as dicts, lists, strings and numbers."""
    return {**equations(graph), **_written(graph)}


def equations(graph: Graph) -> dict[str, Any]:
    """Return what a graph computes, in the same form."""
    place = {node: index for index, node in enumerate(graph.order)}
    return {
        "name": graph.name,
        "inputs": dict(graph.inputs),
        "states": dict(graph.states),
        "backward": graph.backward,
        "nodes": [
            [node.operation.value, [place[a] for a in node.arguments], _encode(node.attribute)]
            for node in graph.order
        ],
        "values": {name: place[node] for name, node in graph.values.items()},
    }


def _written(graph: Graph) -> dict[str, Any]:
    """Return what the author wrote, if the equations do not say it."""
    place = {node: index for index, node in enumerate(graph.order)}
    names, numbers, hyperparameters = graph.written
    if names is None or (not numbers and names >= set(graph.values)):
        return {}
    known = [[place[node], index, scalars.text(each)] for (node, index), each in numbers.items()]
    written = {"names": sorted(names), "numbers": known, "hyperparameters": dict(hyperparameters)}
    return {"written": written}


def from_json(data: Any) -> Graph:
    """Return the graph of `to_json`, verified; raise CellError if the data is anything else."""
    return converted(data, StoredGraph, "the equations of a cell").read()


copyreg.pickle(Graph, lambda graph: (from_json, (to_json(graph),)))  # verified when it is read


def converted(data: Any, schema: type[Any], what: str) -> Any:
    """Convert data as `json` reads it to a schema; raise CellError where it does not fit."""
    try:
        found = msgspec.convert(data, schema)
        msgspec.json.encode(found)  # raises if a text holds halves of letters, as JSON can
        return found
    except UnicodeEncodeError:
        raise CellError(f"not {what}: it holds halves of letters, which are no text") from None
    except (msgspec.ValidationError, RecursionError) as error:
        raise CellError(f"not {what}: {limits.short(str(error))}") from None


ARGUMENTS = {
    **dict.fromkeys(LEAVES, 0),
    **dict.fromkeys((*UNARY, Operation.SUM, Operation.DIMENSION, Operation.NORMALIZE), 1),
    **dict.fromkeys((*BINARY, Operation.BROADCAST, Operation.OUTER), 2),
    Operation.SELECT: 3,
    Operation.TRANSPOSED: 1,
}
"""The number of arguments of each operation; AFFINE has one for each block."""

ATTRIBUTE: dict[Operation, type[Any]] = {
    Operation.CONSTANT: float,
    Operation.INPUT: str,
    Operation.STATE: str,
    Operation.LEARNED: StoredLearned,
    Operation.NORMALIZE: float,
    Operation.AFFINE: StoredLayer,
    Operation.TRANSPOSED: StoredTerm,
    Operation.OUTER: StoredTerm,
}
"""The type of each operation's attribute; the others have none."""


def _above(index: int, count: int) -> int:
    if index >= count:
        raise CellError(f"not the equations of a cell: node {index} is not above its user")
    return index


def _attribute(stored: StoredNode) -> Any:
    """Return the attribute of a node; raise CellError unless it and the arguments are those of its
    operation.
    """
    operation, attribute = stored.operation, stored.attribute
    if isinstance(attribute, ATTRIBUTE.get(operation, type(None))):
        is_layer = isinstance(attribute, StoredLayer)
        if len(stored.arguments) == (len(attribute.blocks) if is_layer else ARGUMENTS[operation]):
            return attribute.read() if isinstance(attribute, Struct) else attribute
    raise CellError(
        f"not the equations of a cell: {operation.value} has no such arguments or attribute"
    )


def _encode(attribute: Any) -> Any:
    """Turn named tuples into objects that say their kind."""
    if isinstance(attribute, (Block, Layer, Learned, Term)):
        fields = {name: _encode(value) for name, value in attribute._asdict().items()}
        return {"kind": type(attribute).__name__, **fields}
    return [_encode(item) for item in attribute] if isinstance(attribute, tuple) else attribute
