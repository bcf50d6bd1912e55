"""Equations that can be computed but hardly mean what they say: warnings for who writes a cell.

A value whose name begins with an underscore is meant as it is: nothing is said of it.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple, final

from ..errors import CellWarning
from ..graph.graph import owners
from ..graph.node import Node, ordered
from ..graph.operation import CONDITIONS, LEAVES, Operation
from .language import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..graph.graph import Graph
    from .function import CellFunction
    from .language import Site


class Traced(NamedTuple):
    """A cell that has just been traced.

    Attributes:
        graph: its equations.
        named: their values as the function has written them, before learned parts had names.
        returned: all variables of the function.
        sites: for each learned part, in order of appearance, where it was made.
    """

    graph: Graph
    named: Mapping[str, Node]
    returned: Mapping[str, Any]
    sites: Sequence[Site]


class Trap(NamedTuple):
    """What hardly means what it says, and the line where it stands, if it is known."""

    line: int | None
    text: str


def warn(function: CellFunction, traced: Traced) -> None:
    """Warn, as of the function's own lines, of all that hardly means what it says."""
    for line, text in _Traps(function, traced).all():
        place = f"line {line}: " if line else ""
        message = f"{function.name}: {place}{text}"
        warnings.warn_explicit(
            message,
            CellWarning,
            function.file,
            line or function.line,
            module=function.module,
            registry=function.registry,
        )


HIDDEN = frozenset({"h", "ht", "hx", "hidden", "hidden_state"})
"""What people call the hidden state: a cell's output."""

OUTPUTS = frozenset({"y", "yt", "out", "output", "outputs"})
"""What else people call an output."""

MARKS = ("_t", "_new", "_next")
"""What people add to the name of a new value."""

PARTS = {"affine": "layers", "project": "projections", "layer_norm": "layer norms"}
"""What a function of the language makes in a loop; of the others learned values."""


@final
class _Traps:
    """Looks for traps in one cell."""

    def __init__(self, function: CellFunction, traced: Traced) -> None:
        self.function = function
        self.graph, self.named, self.returned, self.sites = traced
        self.new = {state: self.named[state] for state in self.graph.states}
        self.live = set(ordered(list(self.new.values())))
        self.order = ordered(list(self.named.values()))
        self.users: dict[Node, list[Node]] = {}
        for node in self.order:
            for argument in node.arguments:
                self.users.setdefault(argument, []).append(node)
        self.parts = {n.attribute.place: n for n in self.order if isinstance(n.attribute, Call)}
        self.said: set[str] = set()  # the names of values of which something was said

    def all(self) -> Iterator[Trap]:
        """Yield all traps, in the order in which a reader would look for them."""
        yield from self._loops()
        yield from self._outputs()
        yield from self._unused_input()
        yield from self._unused_values()
        yield from self._unused_parts()
        yield from self._unlearned()
        yield from self._states()

    def _line(self, name: str) -> int | None:
        """Return the line that gives a value its name."""
        lines = self.function.assignments(name)
        return lines[-1] if lines else None

    # Learned parts.

    def _loops(self) -> Iterator[Trap]:
        """Yield the lines that make a learned part anew in every turn, of what the last one made.

        Parts that read the same, or side by side, or what no one part could read, are several in
        every reading of the line.
        """
        turns: dict[tuple[Any, str], list[int]] = {}
        for place in self.parts:
            call: Call = self.parts[place].attribute
            turns.setdefault((self.sites[place].path, call.role), []).append(place)
        found: dict[tuple[int | None, str], int] = {}
        for places in turns.values():
            site, nodes = self.sites[places[0]], [self.parts[place] for place in sorted(places)]
            if len(nodes) > 1 and len(set(map(_kind, nodes))) == 1 and self._follows(*nodes[:2]):
                found[site.line, site.user] = len(nodes)
        for (line, user), count in found.items():
            if user in ("vector", "scalar"):
                share = "to share one, make it before the loop"
            elif user == "layer_norm":
                share = (
                    "to share one, make gain = vector(1.0) and offset = vector(0.0) before the "
                    "loop and write normalize(v) * gain + offset"
                )
            else:
                share = "a cell cannot apply one layer twice (docs/extending.md)"
            parts = PARTS.get(user, f"learned {user}s")
            yield Trap(
                line,
                f"{user}() makes a new one in every turn of the loop, {count} {parts} with "
                f"parameters of their own; {share}. If they are meant to differ: "
                f'warnings.filterwarnings("ignore", "{self.function.name}: ", '
                "unrolled.CellWarning)",
            )

    def _follows(self, first: Node, second: Node) -> bool:
        """Return whether a learned part is applied to what an earlier one has made."""
        if second.operation is Operation.AFFINE:
            return first in set(ordered([second]))
        others = [n for user in self.users.get(second, ()) for n in user.arguments]
        return first in set(ordered([node for node in others if node is not second]))

    def _unused_parts(self) -> Iterator[Trap]:
        """Yield the learned parts that no named value is computed from: they have no parameters."""
        meant = {
            value.attribute.place
            for name, value in self.returned.items()
            if name.startswith("_")
            and isinstance(value, Node)
            and isinstance(value.attribute, Call)
        }
        unused = [p for p in range(len(self.sites)) if p not in self.parts and p not in meant]
        for line, user in dict.fromkeys((self.sites[p].line, self.sites[p].user) for p in unused):
            yield Trap(line, f"nothing uses what {user}() makes here: it has no parameters")

    def _unlearned(self) -> Iterator[Trap]:
        """Yield the learned parts whose gradient is 0, whatever the numbers are."""
        moved = _with_gradient(list(self.new.values()))
        owner = owners(self.named)
        found: dict[Trap, None] = {}
        for place, node in self.parts.items():
            if node in self.live and node not in moved:
                site, name = self.sites[place], owner[node]
                text = (
                    f"{site.user}() in {name} never learns: its gradient is always 0, as it "
                    "reaches the states through conditions or products with 0 alone"
                )
                found[Trap(site.line, text)] = None
        yield from found

    # Values.

    def _outputs(self) -> Iterator[Trap]:
        """Yield values and states that are called like the output and are not."""
        states, output = list(self.graph.states), self.graph.output
        why = "the state h" if output == "h" else f"{output}, the first state, as none is called h"
        for state in states[1:] if "h" not in states and _plain(output) not in HIDDEN else ():
            if _plain(state) in HIDDEN or (
                _plain(state) in OUTPUTS and _plain(output) not in OUTPUTS
            ):
                text = f"the cell's output is {why}; if {state} is meant, call it h or put it first"
                yield Trap(self._line(state), text)
        has_hidden = any(_plain(state) in HIDDEN for state in states)
        for name, node in self.named.items():
            is_dead = node not in self.live
            hides = (_plain(name) in HIDDEN and not has_hidden) or (
                _plain(name) in OUTPUTS and is_dead
            )
            if hides and name not in states and node is not self.new[output]:
                self.said.add(name)
                yield Trap(
                    self._line(name),
                    f"{name} is not the cell's output: that is {why}. Assign what is to be the "
                    "output to a state called h, or compute it from the layer's output outside "
                    f"the cell; if {name} is only to be recorded, call it _{name}",
                )

    def _unused_values(self) -> Iterator[Trap]:
        """Yield the named values that nothing reads, unless they only measure the new states."""
        dead = [node for node in self.order if node not in self.live]
        read = {argument for node in dead for argument in node.arguments}
        new = {node for node in self.new.values() if node.operation not in LEAVES}
        learned, measuring = set(), set()  # with a learned part; computed of a state's new value
        for node in dead:
            if isinstance(node.attribute, Call) or not learned.isdisjoint(node.arguments):
                learned.add(node)
            if not (measuring.isdisjoint(node.arguments) and new.isdisjoint(node.arguments)):
                measuring.add(node)
        for name, node in self.named.items():
            is_quiet = name.startswith("_") or name in self.said or node.operation in LEAVES
            if node in self.live or node in read or is_quiet:
                continue
            is_statistic = self.graph.sizes[self.graph.values[name]] == "one"
            if node in learned or not (node in measuring or is_statistic):
                weights = ", and what it has learned gets no gradient" if node in learned else ""
                yield Trap(
                    self._line(name),
                    f"nothing uses {name}: no state depends on it{weights}. If it is only to be "
                    f"recorded, call it _{name}",
                )

    def _unused_input(self) -> Iterator[Trap]:
        """Yield the input, if no state depends on it."""
        x = next(iter(self.graph.inputs))
        if Node(Operation.INPUT, (), x) not in self.live and not x.startswith("_"):
            text = f"nothing uses the input {x}: no state depends on it. If that is meant, call it"
            yield Trap(self.function.line or None, f"{text} _{x}")

    # States.

    def _states(self) -> Iterator[Trap]:
        """Yield the states whose old value means nothing."""
        output = self.graph.output
        reads = {state: _old_states(node) for state, node in self.new.items()}
        reaching, found = [output], {output}
        for state in reaching:
            reaching += (more := [s for s in reads[state] if s not in found])
            found.update(more)
        read = {state for states in reads.values() for state in states}
        late = [s for s in self.new if s not in read and self.function.is_assigned_first(s)]
        for state in late:
            first, *_ = self.function.assignments(state)
            yield Trap(
                first,
                f"{state} is assigned before its old value is read: from here on {state} is the "
                "new value, and nothing reads the old one. Read it above, or keep it: "
                f"old = {state}",
            )
        for state in self.new:
            if state not in found and state not in late and not state.startswith("_"):
                yield Trap(
                    self._line(state),
                    f"the state {state} never influences the output {output}: layers above and "
                    f"losses on the output do not see it. If that is meant, call it _{state}",
                )
        if not any(reads[state] for state in reaching) and output not in late:
            yield Trap(
                self._line(output),
                f"the cell has no memory: the output {output} depends on no old value of a state",
            )


def _kind(node: Node) -> tuple[bool, ...]:
    """Return what a learned part has to have in common with another to be shared with it."""
    return tuple(argument.operation is Operation.INPUT for argument in node.arguments)


def _plain(name: str) -> str:
    """Return a name without what people add to it for a new value."""
    name = name.lower()
    for mark in MARKS:
        name = name.removesuffix(mark).removeprefix(mark[1:] + "_")
    return name


def _old_states(node: Node) -> list[str]:
    """Return the states whose old value a node depends on."""
    return [n.attribute for n in ordered([node]) if n.operation is Operation.STATE]


def _with_gradient(roots: list[Node]) -> set[Node]:
    """Return the nodes below `roots` whose gradient is not 0 by the equations' form alone."""
    order = ordered(roots)
    numbers: dict[Node, float] = {}
    for node in order:
        number = _number(node, numbers)
        if number is not None:
            numbers[node] = number
    moved = {root for root in roots if root not in numbers}
    for node in reversed(order):
        if node in moved:
            moved.update(a for a in _passed(node, numbers) if a not in numbers)
    return moved


def _passed(node: Node, numbers: Mapping[Node, float]) -> tuple[Node, ...]:
    """Return the arguments to which a node passes its gradient on."""
    if node.operation in CONDITIONS or node.operation is Operation.DIMENSION:
        return ()
    if node.operation is Operation.SELECT:
        condition, *branches = node.arguments
        if condition in numbers:
            return (branches[0 if numbers[condition] else 1],)
        return tuple(branches)
    return node.arguments


def _number(node: Node, numbers: Mapping[Node, float]) -> float | None:
    """Return the number that a node is for all finite numbers in the leaves; None if none."""
    operation, arguments = node.operation, node.arguments
    if operation is Operation.CONSTANT:
        return node.attribute
    known = [numbers.get(argument) for argument in arguments]
    if operation is Operation.MUL and 0 in known:
        return 0.0
    if operation is Operation.DIV and known[0] == 0:
        return 0.0
    if operation in SAME and arguments[0] is arguments[1]:
        return SAME[operation]
    if operation is Operation.SELECT and known[0] is not None:
        return known[1 if known[0] else 2]
    if operation not in VALUES or None in known:
        return None
    try:
        return float(VALUES[operation](*known))
    except (ArithmeticError, ValueError):
        return None


SAME: dict[Operation, float] = {
    Operation.SUB: 0.0,
    Operation.DIV: 1.0,
    Operation.LESS: 0.0,
    Operation.LESS_EQUAL: 1.0,
}
"""What operations are on a value and itself."""

VALUES: dict[Operation, Callable[..., Any]] = {
    Operation.ADD: lambda a, b: a + b,
    Operation.SUB: lambda a, b: a - b,
    Operation.MUL: lambda a, b: a * b,
    Operation.DIV: lambda a, b: a / b,
    Operation.NEG: lambda a: -a,
    Operation.SIGMOID: lambda a: 1 / (1 + math.exp(-a)),
    Operation.TANH: math.tanh,
    Operation.RELU: lambda a: max(a, 0),
    Operation.EXP: math.exp,
    Operation.LOG: math.log,
    Operation.SQRT: math.sqrt,
    Operation.ABS: abs,
    Operation.MINIMUM: min,
    Operation.MAXIMUM: max,
    Operation.LESS: lambda a, b: a < b,
    Operation.LESS_EQUAL: lambda a, b: a <= b,
}
"""What operations are on numbers."""
