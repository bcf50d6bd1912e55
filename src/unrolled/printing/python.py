"""Equations as Python: code that reads like the book and runs on NumPy vectors."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..errors import CellError
from ..graph.learned import Layer
from ..graph.node import Node
from ..graph.notation import NOTATION, Rule, Text, Writer
from ..graph.operation import EPSILON, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..graph.graph import Graph


FROM_NUMPY = ("exp", "full_like", "log", "maximum", "minimum", "outer", "sqrt", "tanh", "where")
BUILT_IN = ("abs", "len")
HELPERS = {
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


def python(graph: Graph, doc: str = "") -> str:
    """Return a function that computes one step, for single rows: NumPy vectors x (I,), h (H,), ...

    Its arguments are the inputs, the states, and each learned layer's weights, which
    `unrolled.equations.weights` cuts out of a module's parameters.

    Raises:
        CellError: two of them have one name, as in the derivative of a cell with states h and d_h.
    """
    arguments = _arguments(graph)
    names = Counter(name for line in arguments for name in line)
    for name, count in names.items():
        if count > 1:
            raise CellError(f"{graph.name}: {count} arguments of its code would be called {name}")
    functions = _functions({name for line in arguments for name in line} | set(graph.lines))
    renamed = _renamed(graph)
    lines = []
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


def _title(graph: Graph) -> str:
    """Return the function's name: the cell's, unless it has none or that of what it calls."""
    if not graph.name.isidentifier():
        return "step"
    return f"{graph.name}_" if graph.name in (*FROM_NUMPY, *BUILT_IN, *HELPERS) else graph.name


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

    rules = {operation: _calling(rule, functions) for operation, rule in NOTATION.items()}
    return Writer(rules if functions else NOTATION, "({})", name).equation(line).text


def _functions(names: set[str]) -> dict[str, str]:
    """Return other names for the functions after which something in the equations is called."""
    functions = (*FROM_NUMPY, *BUILT_IN, *HELPERS)
    renamed: dict[str, str] = {}
    for function in functions:
        other = function
        while other in names:
            other += "_"
        if other != function:
            renamed[function] = other
    return renamed


def _calling(rule: Rule, functions: Mapping[str, str]) -> Rule:
    """Return the rule that writes the same with other names of functions."""

    def renamed(node: Node, writer: Writer) -> Text:
        text, level = rule(node, writer)
        function, bracket, rest = text.partition("(")
        return Text(
            f"{functions.get(function, function)}{bracket}{rest}" if bracket else text, level
        )

    return renamed


def _arguments(graph: Graph) -> list[list[str]]:
    """Return the signature: inputs and states, then a line of weights for each learned layer."""
    lines = [[*graph.inputs, *graph.states]]
    names = {node.attribute: dict.fromkeys(node.attribute.names) for node in graph.layers}
    for node in graph.order:
        if node.operation is Operation.TRANSPOSED:  # of a layer that is not computed again
            names.setdefault(node.attribute.layer, {})[node.attribute.weight] = None
    lines += [list(names[layer]) for layer in sorted(names, key=_first_row)]
    if graph.learned:
        lines.append([node.attribute.name for node in graph.learned])
    return lines


def _first_row(layer: Layer) -> int:
    return min(block.row for block in layer.blocks)


def _renamed(graph: Graph) -> dict[str, str]:
    """Return second names for states whose old value is read after their new one is known."""
    places = {name: place for place, name in enumerate(graph.lines)}
    read: dict[str, int] = {}  # in which line each old state is read last
    for place, line in enumerate(graph.lines.values()):
        for state in _states_of(graph, line):
            read[state] = place
    taken = {name for line in _arguments(graph) for name in line} | set(graph.lines)
    renamed: dict[str, str] = {}
    for state in graph.states:
        if read.get(state, -1) > places[state]:
            renamed[state] = f"{state}_next"
            while renamed[state] in taken:
                renamed[state] += "_"
            taken.add(renamed[state])
    return renamed


def _states_of(graph: Graph, line: Node) -> set[str]:
    """Return the old states that the line which defines a value reads."""
    found: set[str] = set()
    seen = {line}
    stack = [line]
    while stack:
        node = stack.pop()
        if node.operation is Operation.STATE:
            found.add(node.attribute)
        for argument in node.arguments if node is line or node not in graph.line_names else ():
            if argument not in seen:
                seen.add(argument)
                stack.append(argument)
    return found


def _preamble(body: str, functions: Mapping[str, str]) -> str:
    """Return the imports and helper functions that the body needs."""
    helpers = []
    for name, text in HELPERS.items():
        called = functions.get(name, name)
        if _calls(body, called):
            helpers.append(text.replace(f"def {name}(", f"def {called}("))
    helper_text = "".join(helpers)
    imports = []
    for name in FROM_NUMPY:
        called = functions.get(name, name)
        if _calls(helper_text, name) or (called == name and _calls(body, name)):
            imports.append(name)
        if called != name and _calls(body, called):
            imports.append(f"{name} as {called}")
    import_text = f"from numpy import {', '.join(imports)}\n" if imports else ""
    others = "".join(
        f"{functions[name]} = {name}\n"
        for name in BUILT_IN
        if name in functions and _calls(body, functions[name])
    )
    spaced = helper_text.replace("\ndef ", "\n\ndef ")
    before = f"{import_text}{others}{spaced}"
    return f"{before}\n\n" if before else ""


def _calls(text: str, name: str) -> bool:
    """Return whether the text calls the function `name` itself, not one whose name ends like it."""
    before: Callable[[str], bool] = lambda part: not part[-1:].isidentifier()  # noqa: E731
    parts = text.split(f"{name}(")
    return any(before(part) for part in parts[:-1])
