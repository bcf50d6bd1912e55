"""Making new equations from old: replace nodes, simplify, and the variants of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import CellError
from .graph import Graph, in_order
from .node import Node, constant, ordered
from .operation import CONDITIONS, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


def rewrite(roots: Iterable[Node], rule: Callable[[Node], Node | None]) -> dict[Node, Node]:
    """Rebuild all nodes below `roots`; `rule` gets each with new arguments, None keeps it."""
    new: dict[Node, Node] = {}
    for node in ordered(list(roots)):
        arguments = tuple(new[argument] for argument in node.arguments)
        rebuilt = Node(node.operation, arguments, node.attribute)
        changed = rule(rebuilt)
        new[node] = rebuilt if changed is None else changed
    return new


def states_as_inputs(roots: Iterable[Node]) -> dict[Node, Node]:
    """Return for each node below `roots` the one that stands for it where states are inputs."""

    def rule(node: Node) -> Node | None:
        is_state = node.operation is Operation.STATE
        return Node(Operation.INPUT, (), node.attribute) if is_state else None

    return rewrite(roots, rule)


def _number(node: Node) -> float | None:
    return node.attribute if node.operation is Operation.CONSTANT else None


def simplified(node: Node) -> Node | None:
    """Return the simpler node that equals this one for every value, or None.

    Only what is exact in floating point: neither x - x nor 0 * x is 0 where x is not finite.
    """
    found = None
    while (simpler := _simplified(node if found is None else found)) is not None:
        found = simpler
    return found


def _simplified(node: Node) -> Node | None:
    """Take one turn of `simplified`; each leaves fewer operations or fewer signs."""
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
    """Return the graph with every node passed through `rule`."""
    new = rewrite(graph.values.values(), rule)
    return Graph(
        graph.name,
        graph.inputs,
        graph.states,
        in_order({name: new[node] for name, node in graph.values.items()}),
        graph.backward,
    )


def without_bias(graph: Graph) -> Graph:
    """Return the cell whose learned layers have no bias (``bias=False`` of a module)."""

    def rule(node: Node) -> Node | None:
        if node.operation is not Operation.AFFINE:
            return None
        blocks = tuple(block._replace(bias=None) for block in node.attribute.blocks)
        return Node(Operation.AFFINE, node.arguments, node.attribute._replace(blocks=blocks))

    return map_graph(graph, rule)


def zoneout(graph: Graph, states: Iterable[str]) -> Graph:
    """Return the cell whose named states partly keep their old value (Krueger et al. 2017).

    For each state s there is a new input ``zoneout_s`` with the state's size: 1 keeps the old
    value of a unit, 0 takes the new one, a number between mixes them; see `zoneout_input`.
    """
    inputs, values = dict(graph.inputs), dict(graph.values)
    for state in states:
        name = zoneout_input(graph, state)
        values[state] = _mixed(graph, state, Node(Operation.INPUT, (), name))
        inputs[name] = graph.states[state]
    return Graph(graph.name, inputs, graph.states, values)


def expected_zoneout(graph: Graph, probabilities: Mapping[str, float]) -> Graph:
    """Return the cell whose states keep a fixed part of their old value: zoneout at evaluation.

    Args:
        graph: of a cell.
        probabilities: by state, the part that is kept.
    """
    values = dict(graph.values)
    values.update({state: _mixed(graph, state, p) for state, p in probabilities.items()})
    return Graph(graph.name, graph.inputs, graph.states, values)


def _mixed(graph: Graph, state: str, keep: Node | float) -> Node:
    """Return a state of which a part keeps its old value."""
    if state not in graph.states:
        raise CellError(f"zoneout: {graph.name} has no state {state!r}: {list(graph.states)}")
    return keep * Node(Operation.STATE, (), state) + (1 - keep) * graph.values[state]


def zoneout_input(graph: Graph, state: str) -> str:
    """Return the name of the input that says how much of a state's old value the cell keeps."""
    return graph.unused(f"zoneout_{state}")


def variational_dropout(graph: Graph) -> Graph:
    """Return the cell whose learned layers read their sources through masks (Gal & Ghahramani
    2016).

    For each weight matrix ``weight_g`` there is a new input ``mask_g`` with the size of what the
    matrix reads; with another name if the cell has one of that name. The masks of one sequence are
    the same at every step.
    """
    inputs = dict(graph.inputs)
    groups = {block.group for layer in graph.layers for block in layer.attribute.blocks}
    names = {group: graph.unused(f"mask_{group}") for group in groups}

    def rule(node: Node) -> Node | None:
        if node.operation is not Operation.AFFINE:
            return None
        masked = []
        for source, block in zip(node.arguments, node.attribute.blocks, strict=True):
            masked.append(Node(Operation.INPUT, (), names[block.group]) * source)
        return Node(Operation.AFFINE, tuple(masked), node.attribute)

    for layer in graph.layers:
        for source, block in zip(layer.arguments, layer.attribute.blocks, strict=True):
            inputs[names[block.group]] = graph.sizes[source]
    new = rewrite(graph.values.values(), rule)
    values = {name: new[node] for name, node in graph.values.items()}
    return Graph(graph.name, inputs, graph.states, values)


class Edit(NamedTuple):
    """A value that can be replaced.

    Attributes:
        value: the node as it is without replacement.
        mask: the name of the input that is 1 where it is replaced, and 0 elsewhere.
        replacement: the name of the input that is taken there.
    """

    value: Node
    mask: str
    replacement: str


def edited(graph: Graph, names: Sequence[str]) -> tuple[Graph, dict[str, Edit]]:
    """Return the cell of which the named values (see `Graph.probes`) can be replaced.

    Each becomes ``where(mask > 0.5, replacement, value)`` of two new inputs, for everything that
    reads it. All that could be watched keeps its name, and has the value after replacement.

    Raises:
        CellError: for a name that is no value of the equations, or is a second one of another
            value; of these only the names of states can be told from the first.
    """
    edits: dict[str, Edit] = {}
    inputs, owner = dict(graph.inputs), _owner(graph)
    new: dict[Node, Node] = {}

    def replaced(name: str, value: Node) -> Node:
        mask, replacement = (
            _unused(graph.unused(f"{role}_{name}"), inputs) for role in ("edits", "edit")
        )
        inputs[mask] = inputs[replacement] = graph.sizes[graph.probes[name]]
        edits[name] = Edit(_as_number(value), mask, replacement)
        return _select(edits[name], value)

    for name in names:
        _check_editable(graph, name, owner)
    for node in ordered(list(graph.values.values())):
        rebuilt = Node(node.operation, tuple(new[a] for a in node.arguments), node.attribute)
        name = owner.get(node)
        new[node] = rebuilt if name is None or name not in names else replaced(name, rebuilt)
    values = {name: new[node] for name, node in graph.probes.items()}
    for name in names:
        if name not in edits:
            values[name] = replaced(name, values[name])
    return Graph(graph.name, inputs, graph.states, in_order(values), graph.backward), edits


def _owner(graph: Graph) -> dict[Node, str]:
    """Return for each value that is computed the first of its names."""
    owner: dict[Node, str] = {}
    for name, node in graph.probes.items():
        if node.arguments:
            owner.setdefault(node, name)
    return owner


def _check_editable(graph: Graph, name: str, owner: Mapping[Node, str]) -> None:
    if name not in graph.probes:
        raise CellError(f"{graph.name} has no value {name!r}, only {', '.join(graph.probes)}")
    node = graph.probes[name]
    first = owner.get(node)
    if first != name and name not in graph.states:
        known = f"another name of {first}: edit that" if first else "not computed by the cell"
        raise CellError(f"{graph.name}: {name} is {known}")


def _unused(name: str, inputs: Mapping[str, object]) -> str:
    while name in inputs:
        name = f"{name}_"
    return name


def _as_number(value: Node) -> Node:
    """Return the value; of a condition 1 where it holds, else 0."""
    if value.operation not in CONDITIONS:
        return value
    return Node(Operation.SELECT, (value, constant(1), constant(0)))


def _select(edit: Edit, value: Node) -> Node:
    mask, replacement = (Node(Operation.INPUT, (), name) for name in edit[1:])
    chosen = Node(Operation.SELECT, (mask > 0.5, replacement, edit.value))
    return chosen > 0.5 if value.operation in CONDITIONS else chosen
