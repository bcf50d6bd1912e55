"""From a Python function to a graph of named values.

The function is called once, with symbols in place of tensors. It ends with ``return locals()``,
so the names are the function's own variables: that needs no source text and works in any REPL.
"""

from __future__ import annotations

import difflib
import re
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, final

from ..errors import CellError
from ..graph.graph import Graph, in_order, names, output, owners
from ..graph.learned import Block, Layer, Learned
from ..graph.limits import short
from ..graph.node import Node, SymbolError, ordered, symbol
from ..graph.notation import expression
from ..graph.operation import CONDITIONS, Operation
from ..graph.rewrite import map_graph, rewrite, simplified
from .arithmetic import written
from .language import WORDS, Call, tracing
from .traps import Traced, warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .function import CellFunction


def trace(function: CellFunction, hyperparameters: Mapping[str, Any]) -> Graph:
    """Return the graph of one step of the cell that `function` writes down.

    Args:
        function: takes the input and the states, returns its ``locals()``.
        hyperparameters: for its keyword-only arguments.

    Raises:
        CellError: naming the line's value and what is wrong with it.

    Warns:
        CellWarning: naming the line and what hardly means what it says.
    """
    traced = follow(function, hyperparameters)
    warn(function, traced)
    names = frozenset([*traced.named, *traced.graph.states])
    again = partial(_again, function, hyperparameters)
    traced.graph.tell(partial(written, names, traced.graph, hyperparameters, again))
    return traced.graph


def follow(function: CellFunction, hyperparameters: Mapping[str, Any]) -> Traced:
    """Return the graph as `trace` does, with what was seen on the way; warn of nothing."""
    cell = function.name
    x, *states = function.symbols
    leaves = {state: Node(Operation.STATE, (), state) for state in states}
    with tracing(cell, function.code) as calls:
        returned = _call(function, Node(Operation.INPUT, (), x), leaves, hyperparameters)
    named = in_order(_named(function, returned, x, leaves))
    values = _resolve(cell, named, returned, x, output(tuple(states)))
    graph = _sized(Graph(cell, {x: "input"}, dict.fromkeys(states), values))
    return Traced(graph, named, returned, calls.sites)


def _again(
    function: CellFunction, hyperparameters: Mapping[str, Any], other: Mapping[str, Any]
) -> Graph:
    """Return the graph with other numbers for some hyperparameters."""
    return follow(function, {**hyperparameters, **other}).graph


def _call(
    function: CellFunction,
    x: Node,
    leaves: Mapping[str, Node],
    hyperparameters: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Run the function on symbols; explain what goes wrong in the words of its own names."""
    cell = function.name
    try:
        returned = function(x, *leaves.values(), **hyperparameters)
    except CellError as error:
        raise CellError(f"{cell}: {_place(error, function)}: {error}") from None
    except UnboundLocalError as error:
        name = error.name or str(error).split("'")[1]
        if name in WORDS:
            raise CellError(
                f"{cell}: {name} is a function of unrolled and the name of a value in the same "
                "cell: give the value another name"
            ) from None
        raise CellError(
            f"{cell}: cyclic use: {name} is used before its line; within one step a value can "
            "only depend on the input, the old states and values above it"
        ) from None
    except NameError as error:
        raise CellError(f"{cell}: unknown name: {error}{_suggestion(error.name)}") from None
    except ArithmeticError as error:
        if not hyperparameters:
            raise
        given = short(", ".join(f"{name}={value!r}" for name, value in hyperparameters.items()))
        raise CellError(f"{cell}: {_place(error, function)}: {error}, with {given}") from error
    except (TypeError, AttributeError) as error:
        raise CellError(
            f"{cell}: {_place(error, function)}: {error}; symbols take part in + - * / and in "
            "the functions of unrolled (sigmoid, tanh, where, ...), not in those of torch, NumPy "
            "or math, nor in modules: what a cell learns is made in it by affine(), vector() or "
            "scalar()"
        ) from error
    if not isinstance(returned, dict):
        raise CellError(
            f"{cell} returned {type(returned).__name__}: end it with `return locals()`, "
            "so that its values have names"
        )
    return returned


def _place(error: Exception, function: CellFunction) -> str:
    """Return the line of the function where something went wrong, and the symbol in its names."""
    traceback = error.__traceback__
    place: list[str] = []
    variables: dict[Node, str] = {}
    while traceback is not None:
        frame = traceback.tb_frame
        if frame.f_code is function.code:
            place = [f"line {traceback.tb_lineno}"]
            variables = {v: k for k, v in frame.f_locals.items() if isinstance(v, Node)}
        traceback = traceback.tb_next
    if isinstance(error, SymbolError):
        place.append(variables.get(error.node) or expression(error.node, variables))
    return ", ".join(place)


def _suggestion(name: str | None) -> str:
    close = difflib.get_close_matches(name or "", WORDS, 1)
    return f"; did you mean unrolled.{close[0]}?" if close else ""


def _named(
    function: CellFunction, returned: Mapping[str, Any], x: str, leaves: Mapping[str, Node]
) -> dict[str, Node]:
    """Return the symbols among the function's variables."""
    cell = function.name
    named = {
        name: value
        for name, value in returned.items()
        if isinstance(value, Node)
        and value.operation not in (Operation.LEARNED, Operation.CONSTANT)
        and name != x
    }
    if x in returned and returned[x] is not Node(Operation.INPUT, (), x):
        raise CellError(f"{cell}: {x} is the input: give the value computed from it another name")
    for state, leaf in leaves.items():
        value = returned.get(state)
        named.pop(state, None)  # the states come last, as they do in the book
        if value is None or value is leaf:
            raise CellError(f"{cell}: {_without_next(function, state, returned)}")
        named[state] = symbol(value, f"{cell}: the state {state}")
    return _assigned_first(function, named)


def _assigned_first(function: CellFunction, named: Mapping[str, Node]) -> dict[str, Node]:
    """Return the values, of several names for one value first that to which it was assigned first.

    After ``c = tanh(...)`` and ``h = c``, the value is c, and h is c.
    """
    aliases: dict[Node, list[str]] = {}
    for name, node in named.items():
        aliases.setdefault(node, []).append(name)
    last = function.assigned_last
    turns = {
        node: iter(sorted(names, key=lambda name: last.get(name, -1)))
        for node, names in aliases.items()
    }
    return {next(turns[node]): node for node in named.values()}


def _without_next(function: CellFunction, state: str, returned: Mapping[str, Any]) -> str:
    """Return what is wrong with a state that has its old value at the end, or none."""
    lines = function.assignments(state)
    hint = _meant(state, [name for name in returned if name not in function.symbols])
    if lines and returned.get(state) is not None:
        return (
            f"line {lines[-1]}: the state {state} is assigned its own old value, so that it keeps "
            f"what it starts with for ever. If it is to change, assign the new value{hint}; if it "
            "is not, it is no state: make it a keyword-only hyperparameter, or learn it by "
            "vector() or scalar(). States are exchanged in one line, as in `a, b = b, a`"
        )
    return f"the state {state} has no next value: assign to {state} before `return locals()`{hint}"


MARK = re.compile(r"^(new|next|old|prev|last)_|_?(new|next|old|prev|last|tm1|t|\d)$|_$")
"""What people add to a state's name for its old or its new value: h_prev, h_t, new_h."""


def _meant(state: str, names: Iterable[str]) -> str:
    """Return what to do about a value that looks like the state's next one; else nothing."""
    for name in names:
        if name == MARK.sub("", state):
            return f" (or call the state {name}: one name stands for its old and its new value)"
        if MARK.sub("", name) == state:
            return f" (such as {state} = {name})"
    return ""


def _resolve(
    cell: str, named: Mapping[str, Node], returned: Mapping[str, Any], x: str, hidden: str
) -> dict[str, Node]:
    """Give every learned part its name and its rows."""
    calls = sorted(
        (node for node in ordered(list(named.values())) if isinstance(node.attribute, Call)),
        key=lambda node: node.attribute.place,
    )
    for node in calls:
        if node.attribute.cell != cell:
            raise CellError(f"{cell}: {expression(node)} belongs to {node.attribute.cell}")
    simple = rewrite(named.values(), simplified)
    kept = {node.attribute for node in ordered([simple[node] for node in named.values()])}
    calls = [node for node in calls if node.attribute in kept]  # rows are of what is left
    values = _with_shared(named)
    naming = _Naming(named, values, returned, Node(Operation.INPUT, (), x), hidden)
    if any(node.attribute.size == "projection" for node in calls):
        naming.taken.add("W_hr")
    attributes = {node.attribute: naming.attribute(node) for node in calls}

    def rule(node: Node) -> Node | None:
        if isinstance(node.attribute, Call):
            return Node(node.operation, node.arguments, attributes.get(node.attribute))
        return simplified(node)

    new = rewrite(values.values(), rule)
    return in_order({name: new[node] for name, node in values.items()})


def _sized(graph: Graph) -> Graph:
    """Return the graph whose learned parts know their sizes."""

    sizes = {}

    def rule(node: Node) -> Node | None:
        attribute = node.attribute
        if node.operation is Operation.LEARNED:
            return Node(Operation.LEARNED, (), attribute._replace(size=graph.sizes[node]))
        if node.operation is not Operation.AFFINE:
            return None
        blocks = (block._replace(size=sizes[block.group]) for block in attribute.blocks)
        return Node(node.operation, node.arguments, attribute._replace(blocks=tuple(blocks)))

    for layer in graph.layers:
        for source, block in zip(layer.arguments, layer.attribute.blocks, strict=True):
            sizes[block.group] = graph.sizes[source]
    return map_graph(graph, rule)


LONGEST = 8
"""Letters of a name that is put together from the names in an expression."""

NUMBERED = "?"
"""Stands in a stem for the name of the expression that is too long for one: v0, v1, ..."""


def _with_shared(named: Mapping[str, Node]) -> dict[str, Node]:
    """Return the values, with names v1, v2, ... for those without one that are used more than once.

    Each is then a line of its own; written out wherever it is used, a cell with a loop would
    print as a text that doubles with every turn.
    """
    uses: dict[Node, int] = {}
    order = ordered(list(named.values()))
    for node in order:
        for argument in node.arguments if node.operation is not Operation.DIMENSION else ():
            uses[argument] = uses.get(argument, 0) + 1
    known, found = names(named), dict(named)
    free = (name for name in map("v{}".format, count(1)) if name not in named)
    for node in order:
        computed = node.arguments and node.operation not in CONDITIONS  # no value to record
        if computed and uses.get(node, 0) > 1 and node not in known:
            found[next(free)] = node
    return in_order(found)


@final
class _Naming:
    """Names and rows for the learned parts of one cell, in order of appearance."""

    def __init__(
        self,
        named: Mapping[str, Node],
        values: Mapping[str, Node],
        returned: Mapping[str, Any],
        x: Node,
        hidden: str,
    ) -> None:
        self.variables = {v: name for name, v in returned.items() if isinstance(v, Node)}
        self.names = names(values)
        self.owners = owners(named)
        self.groups = {x: "ih", Node(Operation.STATE, (), hidden): "hh"}
        self.stems = set(self.groups.values())
        self.blocks: dict[str, int] = {}  # how many blocks of rows each weight and bias has so far
        self.projections = 0
        self.taken = {x.attribute, *values}  # names in the printed equations
        self.counts: dict[Any, int] = {}  # how often what begins like this was numbered
        self.known: dict[Node, str] = {}  # stems, with NUMBERED for what has a number
        self.width = 0  # letters of the numbered stem for which they hold

    def attribute(self, node: Node) -> Layer | Learned:
        """Return the final attribute of a learned part."""
        call: Call = node.attribute
        if node.operation is Operation.LEARNED:
            name = self.variables.get(node) or f"{call.role}_{self.owners[node]}"
            return Learned(self._unique(name), call.size, call.init)
        assert call.size is not None, "only vectors are traced without a size"
        blocks = tuple(self._block(source, call) for source in node.arguments)
        owner = self.owners[node]
        layer = Layer(owner, call.size, blocks)
        if call.size == "hidden":
            kind = (owner, call.bias, *(block.group for block in blocks))
            number = self.counts.get(kind, 1)
            layer = layer if number == 1 else layer._replace(name=f"{owner}{number}")
            while not self.taken.isdisjoint(_weights(layer)):
                number += 1
                layer = layer._replace(name=f"{owner}{number}")
            self.counts[kind] = number
            self.taken.update(_weights(layer))
        return layer

    def _block(self, source: Node, call: Call) -> Block:
        group = self._group(source) if call.size == "hidden" else self._projection()
        row = self._next(f"weight_{group}")
        return Block(group, row, self._next(f"bias_{group}") if call.bias else None)

    def _next(self, name: str) -> int:
        self.blocks[name] = self.blocks.get(name, 0) + 1
        return self.blocks[name] - 1

    def _group(self, source: Node) -> str:
        """Return the group that reads a source: ih the input, hh the output state, {v}h others."""
        if source not in self.groups:
            first = self._stem(source)
            number = self.counts.get(("stem", first), 0)
            while (stem := _set_apart(first, number)) + "h" in self.stems:
                number += 1
            self.counts["stem", first] = number
            self.groups[source] = f"{stem}h"
            self.stems.add(f"{stem}h")
        return self.groups[source]

    def _projection(self) -> str:
        self.projections += 1
        return f"hr{self.projections}" if self.projections > 1 else "hr"

    def _stem(self, source: Node) -> str:
        """Return the name of a value; without one, the names in its expression: r * h is rh."""
        numbered = f"v{len(self.groups) - 1}"
        if len(numbered) != self.width:  # which names are too long depends on it
            self.width = len(numbered)
            self.known.clear()
        for node in self._below(source):
            parts = dict.fromkeys(self.known[below] for below in self._parts(node))
            joined = "".join(parts)
            length = len(joined.replace(NUMBERED, numbered))
            self.known[node] = self._own_name(node) or (joined if length <= LONGEST else NUMBERED)
        return self.known[source].replace(NUMBERED, numbered)

    def _below(self, source: Node) -> Iterator[Node]:
        """Yield the nodes in a value's expression whose stems are not known, arguments first."""
        stack = [source]
        while stack:
            node = stack[-1]
            missing = [below for below in self._parts(node) if below not in self.known]
            stack += reversed(missing)
            if not missing:
                stack.pop()
                if node not in self.known:
                    yield node

    def _own_name(self, node: Node) -> str | None:
        is_leaf = node.operation in (Operation.INPUT, Operation.STATE)
        return self.names.get(node) or (node.attribute if is_leaf else None)

    def _parts(self, node: Node) -> tuple[Node, ...]:
        """Return what the name of a value without one is put together from."""
        return () if self._own_name(node) else node.arguments

    def _unique(self, name: str) -> str:
        number, first = self.counts.get(name, 1), name
        name = first if number == 1 else f"{first}{number}"
        while name in self.taken:
            number += 1
            name = f"{first}{number}"
        self.counts[first] = number
        self.taken.add(name)
        return name


def _set_apart(stem: str, number: int) -> str:
    """Return the stem of the next value whose name begins like this."""
    return stem + "_" * number if number <= LONGEST else f"{stem}_{number}_"


def _weights(layer: Layer) -> list[str]:
    """Return the names of a layer's weights and biases in the printed equations."""
    return [layer.weight(index, letter) for index in range(len(layer.blocks)) for letter in "Wb"]
