"""A graph as JSON and back: a file that holds a cell needs no code to be read."""

from __future__ import annotations

from typing import Any

from .error import CellError
from .graph import Graph
from .node import Block, Layer, Learned, Node, Term
from .operation import Operation

ATTRIBUTES = {kind.__name__: kind for kind in (Block, Layer, Learned, Term)}


def to_json(graph: Graph) -> dict[str, Any]:
    """The graph as dicts, lists, strings and numbers."""
    place = {node: index for index, node in enumerate(graph.order)}
    return {
        "name": graph.name,
        "inputs": dict(graph.inputs),
        "states": dict(graph.states),
        "backward": graph.backward,
        "nodes": [
            [
                node.operation.value,
                [place[argument] for argument in node.arguments],
                _encode(node.attribute),
            ]
            for node in graph.order
        ],
        "values": {name: place[node] for name, node in graph.values.items()},
    }


def from_json(data: Any) -> Graph:
    """The graph of `to_json`; CellError if the data is anything else."""
    try:
        nodes: list[Node] = []
        for operation, arguments, attribute in data["nodes"]:
            known = tuple(nodes[_place(index, len(nodes))] for index in arguments)
            nodes.append(Node(Operation(operation), known, _decode(attribute)))
        values = {name: nodes[_place(index, len(nodes))] for name, index in data["values"].items()}
        return Graph(data["name"], data["inputs"], data["states"], values, data["backward"])
    except CellError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CellError(f"not the equations of a cell: {error!r}") from None


def _place(index: Any, count: int) -> int:
    if not isinstance(index, int) or not 0 <= index < count:
        raise ValueError(f"{index!r} is not one of the {count} nodes above")
    return index


def _encode(attribute: Any) -> Any:
    """Named tuples become objects that say their kind."""
    if type(attribute).__name__ in ATTRIBUTES:
        fields = {name: _encode(value) for name, value in attribute._asdict().items()}
        return {"kind": type(attribute).__name__, **fields}
    return [_encode(item) for item in attribute] if isinstance(attribute, tuple) else attribute


def _decode(data: Any) -> Any:
    if isinstance(data, dict):
        fields = {name: _decode(value) for name, value in data.items() if name != "kind"}
        return ATTRIBUTES[data["kind"]](**fields)
    return tuple(_decode(item) for item in data) if isinstance(data, list) else data
