"""A graph as JSON and back: a file that holds a cell needs no code to be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from .error import CellError
from .graph import Graph
from .node import Block, Layer, Learned, Node, Size, Term
from .operation import ACTIVATIONS, LEAVES, POINTWISE, Operation

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
            _check_node(nodes[-1])
        values = {name: nodes[_place(index, len(nodes))] for name, index in data["values"].items()}
        _check_head(data)
        graph = Graph(data["name"], data["inputs"], data["states"], values, data["backward"])
        _check_layers(graph)
        return graph
    except CellError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise CellError(f"not the equations of a cell: {error!r}") from None


def _place(index: Any, count: int) -> int:
    if type(index) is not int or not 0 <= index < count:
        raise ValueError(f"{index!r} is not one of the {count} nodes above")
    return index


def _check_head(data: Any) -> None:
    sizes = [*data["inputs"].values(), *data["states"].values()]
    head = isinstance(data["name"], str) and isinstance(data["backward"], bool)
    if not head or not all(_is_size(size) for size in sizes):
        raise ValueError("a graph has a name, a direction, and inputs and states with sizes")


def _is_size(value: Any) -> bool:
    return value in get_args(Size)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_learned(value: Any) -> bool:
    known = isinstance(value, Learned) and isinstance(value.name, str) and _is_size(value.size)
    return known and (value.init is None or _is_number(value.init))


def _is_block(value: Any) -> bool:
    known = isinstance(value, Block) and isinstance(value.group, str) and _is_count(value.row)
    return known and (value.bias is None or _is_count(value.bias)) and _is_size(value.size)


def _is_layer(value: Any) -> bool:
    known = isinstance(value, Layer) and isinstance(value.name, str) and _is_size(value.size)
    return known and type(value.blocks) is tuple and all(_is_block(block) for block in value.blocks)


def _is_term(value: Any) -> bool:
    known = isinstance(value, Term) and _is_layer(value.layer) and _is_count(value.source)
    return known and value.source < len(value.layer.blocks)


ARGUMENTS = {
    **dict.fromkeys(LEAVES, 0),
    **dict.fromkeys(POINTWISE, 2),
    **dict.fromkeys(ACTIVATIONS, 1),
    **dict.fromkeys((Operation.NEG, Operation.LOG, Operation.SQRT, Operation.ABS), 1),
    Operation.SELECT: 3,
    Operation.SUM: 1,
    Operation.DIMENSION: 1,
    Operation.BROADCAST: 2,
    Operation.NORMALIZE: 1,
    Operation.TRANSPOSED: 1,
    Operation.OUTER: 2,
}
"""How many arguments each operation has; AFFINE has one for each block."""

ATTRIBUTE: dict[Operation, Callable[[Any], bool]] = {
    Operation.CONSTANT: lambda value: isinstance(value, float),
    Operation.INPUT: lambda value: isinstance(value, str),
    Operation.STATE: lambda value: isinstance(value, str),
    Operation.LEARNED: _is_learned,
    Operation.NORMALIZE: lambda value: isinstance(value, float),
    Operation.AFFINE: _is_layer,
    Operation.TRANSPOSED: _is_term,
    Operation.OUTER: _is_term,
}
"""Which attributes an operation can have; the others have none."""


def _check_node(node: Node) -> None:
    """ValueError unless a node has the arguments and the attribute of its operation."""
    operation, attribute = node.operation, node.attribute
    known = ATTRIBUTE.get(operation, lambda value: value is None)(attribute)
    if known and operation is Operation.AFFINE:
        known = len(node.arguments) == len(attribute.blocks) > 0
    elif known:
        known = len(node.arguments) == ARGUMENTS[operation]
    if not known:
        raise ValueError(f"{operation.value} has no such arguments or attribute")


def _check_layers(graph: Graph) -> None:
    """ValueError unless each weight reads one value, with each of its rows once."""
    sources: dict[str, Node] = {}
    rows: dict[str, list[int]] = {}
    for layer in graph.layers:
        for source, block in zip(layer.arguments, layer.attribute.blocks, strict=True):
            if sources.setdefault(block.group, source) is not source:
                raise ValueError(f"weight_{block.group} reads more than one value")
            if block.size != graph.sizes[source]:
                raise ValueError(f"weight_{block.group} has other columns than what it reads")
            rows.setdefault(f"weight_{block.group}", []).append(block.row)
            if block.bias is not None:
                rows.setdefault(f"bias_{block.group}", []).append(block.bias)
    for name, found in rows.items():
        if len(set(found)) < len(found):  # to leave some out is allowed: a derivative does
            raise ValueError(f"{name} has rows twice: {sorted(found)}")


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
