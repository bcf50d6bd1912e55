"""Making new equations from old: replace nodes, simplify, and the variants of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import CellError
from .graph import Graph, in_order
from .node import Node, constant, ordered
from .operation import ARITHMETIC, CONDITIONS, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from .learned import Size


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
    if operation is Operation.NEG:
        (a,) = arguments
        if a.operation is Operation.CONSTANT:
            return constant(-a.attribute)
        return a.arguments[0] if a.operation is Operation.NEG else None
    if operation is Operation.SELECT:
        return arguments[1] if arguments[1] is arguments[2] else None
    if operation not in ARITHMETIC:
        return None
    a, b = arguments
    is_sum = operation in (Operation.ADD, Operation.SUB)
    neutral = 0.0 if is_sum else 1.0
    if b.operation is Operation.CONSTANT and b.attribute == neutral:
        return a
    commutes = operation in (Operation.ADD, Operation.MUL)
    if commutes and a.operation is Operation.CONSTANT and a.attribute == neutral:
        return b
    if is_sum and b.operation is Operation.NEG:  # a + (-b), a - (-b)
        return a - b.arguments[0] if operation is Operation.ADD else a + b.arguments[0]
    if operation is Operation.ADD and a.operation is Operation.NEG:
        return b - a.arguments[0]
    return None


def map_graph(graph: Graph, rule: Callable[[Node], Node | None]) -> Graph:
    """Return the graph with every node passed through `rule`."""
    new = rewrite(graph.values.values(), rule)
    values = in_order({name: new[node] for name, node in graph.values.items()})
    return Graph(graph.name, graph.inputs, graph.states, values, graph.backward)


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
    keep = {state: Node(Operation.INPUT, (), zoneout_input(graph, state)) for state in states}
    values = _mixed(graph, keep)
    further: dict[str, Size] = {node.attribute: graph.states[state] for state, node in keep.items()}
    return Graph(graph.name, {**graph.inputs, **further}, graph.states, values)


def expected_zoneout(graph: Graph, probabilities: Mapping[str, float]) -> Graph:
    """Return the cell whose states keep a fixed part of their old value: zoneout at evaluation.

    Args:
        graph: of a cell.
        probabilities: by state, the part that is kept.
    """
    return Graph(graph.name, graph.inputs, graph.states, _mixed(graph, probabilities))


def _mixed(graph: Graph, keep: Mapping[str, Node | float]) -> dict[str, Node]:
    """Return the values of a cell of whose states a part keeps its old value."""
    values = dict(graph.values)
    for state, part in keep.items():
        if state not in graph.states:
            raise CellError(f"zoneout: {graph.name} has no state {state!r}: {list(graph.states)}")
        values[state] = part * Node(Operation.STATE, (), state) + (1 - part) * values[state]
    return values


def zoneout_input(graph: Graph, state: str) -> str:
    """Return the name of the input that says how much of a state's old value the cell keeps."""
    return graph.unused(f"zoneout_{state}")


PATHS = ("input", "state")
"""What learned layers read: what depends on the input alone, and what depends on an old state."""


def variational_dropout(graph: Graph, paths: Container[str] = PATHS) -> Graph:
    """Return the cell whose learned layers read their sources through masks (Gal & Ghahramani
    2016).

    For each weight matrix ``weight_g`` that reads one of the paths there is a new input with the
    size of what the matrix reads; see `mask_inputs`. The masks of one sequence are the same at
    every step.
    """
    names = {group: mask for group, (mask, path) in mask_inputs(graph).items() if path in paths}
    inputs = dict(graph.inputs)

    def rule(node: Node) -> Node | None:
        if node.operation is not Operation.AFFINE:
            return None
        masked = []
        for source, block in zip(node.arguments, node.attribute.blocks, strict=True):
            mask = names.get(block.group)
            masked.append(source if mask is None else Node(Operation.INPUT, (), mask) * source)
        return Node(Operation.AFFINE, tuple(masked), node.attribute)

    for layer in graph.layers:
        for source, block in zip(layer.arguments, layer.attribute.blocks, strict=True):
            if block.group in names:
                inputs[names[block.group]] = graph.sizes[source]
    new = rewrite(graph.values.values(), rule)
    values = {name: new[node] for name, node in graph.values.items()}
    return Graph(graph.name, inputs, graph.states, values)


def mask_inputs(graph: Graph) -> dict[str, tuple[str, str]]:
    """Return, for each group of weights, the input that masks what it reads, and its path.

    The masks go by ``mask_g``; by another name if the cell has one of that name.
    """
    recurrent: set[Node] = set()
    for node in graph.order:
        if node.operation is Operation.STATE or not recurrent.isdisjoint(node.arguments):
            recurrent.add(node)
    return {
        block.group: (
            graph.unused(f"mask_{block.group}"),
            "state" if source in recurrent else "input",
        )
        for layer in graph.layers
        for source, block in zip(layer.arguments, layer.attribute.blocks, strict=True)
    }


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
