"""One step of a cell as a graph of named values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from ..display import listed
from ..errors import CellError
from ..locks import cached_property
from .learned import Size
from .limits import short
from .node import Node, ordered
from .notation import expression
from .operation import ACTIVATIONS, CONDITIONS, LEAVES, Operation
from .sizes import UNITS, sizes, state_size
from .written import Written, as_letters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True, eq=False, init=False)
class Graph:
    """The equations of one time step, verified.

    Not final, for one class that adds how a derivative prints: this room knows no printer.

    Attributes:
        name: of the cell.
        inputs: what a step reads from outside, with sizes; the first is the cell's input x.
        states: what a step hands to the next, with sizes, in the order of the signature.
        values: every named value in an order in which they can be computed; the entry under a
            state's name is that state's next value.
        backward: whether the steps run from the last to the first, as a derivative's do.
        sizes: the size of every node.
        author: returns what `written` holds; set by what follows the author's function.

    Raises:
        CellError: cyclic use, a name that is neither input nor state, a state without a next
            value, sizes that cannot agree.
    """

    name: str
    inputs: Mapping[str, Size]
    states: Mapping[str, Size]
    values: Mapping[str, Node]
    backward: bool = False
    sizes: Mapping[Node, Size] = field(init=False, repr=False)
    author: Callable[[], Written] = field(init=False, repr=False)

    def __init__(
        self,
        name: str,
        inputs: Mapping[str, Size],
        states: Mapping[str, Size | None],
        values: Mapping[str, Node],
        backward: bool = False,
    ) -> None:
        """A state of size None takes the size of its next value."""
        set_field = partial(object.__setattr__, self)
        set_field("name", name)
        set_field("inputs", dict(inputs))
        set_field("states", states)
        set_field("values", dict(values))
        set_field("backward", backward)
        set_field("author", Written)
        for state in states:
            if state not in values:
                raise CellError(f"{name}: the state {state} has no next value")
        for node in self.order:
            self._check_leaf(node)
        set_field("sizes", sizes(self.order, inputs, states, values, self.describe))
        known = {state: self._state_size(state, size) for state, size in states.items()}
        set_field("states", known)

    def _state_size(self, state: str, size: Size | None) -> Size:
        old, new = Node(Operation.STATE, (), state), self.values[state]
        if new.operation in CONDITIONS:
            raise CellError(
                f"{self.describe(new)}: a condition such as a < b can only be used in where()"
            )
        size = size or self.sizes.get(old) or state_size(self.sizes[new])
        if size is None:
            size = "one" if self.sizes[new] == "one" else "hidden"
        if self.sizes[new] != size:
            raise CellError(
                f"{self.describe(new)}: sizes that cannot agree: the state {state} has "
                f"{UNITS[size]} units, its next value {UNITS[self.sizes[new]]}"
            )
        return size

    def _check_leaf(self, node: Node) -> None:
        names = {Operation.INPUT: self.inputs, Operation.STATE: self.states}.get(node.operation)
        if names is not None and node.attribute not in names:
            known = short(", ".join([*self.inputs, *self.states]))
            raise CellError(
                f"{self.describe(node)}: unknown name: {node.attribute} is not "
                f"an input or state of {self.name} ({known})"
            )

    def __deepcopy__(self, memo: dict[int, Any]) -> Graph:
        return self

    def __repr__(self) -> str:
        names = listed([*self.inputs, *self.states])
        return f"Graph({self.name}: {names}; {len(self.values)} values)"

    @cached_property
    def order(self) -> tuple[Node, ...]:
        """All nodes, arguments before users."""
        try:
            return tuple(ordered(list(self.values.values())))
        except CellError as error:
            raise CellError(f"{self.name}: {error}") from None

    def tell(self, author: Callable[[], Written]) -> None:
        """Set what says, when it is asked, what the author wrote."""
        object.__setattr__(self, "author", author)

    @cached_property
    def written(self) -> Written:
        """What the author wrote and the equations do not hold, less what would look like
        something else: a hyperparameter called x_t stands as its number.
        """
        return self.author().without(self._letters)

    @property
    def _letters(self) -> set[str]:
        """How inputs, values, learned parts and functions look in print."""
        weights = {
            layer.attribute.weight(index, kind)
            for layer in self.layers
            for index in range(len(layer.attribute.blocks))
            for kind in "Wb"
        }
        functions = {node.operation for node in self.order}
        names = self.taken | weights | {PRINTED.get(each, each.value) for each in functions}
        letters = {as_letters(name) for name in names}
        return letters | {f"{each}t" for each in letters}

    @cached_property
    def as_written(self) -> Graph:
        """The same equations for print: hyperparameters by their names, as learned scalars are."""
        numbers = self.written.numbers
        new: dict[Node, Node] = {}
        for node in self.order if numbers else ():
            arguments = tuple(
                numbers.get((node, place), new[argument])
                for place, argument in enumerate(node.arguments)
            )
            new[node] = Node(node.operation, arguments, node.attribute)
        if not new:
            return self
        values = {name: new[node] for name, node in self.values.items()}
        graph = Graph(self.name, self.inputs, self.states, values, self.backward)
        graph.tell(partial(Written, self.written.names))
        return graph

    @cached_property
    def names(self) -> Mapping[Node, str]:
        """The name of each computed value that has one; the first of several."""
        return names(self.values)

    @cached_property
    def lines(self) -> Mapping[str, Node]:
        """The values that have a line of their own in print: the named ones, and long parts.

        A part that stands in several places, or makes a line long or deep, is written once, under
        a name such as v1: the text then grows with the graph, however values are shared. A short
        part to which its author gave no name stands in every place. The line of a state's new
        value stands behind those that read its old one, as one name stands for both, unless one of
        these needs the new value.
        """
        own = self.written.names
        named = {n: v for n, v in self.values.items() if own is None or n in own}
        return _old_states_first(in_order({**named, **_long_parts(self, named)}), self.states)

    @cached_property
    def line_names(self) -> Mapping[Node, str]:
        """The name of each value that has a line, as `names`."""
        return names(self.lines)

    @cached_property
    def owners(self) -> Mapping[Node, str]:
        """For each node, the first named value in whose equation it stands."""
        return owners(self.values)

    @cached_property
    def probes(self) -> Mapping[str, Node]:
        """Every value that can be watched: the named ones and what activations are applied to.

        The argument of ``f = sigmoid(...)`` goes by ``f_pre`` unless it has a name of its own.
        """
        probes: dict[str, Node] = {}
        for name, node in self.values.items():
            if node.operation in ACTIVATIONS and f"{name}_pre" not in self.values:
                (argument,) = node.arguments
                if argument not in self.names and argument.operation not in LEAVES:
                    probes[f"{name}_pre"] = argument
            probes[name] = node
        return probes

    @cached_property
    def layers(self) -> tuple[Node, ...]:
        """The learned layers."""
        return tuple(node for node in self.order if node.operation is Operation.AFFINE)

    @cached_property
    def learned(self) -> tuple[Node, ...]:
        """The learned vectors and scalars."""
        return tuple(node for node in self.order if node.operation is Operation.LEARNED)

    @property
    def output(self) -> str:
        """The state that is the cell's output: h, or the first one."""
        return output(tuple(self.states))

    def unused(self, name: str) -> str:
        """Return a name like this one that no input, state, value or learned part has."""
        taken = self.taken
        while name in taken:
            name = f"{name}_"
        return name

    @property
    def taken(self) -> set[str]:
        """The names of its inputs, states, values and learned parts."""
        learned = {node.attribute.name for node in self.learned}
        return {*self.inputs, *self.states, *self.values} | learned

    def describe(self, node: Node) -> str:
        """Return where a node stands, for messages: ``lstm: f = sigmoid(...)``."""
        name = self.owners.get(node)
        if name is None:
            return self.name
        return f"{self.name}: {name} = {expression(self.values[name], self.names)}"


PRINTED = {
    Operation.SIGMOID: "sigma",
    Operation.MINIMUM: "min",
    Operation.MAXIMUM: "max",
    Operation.DIMENSION: "dim",
    Operation.NORMALIZE: "norm",
}
"""Functions that formulas call otherwise than their operations are called."""

LONG = 60
"""Operations and operands in one printed equation from which on a part gets a line of its own."""

DEEP = 12
"""Operations inside one another from which on the inner ones get a line of their own."""

REPEATED = 10
"""Operations and operands from which on a part that stands in several places is written once."""


def _long_parts(graph: Graph, named: Mapping[str, Node]) -> dict[str, Node]:
    """Return the parts beside the named values that are printed as lines, under names for them."""
    uses = Counter(argument for node in graph.order for argument in node.arguments)
    taken, known, lines = graph.taken, graph.names, names(named)
    free = (name for name in map("v{}".format, count(1)) if name not in taken)
    lengths: dict[Node, int] = {}
    depths: dict[Node, int] = {}
    found: dict[str, Node] = {}
    for node in graph.order:
        length = 1 + sum(lengths[argument] for argument in node.arguments)
        depth = 1 + max((depths[argument] for argument in node.arguments), default=0)
        is_name = node in lines or not node.arguments
        is_long = length > LONG or depth > DEEP or (length > REPEATED and uses[node] > 1)
        if is_long and not is_name:
            found[known.get(node) or next(free)] = node
        lengths[node], depths[node] = (1, 0) if is_name or is_long else (length, depth)
    return found


def output(states: tuple[str, ...]) -> str:
    """Return which of a cell's states is its output: the one called h, else the first."""
    return "h" if "h" in states else states[0]


def names(values: Mapping[str, Node]) -> dict[Node, str]:
    """Return the name of each computed value; the first where it has several.

    The old value of a state is no computed value: it goes by the state's own name.
    """
    found: dict[Node, str] = {}
    for name, node in values.items():
        if node.operation not in LEAVES:
            found.setdefault(node, name)
    return found


def owners(values: Mapping[str, Node]) -> dict[Node, str]:
    """Return for each node the first of the values in whose equation it stands."""
    named, found = names(values), {}
    for name, value in values.items():
        stack = [value]
        while stack:
            node = stack.pop()
            if node not in found and (node is value or node not in named):
                found[node] = name
                stack.extend(node.arguments)
    return found


def in_order(values: Mapping[str, Node]) -> dict[str, Node]:
    """Return the same values in an order in which they can be computed, else in the given one."""
    aliases: dict[Node, list[str]] = {}
    for name, node in values.items():
        aliases.setdefault(node, []).append(name)
    return {name: node for node in ordered(list(values.values())) for name in aliases.get(node, ())}


def _old_states_first(lines: Mapping[str, Node], states: Iterable[str]) -> dict[str, Node]:
    """Return lines in an order in which old values of states are read before the new ones stand.

    Nothing else changes places; where a line needs both values of a state, nothing does.
    """
    named = names(lines)
    read = {name: read_by(name, node, named) for name, node in lines.items()}
    lines_read = {name: {named[n] for n in nodes if n in named} for name, nodes in read.items()}
    waited_for = {
        state: {
            name
            for name, nodes in read.items()
            if name != state and Node(Operation.STATE, (), state) in nodes
        }
        for state in states
    }
    placed: dict[str, Node] = {}
    waiting = list(lines)
    while waiting:
        left = []
        for name in waiting:
            needed = lines_read[name] | waited_for.get(name, set())
            if needed <= placed.keys():
                placed[name] = lines[name]
            else:
                left.append(name)
        if len(left) == len(waiting):  # the first one reads none of the others
            name = left.pop(0)
            placed[name] = lines[name]
        waiting = left
    return placed


def read_by(name: str, line: Node, named: Mapping[Node, str]) -> set[Node]:
    """Return what stands in the line of a name: nodes with a line of their own, and leaves."""
    if named.get(line, name) != name:  # a second name of a value
        return {line}
    found: set[Node] = set()
    seen, stack = {line}, [line]
    while stack:
        node = stack.pop()
        if node is not line and node in named:
            found.add(node)
            continue
        if not node.arguments:
            found.add(node)
        stack += set(node.arguments) - seen
        seen.update(node.arguments)
    return found
