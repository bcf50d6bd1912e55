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
from .operation import CONDITIONS, LEAVES, POINTWISE, Operation
from .rewrite import map_graph, simplified, states_as_inputs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .learned import Size


def _nothing(node: Node, g: Node, *arguments: Node) -> tuple[None, ...]:
    """Return None for what has no gradient: leaves, conditions, numbers of units."""
    return (None,) * len(arguments)


def _smaller(g: Node, a: Node, b: Node) -> Node:
    """Return g where a < b, half of it where they are equal, else 0."""
    return where(a < b, g, where(b < a, 0, 0.5 * g))


def _normalize(node: Node, g: Node, a: Node) -> tuple[Node, ...]:
    """Scale g less its parts along 1 and along the result (Ba et al. 2016)."""
    centred = a - mean(a)
    scale = 1 / Node(Operation.SQRT, (mean(centred * centred) + node.attribute,))
    return (scale * (g - mean(g) - node * mean(g * node)),)


def _affine(node: Node, g: Node, *sources: Node) -> tuple[Node, ...]:
    """Bring g to each source through the transposed weight."""
    terms = [Term(node.attribute, index) for index in range(len(sources))]
    return tuple(Node(Operation.TRANSPOSED, (g,), term) for term in terms)


WITHOUT_GRADIENT = (*LEAVES, *CONDITIONS, Operation.DIMENSION)

DERIVATIVE: dict[Operation, Callable[..., tuple[Node | None, ...]]] = {
    **dict.fromkeys(WITHOUT_GRADIENT, _nothing),
    Operation.ADD: lambda v, g, a, b: (g, g),
    Operation.SUB: lambda v, g, a, b: (g, -g),
    Operation.MUL: lambda v, g, a, b: (g * b, g * a),
    Operation.DIV: lambda v, g, a, b: (g / b, -(g / b * v)),
    Operation.NEG: lambda v, g, a: (-g,),
    Operation.SIGMOID: lambda v, g, a: (g * (v * (1 - v)),),
    Operation.TANH: lambda v, g, a: (g * (1 - v * v),),
    Operation.RELU: lambda v, g, a: (where(v <= 0, 0, g),),
    Operation.EXP: lambda v, g, a: (g * v,),
    Operation.LOG: lambda v, g, a: (g / a,),
    Operation.SQRT: lambda v, g, a: (0.5 * g / v,),
    Operation.ABS: lambda v, g, a: (where(a > 0, g, where(a < 0, -g, 0)),),
    Operation.MINIMUM: lambda v, g, a, b: (_smaller(g, a, b), _smaller(g, b, a)),
    Operation.MAXIMUM: lambda v, g, a, b: (_smaller(g, b, a), _smaller(g, a, b)),
    Operation.SELECT: lambda v, g, where_, a, b: (None, where(where_, g, 0), where(where_, 0, g)),
    Operation.SUM: lambda v, g, a: (Node(Operation.BROADCAST, (g, a)),),
    Operation.BROADCAST: lambda v, g, a, like: (Node(Operation.SUM, (g,)), None),
    Operation.NORMALIZE: _normalize,
    Operation.AFFINE: _affine,
}
"""For each operation of a forward step: from its node v, the gradient g with respect to it, and its
arguments, the gradients with respect to these. TRANSPOSED and OUTER stand only in derivatives,
which are differentiated through the eager backend."""


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
    arriving = [(forward[state], seed) for state, seed in seeds.items()]
    for name, node in probes.items():
        arriving.append((node, Node(Operation.INPUT, (), returned_input(graph, name))))
    gradients = _gradients(ordered([node for node, _ in arriving]), arriving, sizes)
    values: dict[str, Node] = {}
    for name in (*graph.states, *graph.inputs):
        leaf = Node(Operation.INPUT, (), name)
        zero = Node(Operation.BROADCAST, (constant(0), seeds.get(name, leaf)))
        values[f"d_{name}"] = gradients.get(leaf, zero)
    for name, node in _named_gradients(graph, forward, gradients).items():
        values.setdefault(name, node)
    needed = set(ordered(list(values.values())))
    for name, node in forward.items():
        if node in needed and node.operation is not Operation.INPUT:
            values.setdefault(f"{name}_new" if name in graph.states else name, node)
    inputs: dict[str, Size] = {**graph.inputs, **graph.states, **further}
    states: dict[str, Size] = {f"d_{state}": size for state, size in graph.states.items()}
    backward = Graph(f"{graph.name}_backward", inputs, states, in_order(values), backward=True)
    return map_graph(backward, simplified)


def returned_input(graph: Graph, name: str) -> str:
    """Return the name of the derivative's input for the gradient with respect to a value."""
    return graph.unused(f"returned_{name}")


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
        parts = DERIVATIVE[node.operation](node, gradients[node], *node.arguments)
        for argument, g in zip(node.arguments, parts, strict=True):
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
