"""Making new equations from old: replace nodes, simplify, and the variants of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .error import CellError
from .graph import Graph, in_order
from .node import Node, constant, ordered
from .operation import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def rewrite(roots: Iterable[Node], rule: Callable[[Node], Node | None]) -> dict[Node, Node]:
    """Rebuild all nodes below `roots`; `rule` gets each with new arguments, None keeps it."""
    new: dict[Node, Node] = {}
    for node in ordered(list(roots)):
        arguments = tuple(new[argument] for argument in node.arguments)
        rebuilt = Node(node.operation, arguments, node.attribute)
        changed = rule(rebuilt)
        new[node] = rebuilt if changed is None else changed
    return new


def _number(node: Node) -> float | None:
    return node.attribute if node.operation is Operation.CONSTANT else None


def simplified(node: Node) -> Node | None:
    """The simpler node that equals this one for every value, or None.

    Only what is exact in floating point: neither x - x nor 0 * x is 0 where x is not finite.
    """
    operation, arguments = node.operation, node.arguments
    numbers = [_number(argument) for argument in arguments]
    if operation is Operation.NEG:
        if numbers[0] is not None:
            return constant(-numbers[0])
        return arguments[0].arguments[0] if arguments[0].operation is Operation.NEG else None
    if operation is Operation.SELECT:
        return arguments[1] if arguments[1] is arguments[2] else None
    if operation not in _NEUTRAL:
        return None
    a, b = arguments
    left, right = _NEUTRAL[operation]
    if numbers[1] is not None and numbers[1] == right:
        return a
    if numbers[0] is not None and numbers[0] == left:
        return b
    return _moved_sign(operation, a, b)


# The number that changes nothing, on the left and on the right.
_NEUTRAL = {
    Operation.ADD: (0.0, 0.0),
    Operation.SUB: (None, 0.0),
    Operation.MUL: (1.0, 1.0),
    Operation.DIV: (None, 1.0),
}


def _moved_sign(operation: Operation, a: Node, b: Node) -> Node | None:
    """Turn a + (-b) into a - b, a - (-b) into a + b."""
    if b.operation is Operation.NEG and operation is Operation.ADD:
        return a - b.arguments[0]
    if b.operation is Operation.NEG and operation is Operation.SUB:
        return a + b.arguments[0]
    if a.operation is Operation.NEG and operation is Operation.ADD:
        return b - a.arguments[0]
    return None


def map_graph(graph: Graph, rule: Callable[[Node], Node | None]) -> Graph:
    """The graph with every node passed through `rule`."""
    new = rewrite(graph.values.values(), rule)
    return Graph(
        graph.name,
        graph.inputs,
        graph.states,
        in_order({name: new[node] for name, node in graph.values.items()}),
        graph.backward,
    )


def without_bias(graph: Graph) -> Graph:
    """The cell whose learned layers have no bias (``bias=False`` of a module)."""

    def rule(node: Node) -> Node | None:
        if node.operation is not Operation.AFFINE:
            return None
        blocks = tuple(block._replace(bias=None) for block in node.attribute.blocks)
        return Node(Operation.AFFINE, node.arguments, node.attribute._replace(blocks=blocks))

    return map_graph(graph, rule)


def zoneout(graph: Graph, states: Iterable[str]) -> Graph:
    """The cell whose named states partly keep their old value (Krueger et al. 2017).

    For each state s there is a new input ``zoneout_s`` with the state's size: 1 keeps the old
    value of a unit, 0 takes the new one, a number between mixes them.
    """
    inputs, values = dict(graph.inputs), dict(graph.values)
    for state in states:
        if state not in graph.states:
            raise CellError(f"zoneout: {graph.name} has no state {state!r}: {list(graph.states)}")
        name = f"zoneout_{state}"
        inputs[name] = graph.states[state]
        keep = Node(Operation.INPUT, (), name)
        old = Node(Operation.STATE, (), state)
        values[state] = keep * old + (1 - keep) * values[state]
    return Graph(graph.name, inputs, graph.states, values)


def variational_dropout(graph: Graph) -> Graph:
    """The cell whose learned layers read their sources through masks (Gal & Ghahramani 2016).

    For each weight matrix ``weight_g`` there is a new input ``mask_g`` with the size of what the
    matrix reads. The masks of one sequence are the same at every step.
    """
    inputs = dict(graph.inputs)

    def rule(node: Node) -> Node | None:
        if node.operation is not Operation.AFFINE:
            return None
        masked = []
        for source, block in zip(node.arguments, node.attribute.blocks, strict=True):
            masked.append(Node(Operation.INPUT, (), f"mask_{block.group}") * source)
        return Node(Operation.AFFINE, tuple(masked), node.attribute)

    for layer in graph.layers:
        for source, block in zip(layer.arguments, layer.attribute.blocks, strict=True):
            inputs[f"mask_{block.group}"] = graph.sizes[source]
    new = rewrite(graph.values.values(), rule)
    values = {name: new[node] for name, node in graph.values.items()}
    return Graph(graph.name, inputs, graph.states, values)
