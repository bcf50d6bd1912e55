"""Equations as Python: code that reads like the book and runs on NumPy vectors."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from ..equations.language import EPSILON
from ..errors import CellError
from ..graph.limits import short
from ..graph.node import Layer, Node, Term
from ..graph.operation import Operation
from .writer import Level, Rule, Text, Writer, form, number, suffix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..graph.graph import Graph


def weight_name(layer: Layer, index: int, letter: str = "W") -> str:
    """The name of one weight (W) or bias (b) of a layer: ``W_ii``, ``b_hf``, ``W_rh_n``."""
    parts = suffix(layer, layer.blocks[index])
    return f"{letter}_{('' if all(len(part) == 1 for part in parts) else '_').join(parts)}"


def _affine(node: Node, writer: Writer) -> Text:
    layer = node.attribute
    if not isinstance(layer, Layer):  # not resolved yet: the function is still being traced
        sources = ", ".join(writer.operand(source) for source in node.arguments)
        return Text(f"affine({sources})", Level.ATOM)
    terms = []
    for index, (source, block) in enumerate(zip(node.arguments, layer.blocks, strict=True)):
        terms.append(f"{weight_name(layer, index)} @ {writer.operand(source, Level.SIGN)}")
        if block.bias is not None:
            terms.append(weight_name(layer, index, "b"))
    return Text(" + ".join(terms), Level.SUM if len(terms) > 1 else Level.PRODUCT)


def _normalize(node: Node, writer: Writer) -> Text:
    epsilon = "" if node.attribute == EPSILON else f", {number(node.attribute)}"
    return Text(f"normalize({writer.operand(node.arguments[0])}{epsilon})", Level.ATOM)


def _transposed(node: Node, writer: Writer) -> Text:
    term: Term = node.attribute
    gradient = writer.operand(node.arguments[0], Level.SIGN)
    return Text(f"{weight_name(term.layer, term.source)}.T @ {gradient}", Level.PRODUCT)


def _constant(node: Node, writer: Writer) -> Text:
    if not math.isfinite(node.attribute):
        return Text(f'float("{node.attribute}")', Level.ATOM)
    return Text(number(node.attribute), Level.SIGN if node.attribute < 0 else Level.ATOM)


def _name(node: Node, writer: Writer) -> Text:
    return Text(node.attribute, Level.ATOM)


def _learned(node: Node, writer: Writer) -> Text:
    return Text(getattr(node.attribute, "name", "learned"), Level.ATOM)


ANY, COMPARISON, SUM, PRODUCT, SIGN, ATOM = Level
PYTHON = {
    Operation.CONSTANT: _constant,
    Operation.INPUT: _name,
    Operation.STATE: _name,
    Operation.LEARNED: _learned,
    Operation.ADD: form("{} + {}", SUM, SUM, PRODUCT),
    Operation.SUB: form("{} - {}", SUM, SUM, PRODUCT),
    Operation.MUL: form("{} * {}", PRODUCT, PRODUCT, SIGN),
    Operation.DIV: form("{} / {}", PRODUCT, PRODUCT, SIGN),
    Operation.NEG: form("-{}", SIGN, SIGN),
    Operation.SIGMOID: form("sigmoid({})", ATOM, ANY),
    Operation.TANH: form("tanh({})", ATOM, ANY),
    Operation.RELU: form("relu({})", ATOM, ANY),
    Operation.EXP: form("exp({})", ATOM, ANY),
    Operation.LOG: form("log({})", ATOM, ANY),
    Operation.SQRT: form("sqrt({})", ATOM, ANY),
    Operation.ABS: form("abs({})", ATOM, ANY),
    Operation.MINIMUM: form("minimum({}, {})", ATOM, ANY, ANY),
    Operation.MAXIMUM: form("maximum({}, {})", ATOM, ANY, ANY),
    Operation.LESS: form("{} < {}", COMPARISON, SUM, SUM),
    Operation.LESS_EQUAL: form("{} <= {}", COMPARISON, SUM, SUM),
    Operation.SELECT: form("where({}, {}, {})", ATOM, ANY, ANY, ANY),
    Operation.SUM: form("sum({})", ATOM, ANY),
    Operation.DIMENSION: form("len({})", ATOM, ANY),
    Operation.BROADCAST: form("full_like({1}, {0})", ATOM, ANY, ANY),
    Operation.NORMALIZE: _normalize,
    Operation.AFFINE: _affine,
    Operation.TRANSPOSED: _transposed,
    Operation.OUTER: form("outer({}, {})", ATOM, ANY, ANY),
}

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


POSITIONS = 60
"""Operations and operands of an expression that are written out; the rest is left out."""

CITED = 500
"""Letters of an expression."""


def expression(
    node: Node, graph: Graph | None = None, names: Mapping[Node, str] | None = None
) -> str:
    """One node as Python, with the names of the graph's values or other names.

    A long one is cut: it is for messages, labels and plans.
    """
    known = names if names is not None else graph.names if graph is not None else {}
    left = POSITIONS

    def name(below: Node) -> str | None:
        nonlocal left
        left -= 1
        found = known.get(below) if names is not None or below is not node else None
        return found if found is not None or left > 0 or not below.arguments else "..."

    return short(Writer(PYTHON, "({})", name).equation(node).text, CITED)


def python(graph: Graph, doc: str = "") -> str:
    """A function that computes one step, for single rows: NumPy vectors x (I,), h (H,), ...

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
    """The name of the function: the cell's, unless it has none or the name of what it calls."""
    if not graph.name.isidentifier():
        return "step"
    return f"{graph.name}_" if graph.name in (*FROM_NUMPY, *BUILT_IN, *HELPERS) else graph.name


def _docstring(doc: str) -> str:
    """A text as a docstring, whatever it holds."""
    plain = doc.isprintable() and "\\" not in doc and '"""' not in doc and not doc.endswith('"')
    return f'"""{doc}"""' if plain else repr(doc)


def _right_side(
    graph: Graph, line: Node, renamed: Mapping[str, str], functions: Mapping[str, str]
) -> str:
    """What a line assigns."""

    def name(node: Node) -> str | None:
        found = graph.line_names.get(node) if node is not line else None
        return renamed.get(found, found) if found is not None else None

    rules = {operation: _calling(rule, functions) for operation, rule in PYTHON.items()}
    return Writer(rules if functions else PYTHON, "({})", name).equation(line).text


def _functions(names: set[str]) -> dict[str, str]:
    """Other names for the functions after which something in the equations is called."""
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
    """The rule that writes the same with other names of functions."""

    def renamed(node: Node, writer: Writer) -> Text:
        text, level = rule(node, writer)
        function, bracket, rest = text.partition("(")
        return Text(
            f"{functions.get(function, function)}{bracket}{rest}" if bracket else text, level
        )

    return renamed


def _arguments(graph: Graph) -> list[list[str]]:
    """The signature: inputs and states, then a line of weights for each learned layer."""
    lines = [[*graph.inputs, *graph.states]]
    names: dict[Layer, dict[str, None]] = {}
    for node in graph.layers:
        layer: Layer = node.attribute
        names[layer] = {}
        for index, block in enumerate(layer.blocks):
            names[layer][weight_name(layer, index)] = None
            if block.bias is not None:
                names[layer][weight_name(layer, index, "b")] = None
    for node in graph.order:
        if node.operation is Operation.TRANSPOSED:  # of a layer that is not computed again
            layer, source = node.attribute
            names.setdefault(layer, {})[weight_name(layer, source)] = None
    lines += [list(names[layer]) for layer in sorted(names, key=_first_row)]
    if graph.learned:
        lines.append([node.attribute.name for node in graph.learned])
    return lines


def _first_row(layer: Layer) -> int:
    return min(block.row for block in layer.blocks)


def _renamed(graph: Graph) -> dict[str, str]:
    """States whose old value is still read after their new one is known get a second name."""
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
    """The old states that the line which defines a value reads."""
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
    """The imports and helper functions that the body needs."""
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
    """Whether the text calls the function `name` itself, not one whose name ends like it."""
    before: Callable[[str], bool] = lambda part: not part[-1:].isidentifier()  # noqa: E731
    parts = text.split(f"{name}(")
    return any(before(part) for part in parts[:-1])
