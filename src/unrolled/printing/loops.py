"""One step of a cell as loops over units: for languages that compute number by number.

Values that are needed together become lines of one loop. A learned layer, a sum over the units and
a normalisation need whole vectors; they stand between the loops, in rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, final

from ..graph.node import Node, ordered
from ..graph.operation import LEAVES, Operation

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from ..graph.learned import Size

WHOLE = frozenset({Operation.AFFINE, Operation.SUM, Operation.NORMALIZE})
"""Operations that need all units of what they read."""


class Product(NamedTuple):
    """Learned layers that read the same sources; their sums stand side by side.

    Attributes:
        layers: their nodes.
        sources: what they read.
    """

    layers: tuple[Node, ...]
    sources: tuple[Node, ...]


class Total(NamedTuple):
    """A sum over the units, or the two moments of a normalisation.

    Attributes:
        node: SUM or NORMALIZE.
        name: of the sum; of a normalisation, what the names of its moments begin with.
    """

    node: Node
    name: str


class Line(NamedTuple):
    """A value that is computed for each unit.

    Attributes:
        name: of the value.
        node: its equation; where that is another line's, or a learned layer's, the same again.
        is_kept: whether something beside the loop reads it, so that all units are kept.
    """

    name: str
    node: Node
    is_kept: bool


class Loop(NamedTuple):
    """Lines over the units of one size; those of size one stand alone."""

    size: Size
    lines: tuple[Line, ...]


Statement = Product | Total | Loop


@final
class Loops:
    """The statements of one step.

    Args:
        graph: of the cell.
        keep_all: whether all named values are computed and kept, not those alone that states need.

    Attributes:
        graph: of the cell.
        statements: in the order in which they are computed.
        names: of the nodes that are written as names, and not by their operations.
        arrays: by name, the size of what is kept of all units, apart from states.
        late: states whose new values are kept apart until the end: their old ones are read behind.
        places: of each learned layer's sums: its product's number, and its place there.
    """

    def __init__(self, graph: Graph, keep_all: bool = False) -> None:
        self.graph = graph
        self._keeps_all = keep_all
        needed = (
            graph.values if keep_all else {state: graph.values[state] for state in graph.states}
        )
        self._order = ordered(list(needed.values()))
        self._taken = set(graph.taken)
        self._rounds: dict[Node, int] = {}
        for node in self._order:
            self._rounds[node] = self._round(node)
        self.names = self._named()
        self._lines = self._ordered_lines()
        self.statements = tuple(self._statements(keep_all))
        self.places = {
            layer: (number, place)
            for number, product in enumerate(self.products)
            for place, layer in enumerate(product.layers)
        }
        self.late = frozenset(state for state in graph.states if self._is_late(state))
        kept: dict[str, Size] = {
            line.name: self.graph.sizes[line.node]
            for statement in self.statements
            if isinstance(statement, Loop)
            for line in statement.lines
            if line.is_kept and line.name not in graph.states
        }
        self.arrays: Mapping[str, Size] = kept

    @property
    def all_names(self) -> list[str]:
        """Whatever has a name: inputs, states, learned parts, lines, sums and moments."""
        graph = self.graph
        learned = [node.attribute.name for node in graph.learned]
        totals = [each.name for each in self.statements if isinstance(each, Total)]
        lines = [
            line.name for each in self.statements if isinstance(each, Loop) for line in each.lines
        ]
        return [*graph.inputs, *graph.states, *learned, *self.names.values(), *lines, *totals]

    @property
    def products(self) -> list[Product]:
        """All products, in the order in which they are computed."""
        return [each for each in self.statements if isinstance(each, Product)]

    def _unused(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name

    def _round(self, node: Node) -> int:
        """Return after how many rounds a node is known."""
        rounds = [self._rounds[argument] for argument in node.arguments]
        if node.operation in WHOLE:
            is_leaf = [argument.operation in LEAVES for argument in node.arguments]
            rounds = [each + (not leaf) for each, leaf in zip(rounds, is_leaf, strict=True)]
        return max(rounds, default=0)

    def _named(self) -> dict[Node, str]:
        """Return the names of nodes: those in print, and of whatever is needed whole."""
        there = set(self._order)
        names = {node: name for node, name in self.graph.line_names.items() if node in there}
        for node in self._order:
            if node.operation in WHOLE:
                for place, source in enumerate(node.arguments):
                    if source not in names and source.operation not in LEAVES:
                        names[source] = self._unused(f"{self._owner(node)}_in{place or ''}")
            if node.operation is Operation.AFFINE:
                name = names.get(node)
                if name is None or name in self.graph.states:
                    names[node] = self._unused(f"{name or node.attribute.name}_sum")
            elif node.operation is Operation.SUM and names.get(node) is None:
                names[node] = self._unused(f"{self._owner(node)}_total")
        return names

    def _prefix(self, node: Node) -> str:
        """Return what the names of a normalisation's moments begin with, such as ``i_``."""
        prefix = f"{self._owner(node)}_"
        while not self._taken.isdisjoint({f"{prefix}mean", f"{prefix}scale"}):
            prefix += "_"
        self._taken |= {f"{prefix}mean", f"{prefix}scale"}
        return prefix

    def _owner(self, node: Node) -> str:
        """Return the name of the value in whose equation a node stands."""
        if node.operation is Operation.AFFINE:
            return node.attribute.name
        return self.graph.owners.get(node, "v")

    def _ordered_lines(self) -> list[tuple[str, Node]]:
        """Return all lines, by the rounds in which they are computed."""
        printed = {
            name: node
            for name, node in self.graph.lines.items()
            if self._keeps_all or name in self.graph.states or self.names.get(node) == name
        }
        extra = {name: node for node, name in self.names.items() if name not in printed}
        places = {node: place for place, node in enumerate(self._order)}
        lines = list(printed.items())
        for name, node in extra.items():
            if node.operation not in (Operation.AFFINE, Operation.SUM):
                after = sum(places.get(other, -1) < places[node] for _, other in lines)
                lines.insert(after, (name, node))
        return sorted(lines, key=lambda line: self._rounds[line[1]])

    def _statements(self, keep_all: bool) -> Iterator[Statement]:
        """Give the statements, round by round."""
        for number in range(max(self._rounds.values(), default=0) + 1):
            nodes = [node for node in self._order if self._rounds[node] == number]
            yield from _products(nodes)
            for node in nodes:
                if node.operation in (Operation.SUM, Operation.NORMALIZE):
                    is_sum = node.operation is Operation.SUM
                    yield Total(node, self.names[node] if is_sum else self._prefix(node))
            lines = [line for line in self._lines if self._rounds[line[1]] == number]
            by_size: dict[Size, list[tuple[str, Node]]] = {"one": []}
            for name, node in lines:
                is_done = node.operation in (Operation.AFFINE, Operation.SUM)
                if not (is_done and self.names[node] == name):
                    by_size.setdefault(self.graph.sizes[node], []).append((name, node))
            for size, each in by_size.items():
                if each:
                    inside = {name for name, _ in each}
                    yield Loop(
                        size,
                        tuple(
                            Line(name, node, keep_all or self._is_kept(name, node, inside))
                            for name, node in each
                        ),
                    )

    def _is_kept(self, name: str, node: Node, inside: set[str]) -> bool:
        """Return whether a line is read outside its loop."""
        if name in self.graph.states:
            return True
        if self.names.get(node) != name:
            return False
        readers = [line for line in self._lines if node in self.reads(line[1])]
        is_whole = any(
            node in set(each.arguments) for each in self._order if each.operation in WHOLE
        )
        return is_whole or any(reader not in inside for reader, _ in readers)

    def reads(self, line: Node) -> set[Node]:
        """Return the names and leaves that stand in the equation of a line."""
        found: set[Node] = set()
        stack = [line] if self.names.get(line) is None else list(line.arguments)
        if line.operation in LEAVES:
            return {line}
        while stack:
            node = stack.pop()
            is_whole = node.operation in (Operation.AFFINE, Operation.SUM)
            if node in self.names or node.operation in LEAVES or is_whole:
                found.add(node)
            else:
                stack.extend(node.arguments)
        return found

    def _is_late(self, state: str) -> bool:
        """Return whether the old value of a state is read behind the line of its new one."""
        old = Node(Operation.STATE, (), state)
        is_behind = False
        for statement in self.statements:
            if isinstance(statement, Loop):
                for line in statement.lines:
                    if is_behind and old in self.reads(line.node):
                        return True
                    is_behind |= line.name == state
            elif is_behind:
                read = (
                    statement.sources
                    if isinstance(statement, Product)
                    else (statement.node.arguments)
                )
                if old in set(read):
                    return True
        return False


def _products(nodes: list[Node]) -> Iterator[Product]:
    """Give the learned layers among nodes, those with the same sources together."""
    groups: dict[tuple[int, ...], list[Node]] = {}
    for node in nodes:
        if node.operation is Operation.AFFINE:
            groups.setdefault(tuple(map(id, node.arguments)), []).append(node)
    for layers in groups.values():
        yield Product(tuple(layers), layers[0].arguments)
