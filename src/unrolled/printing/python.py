"""Equations as Python: code that reads like the book and runs on NumPy vectors."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..errors import CellError
from ..graph.graph import read_by
from ..graph.node import Node
from ..graph.notation import NOTATION, Level, Rule, Text, Writer, number, unnamed_log_sigmoid
from ..graph.operation import EPSILON, Operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..graph.graph import Graph


FROM_NUMPY = ("exp", "full_like", "log", "maximum", "minimum", "outer", "sqrt", "tanh", "where")
BUILT_IN = ("abs", "len")
HELPERS = {
    "log_sigmoid": """
def log_sigmoid(v):
    return minimum(v, 0) - log(1 + exp(-abs(v)))
""",
    "normalize": f"""
def normalize(v, epsilon={EPSILON}):
    centred = v - v.mean()
    return centred / sqrt((centred * centred).mean() + epsilon)
""",
    "relu": """
def relu(v):
    return maximum(v, 0)
""",
    "sigmoid": """
def sigmoid(v):
    return 1 / (1 + exp(-v))
""",
    "sum": """
def sum(v):
    return v.sum(keepdims=True)
""",
}

CALLED = (*FROM_NUMPY, *BUILT_IN, *HELPERS)


def _difference(node: Node, writer: Writer) -> Text:
    """Write a difference, or a call of the function that computes log(sigmoid(v)) as one."""
    value = unnamed_log_sigmoid(node, writer)
    if value is None:
        return NOTATION[Operation.SUB](node, writer)
    return Text(f"log_sigmoid({writer.operand(value)})", Level.ATOM)


RULES: dict[Operation, Rule] = {**NOTATION, Operation.SUB: _difference}


def python(graph: Graph, doc: str = "") -> str:
    """Return a function that computes one step, for single rows: NumPy vectors x (I,), h (H,), ...

    Its arguments are the inputs, the states, and each learned layer's weights, which
    `unrolled.equations.weights` cuts out of a module's parameters.

    Raises:
        CellError: two of them have one name, as in the derivative of a cell with states h and d_h.
    """
    numbers = _numbers(graph)
    graph = graph.as_written if numbers else graph
    arguments = _arguments(graph, set(numbers))
    names = Counter(name for line in arguments for name in line)
    for name, count in names.items():
        if count > 1:
            raise CellError(f"{graph.name}: {count} arguments of its code would be called {name}")
    taken = {*names, *graph.lines, *numbers}
    functions = _functions(taken)
    renamed = _renamed(graph, taken)
    lines = [f"    {name} = {number(value)}" for name, value in numbers.items()]
    for name, node in graph.lines.items():
        first = graph.line_names.get(node, name)
        if first == name:
            right = _right_side(graph, node, renamed, functions)
        else:
            right = renamed.get(first, first)
        lines.append(f"    {renamed.get(name, name)} = {right}")
    returned = ", ".join(renamed.get(state, state) for state in graph.states)
    body = "\n".join([*lines, f"    return {returned}"])
    signature = "\n".join(f"    {', '.join(line)}," for line in arguments)
    docstring = f"    {_docstring(doc)}\n" if doc else ""
    preamble = _preamble(body, functions)
    return f"{preamble}def {_title(graph)}(\n{signature}\n):\n{docstring}{body}\n"


def _numbers(graph: Graph) -> dict[str, float]:
    """Return the hyperparameters with their values; none where another argument has such a name."""
    numbers = dict(graph.written.hyperparameters)
    others = {name for line in _arguments(graph, set()) for name in line}
    return numbers if numbers.keys().isdisjoint(others | set(graph.lines)) else {}


def _title(graph: Graph) -> str:
    """Return the function's name: the cell's, unless it has none or that of what it calls."""
    if not graph.name.isidentifier():
        return "step"
    return f"{graph.name}_" if graph.name in CALLED else graph.name


def _docstring(doc: str) -> str:
    """Return a text as a docstring, whatever it holds."""
    plain = doc.isprintable() and "\\" not in doc and '"""' not in doc and not doc.endswith('"')
    return f'"""{doc}"""' if plain else repr(doc)


def _right_side(
    graph: Graph, line: Node, renamed: Mapping[str, str], functions: Mapping[str, str]
) -> str:
    """Return what a line assigns."""

    def name(node: Node) -> str | None:
        found = graph.line_names.get(node) if node is not line else None
        return renamed.get(found, found) if found is not None else None

    rules = {operation: _calling(rule, functions) for operation, rule in RULES.items()}
    return Writer(rules if functions else RULES, "({})", name).equation(line).text


def _functions(names: set[str]) -> dict[str, str]:
    """Return other names for the functions after which something in the equations is called."""
    renamed = {name: _unused(name, names) for name in CALLED}
    return {name: other for name, other in renamed.items() if other != name}


def _calling(rule: Rule, functions: Mapping[str, str]) -> Rule:
    """Return the rule that writes the same with other names of functions."""

    def renamed(node: Node, writer: Writer) -> Text:
        text, level = rule(node, writer)
        function, bracket, rest = text.partition("(")
        called = functions.get(function, function) if bracket else function
        return Text(f"{called}{bracket}{rest}", level)

    return renamed


def _arguments(graph: Graph, numbers: set[str]) -> list[list[str]]:
    """Return the signature: inputs and states, then a line of weights for each learned layer, but
    for numbers that have a value.
    """
    lines = [[*graph.inputs, *graph.states]]
    names = {node.attribute: dict.fromkeys(node.attribute.names) for node in graph.layers}
    for node in graph.order:
        if node.operation is Operation.TRANSPOSED:  # of a layer that is not computed again
            names.setdefault(node.attribute.layer, {})[node.attribute.weight] = None
    first_row = {layer: min(block.row for block in layer.blocks) for layer in names}
    lines += [list(names[layer]) for layer in sorted(names, key=first_row.__getitem__)]
    learned = [node.attribute.name for node in graph.learned]
    learned = [name for name in learned if name not in numbers]
    return [*lines, learned] if learned else lines


def _renamed(graph: Graph, taken: set[str]) -> dict[str, str]:
    """Return second names for states whose old value is read after their new one is known."""
    places = {name: place for place, name in enumerate(graph.lines)}
    read: dict[str, int] = {}  # in which line each old state is read last
    for place, (name, line) in enumerate(graph.lines.items()):
        for node in read_by(name, line, graph.line_names):
            if node.operation is Operation.STATE:
                read[node.attribute] = place
    renamed: dict[str, str] = {}
    for state in graph.states:
        if read.get(state, -1) > places[state]:
            renamed[state] = _unused(f"{state}_next", {*taken, *renamed.values()})
    return renamed


def _unused(name: str, taken: set[str]) -> str:
    """Return a name like this one that nothing has."""
    while name in taken:
        name += "_"
    return name


def _preamble(body: str, functions: Mapping[str, str]) -> str:
    """Return the imports and helper functions that the body needs."""
    called = {name: functions.get(name, name) for name in CALLED}
    helpers = "".join(
        text.replace(f"def {name}(", f"def {called[name]}(")
        for name, text in HELPERS.items()
        if _calls(body, called[name])
    )
    imports = []
    for name in FROM_NUMPY:
        is_renamed = name in functions
        if _calls(helpers, name) or (not is_renamed and _calls(body, name)):
            imports.append(name)
        if is_renamed and _calls(body, called[name]):
            imports.append(f"{name} as {called[name]}")
    import_text = f"from numpy import {', '.join(imports)}\n" if imports else ""
    others = "".join(
        f"{functions[name]} = {name}\n"
        for name in BUILT_IN
        if name in functions and _calls(body, functions[name])
    )
    before = import_text + others + helpers.replace("\ndef ", "\n\ndef ")
    return f"{before}\n\n" if before else ""


def _calls(text: str, name: str) -> bool:
    """Return whether the text calls the function `name` itself, not one whose name ends like it."""
    return any(not part[-1:].isidentifier() for part in text.split(f"{name}(")[:-1])
