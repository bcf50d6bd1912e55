"""The derivative of a cell: again a graph, of a cell that runs backwards in time.

One step of it takes what the forward step took (x and the old states, now all inputs) and, as its
states, the gradients of the loss with respect to the forward step's new states. It hands on the
gradients with respect to the old states. So it can be printed, drawn and compiled like any cell.

The gradient with respect to a value v goes by d_v; the parts that one row and one step contribute
to the gradients of the learned parts by d_W_ii, d_b_ii, d_p_i: to be summed over rows and steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..errors import CellError
from .graph import Graph, in_order
from .learned import Term
from .node import Node, constant, mean, ordered, where
from .operation import POINTWISE, Operation
from .rewrite import map_graph, simplified, states_as_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .learned import Size


def _nothing(node: Node, g: Node) -> tuple[None, ...]:
    """Return None for what has no gradient: leaves, conditions, numbers of units."""
    return tuple(None for _ in node.arguments)


def _mul(node: Node, g: Node) -> tuple[Node, ...]:
    a, b = node.arguments
    return g * b, g * a


def _div(node: Node, g: Node) -> tuple[Node, ...]:
    quotient = g / node.arguments[1]
    return quotient, -(quotient * node)


def _sigmoid(node: Node, g: Node) -> tuple[Node, ...]:
    return (g * (node * (1 - node)),)


def _tanh(node: Node, g: Node) -> tuple[Node, ...]:
    return (g * (1 - node * node),)


def _abs(node: Node, g: Node) -> tuple[Node, ...]:
    (a,) = node.arguments
    return (where(a > 0, g, where(a < 0, -g, 0)),)


def _minimum(node: Node, g: Node) -> tuple[Node, ...]:
    """Give all to the smaller one, half to each where they are equal."""
    a, b = node.arguments
    return _shared(a < b, b < a, g), _shared(b < a, a < b, g)


def _maximum(node: Node, g: Node) -> tuple[Node, ...]:
    """Give all to the larger one, half to each where they are equal."""
    a, b = node.arguments
    return _shared(b < a, a < b, g), _shared(a < b, b < a, g)


def _shared(chosen: Node, other: Node, g: Node) -> Node:
    return where(chosen, g, where(other, 0, 0.5 * g))


def _select(node: Node, g: Node) -> tuple[Node | None, ...]:
    condition = node.arguments[0]
    return None, where(condition, g, 0), where(condition, 0, g)


def _sum(node: Node, g: Node) -> tuple[Node, ...]:
    return (Node(Operation.BROADCAST, (g, node.arguments[0])),)


def _broadcast(node: Node, g: Node) -> tuple[Node | None, ...]:
    return Node(Operation.SUM, (g,)), None


def _normalize(node: Node, g: Node) -> tuple[Node, ...]:
    """Scale g less its parts along 1 and along the result (Ba et al. 2016)."""
    (a,) = node.arguments
    centred = a - mean(a)
    scale = 1 / Node(Operation.SQRT, (mean(centred * centred) + node.attribute,))
    return (scale * (g - mean(g) - node * mean(g * node)),)


def _affine(node: Node, g: Node) -> tuple[Node, ...]:
    """Bring g to each source through the transposed weight."""
    terms = [Term(node.attribute, index) for index in range(len(node.arguments))]
    return tuple(Node(Operation.TRANSPOSED, (g,), term) for term in terms)


DERIVATIVE: dict[Operation, Callable[[Node, Node], tuple[Node | None, ...]]] = {
    Operation.CONSTANT: _nothing,
    Operation.INPUT: _nothing,
    Operation.STATE: _nothing,
    Operation.LEARNED: _nothing,
    Operation.ADD: lambda node, g: (g, g),
    Operation.SUB: lambda node, g: (g, -g),
    Operation.MUL: _mul,
    Operation.DIV: _div,
    Operation.NEG: lambda node, g: (-g,),
    Operation.SIGMOID: _sigmoid,
    Operation.TANH: _tanh,
    Operation.RELU: lambda node, g: (where(node <= 0, 0, g),),
    Operation.EXP: lambda node, g: (g * node,),
    Operation.LOG: lambda node, g: (g / node.arguments[0],),
    Operation.SQRT: lambda node, g: (0.5 * g / node,),
    Operation.ABS: _abs,
    Operation.MINIMUM: _minimum,
    Operation.MAXIMUM: _maximum,
    Operation.LESS: _nothing,
    Operation.LESS_EQUAL: _nothing,
    Operation.SELECT: _select,
    Operation.SUM: _sum,
    Operation.DIMENSION: _nothing,
    Operation.BROADCAST: _broadcast,
    Operation.NORMALIZE: _normalize,
    Operation.AFFINE: _affine,
}
"""For each operation of a forward step: from its node and the gradient with respect to it, the
gradients with respect to its arguments. TRANSPOSED and OUTER stand only in derivatives, which are
differentiated through the eager backend."""


def derivative(graph: Graph, returned: Iterable[str] = ()) -> Graph:
    """Return the graph that computes one backward step of `graph`.

    Args:
        graph: of a cell.
        returned: names of values that the loss reads at every step, such as the output h. For each
            there is a further input ``returned_h``: the gradient with respect to that step's value;
            see `returned_input`.

    Raises:
        CellError: if `graph` is itself a derivative.
    """
    if graph.backward:
        raise CellError(f"{graph.name} is already a derivative")
    returned = list(returned)
    again = states_as_inputs(graph.values.values())
    forward = {name: again[node] for name, node in graph.values.items()}
    probes = {name: again[graph.probes[name]] for name in returned}
    seeds = {state: Node(Operation.STATE, (), f"d_{state}") for state in graph.states}
    sizes = Graph("forward", {**graph.inputs, **graph.states}, {}, forward).sizes
    further: dict[str, Size] = {
        returned_input(graph, name): sizes[node] for name, node in probes.items()
    }
    arriving = [(forward[state], seeds[state]) for state in graph.states]
    for name, node in probes.items():
        arriving.append((node, Node(Operation.INPUT, (), returned_input(graph, name))))
    gradients = _gradients(ordered([node for node, _ in arriving]), arriving, sizes)
    values: dict[str, Node] = {}
    for state in graph.states:
        leaf = Node(Operation.INPUT, (), state)
        values[f"d_{state}"] = gradients.get(leaf, _zero(seeds[state]))
    for name in graph.inputs:
        leaf = Node(Operation.INPUT, (), name)
        values[f"d_{name}"] = gradients.get(leaf, _zero(leaf))
    for name, node in _named_gradients(graph, forward, gradients).items():
        values.setdefault(name, node)
    needed = set(ordered(list(values.values())))
    for name, node in forward.items():
        if node in needed and node.operation is not Operation.INPUT:
            values.setdefault(f"{name}_new" if name in graph.states else name, node)
    inputs: dict[str, Size] = {**graph.inputs, **graph.states, **further}
    return map_graph(
        Graph(
            f"{graph.name}_backward",
            inputs,
            {f"d_{state}": size for state, size in graph.states.items()},
            in_order(values),
            backward=True,
        ),
        simplified,
    )


def returned_input(graph: Graph, name: str) -> str:
    """Return the name of the derivative's input for the gradient with respect to a value."""
    return graph.unused(f"returned_{name}")


def _zero(like: Node) -> Node:
    return Node(Operation.BROADCAST, (constant(0), like))


def _gradients(
    order: list[Node], seeds: list[tuple[Node, Node]], sizes: Mapping[Node, Size]
) -> dict[Node, Node]:
    """Return the gradient with respect to every node that the seeded nodes depend on."""
    gradients: dict[Node, Node] = {}

    def add(node: Node, g: Node) -> None:
        gradients[node] = gradients[node] + g if node in gradients else g

    for node, seed in seeds:
        add(node, seed)
    for node in reversed(order):
        if node not in gradients:
            continue
        rule = DERIVATIVE[node.operation]
        for argument, g in zip(node.arguments, rule(node, gradients[node]), strict=True):
            if g is None or argument.operation is Operation.CONSTANT:
                continue
            spread = node.operation in POINTWISE and sizes[node] != "one"
            add(argument, Node(Operation.SUM, (g,)) if spread and sizes[argument] == "one" else g)
    return gradients


def _named_gradients(
    graph: Graph, forward: Mapping[str, Node], gradients: Mapping[Node, Node]
) -> dict[str, Node]:
    """Return the gradients with respect to named values and to everything learned."""
    values: dict[str, Node] = {}
    for name, node in forward.items():
        if node in gradients and node.operation is not Operation.INPUT:
            values[f"d_{name}_new" if name in graph.states else f"d_{name}"] = gradients[node]
    for node, g in gradients.items():
        if node.operation is Operation.LEARNED:
            values[f"d_{node.attribute.name}"] = g
        elif node.operation is Operation.AFFINE:
            values.setdefault(f"d_{node.attribute.name}_pre", g)
            for index, source in enumerate(node.arguments):
                term = Term(node.attribute, index)
                values[f"d_{term.weight}"] = Node(Operation.OUTER, (g, source), term)
                if node.attribute.blocks[index].bias is not None:
                    values[f"d_{node.attribute.weight(index, 'b')}"] = g
    return values
