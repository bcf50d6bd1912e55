"""The number of units of every value, inferred from the way the equations use it."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, final

from ..errors import CellError
from .learned import Size
from .node import Node
from .notation import expression
from .operation import CONDITIONS, POINTWISE, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

UNITS: dict[str, str] = {"input": "I", "hidden": "H", "projection": "P", "one": "1"}


def sizes(
    order: Sequence[Node],
    inputs: Mapping[str, Size | None],
    states: Mapping[str, Size | None],
    values: Mapping[str, Node],
    describe: Callable[[Node], str],
) -> dict[Node, Size]:
    """Return the size of every node of `order`; raise CellError where two sizes cannot agree.

    A state has the size of its next value, a learned vector that of what it is combined with;
    what nothing decides has size "hidden".
    """
    known = _Inference(order, inputs, states, values).run()
    for node in order:
        _agree(node, known, describe)
    return known


@final
class _Inference:
    """Finds sizes round by round, in each round only for nodes next to which one became known."""

    def __init__(
        self,
        order: Sequence[Node],
        inputs: Mapping[str, Size | None],
        states: Mapping[str, Size | None],
        values: Mapping[str, Node],
    ) -> None:
        self.order, self.inputs, self.states, self.values = order, inputs, dict(states), values
        self.found: dict[Node, Size | None] = dict.fromkeys(order)
        self.places = {node: place for place, node in enumerate(order)}
        self.users: dict[Node, list[int]] = {}
        for place, node in enumerate(order):
            for argument in node.arguments:
                self.users.setdefault(argument, []).append(place)
        self.next_of: dict[Node, list[str]] = {}  # the states whose next value a node is
        for state in states:
            self.next_of.setdefault(values[state], []).append(state)
        self.pending = [(0, place) for place in range(len(order))]  # (round, place), a heap

    def run(self) -> dict[Node, Size]:
        """Return the size of every node."""
        self._propagate()
        for node in self.order:
            if self.found[node] is None:
                self._decide(0, node, _default(node, self.values, self.found))
                self._propagate()
        return {node: size for node, size in self.found.items() if size is not None}

    def _propagate(self) -> None:
        while self.pending:
            turn, place = heappop(self.pending)
            node = self.order[place]
            size = self.found[node] or _size(node, self.found, self.inputs, self.states)
            if size is not None and self.found[node] is None:
                self._decide(turn, node, size)
            if node.operation in POINTWISE and size not in (None, "one"):
                for argument in node.arguments:
                    if self.found[argument] is None and argument.operation is Operation.LEARNED:
                        self._decide(turn, argument, size, place)

    def _decide(self, turn: int, node: Node, size: Size | None, now: int | None = None) -> None:
        """Note a size; what depends on it is looked at in this round if it is yet to come."""
        self.found[node] = size
        now = self.places[node] if now is None else now
        for place in (*self.users.get(node, ()), self.places[node]):
            if place != now:
                heappush(self.pending, (turn if place > now else turn + 1, place))
        for state in self.next_of.get(node, ()):
            self.states[state] = self.states[state] or state_size(size)
            old = self.places.get(Node(Operation.STATE, (), state))
            if old is not None:
                heappush(self.pending, (turn + 1, old))


def state_size(new: Size | None) -> Size | None:
    """Return the size that its next value gives a state, None where it does not say.

    A number fits a state of any size. A state never has the I units of the input: a cell that
    mixes the two without a learned layer is wrong for every layer but one with H = I.
    """
    return new if new in ("hidden", "projection") else None


def _default(node: Node, values: Mapping[str, Node], found: Mapping[Node, Size | None]) -> Size:
    """Return the size of a value that nothing decides: a state that only ever holds a number is
    one.
    """
    if node.operation is Operation.STATE:
        return "one" if found[values[node.attribute]] == "one" else "hidden"
    return "hidden"


def _size(
    node: Node,
    found: Mapping[Node, Size | None],
    inputs: Mapping[str, Size | None],
    states: Mapping[str, Size | None],
) -> Size | None:
    """Return the size of a node as far as its arguments' sizes are known."""
    operation, attribute = node.operation, node.attribute
    if operation is Operation.INPUT:
        return inputs[attribute]
    if operation is Operation.STATE:
        return states[attribute]
    if operation in (Operation.LEARNED, Operation.AFFINE):
        return attribute.size
    if operation in (Operation.CONSTANT, Operation.SUM, Operation.DIMENSION):
        return "one"
    if operation is Operation.TRANSPOSED:
        return attribute.layer.blocks[attribute.source].size
    known: list[Size | None] = [found[argument] for argument in node.arguments]
    if operation is Operation.BROADCAST:
        return known[1]
    if operation in (Operation.NORMALIZE, Operation.OUTER):
        return known[0]
    # Pointwise: numbers fit every size; None while one is missing.
    for size in known:
        if size is not None and size != "one":
            return size
    return None if None in known else "one"


def _agree(node: Node, found: Mapping[Node, Size], describe: Callable[[Node], str]) -> None:
    """Raise CellError where the arguments of a node do not fit each other."""
    is_select = node.operation is Operation.SELECT
    conditions = [argument.operation in CONDITIONS for argument in node.arguments]
    several = {a: found[a] for a in node.arguments if found[a] != "one"}
    problem = None
    if is_select and not conditions[0]:
        problem = "where() needs a condition such as a < b as its first argument"
    elif any(conditions[is_select:]):
        problem = "a condition such as a < b can only be used in where()"
    elif node.operation is Operation.BROADCAST and node.arguments[0] in several:
        problem = "only a value of one unit can be spread over units"
    elif node.operation in POINTWISE and len(set(several.values())) > 1:
        parts = [f"{expression(a)} has {UNITS[size]} units" for a, size in several.items()]
        problem = (
            f"sizes that cannot agree: {', '.join(parts)}; "
            "bring them together with affine() or project()"
        )
    if problem is not None:
        raise CellError(f"{describe(node)}: {problem}")
