"""Equations as Python: code that reads like the book and runs on NumPy vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .language import EPSILON
from .node import Layer, Node, Term
from .operation import Operation
from .printing import Level, Text, Writer, form, number, suffix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .graph import Graph


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


def expression(
    node: Node, graph: Graph | None = None, names: Mapping[Node, str] | None = None
) -> str:
    """One node as Python, with the names of the graph's values or other names."""
    if names is not None:
        return Writer(PYTHON, "({})", lambda below: names.get(below)).equation(node).text
    return _writer(graph, node, {}).equation(node).text


def _writer(graph: Graph | None, line: Node, renamed: dict[str, str]) -> Writer:
    def name(node: Node) -> str | None:
        found = graph.names.get(node) if graph is not None and node is not line else None
        return renamed.get(found, found) if found is not None else None

    return Writer(PYTHON, "({})", name)


def python(graph: Graph, doc: str = "") -> str:
    """A function that computes one step, for single rows: NumPy vectors x (I,), h (H,), ...

    Its arguments are the inputs, the states, and each learned layer's weights, which
    `unrolled.equations.weights` cuts out of a module's parameters.
    """
    renamed = _renamed(graph)
    lines = []
    for name, node in graph.values.items():
        first = graph.names.get(node, name)
        if first == name:
            right = _writer(graph, node, renamed).equation(node).text
        else:
            right = renamed.get(first, first)
        lines.append(f"    {renamed.get(name, name)} = {right}")
    returned = ", ".join(renamed.get(state, state) for state in graph.states)
    body = "\n".join([*lines, f"    return {returned}"])
    arguments = "\n".join(f"    {line}," for line in _arguments(graph))
    docstring = f'    """{doc}"""\n' if doc else ""
    return f"{_preamble(body)}def {graph.name}(\n{arguments}\n):\n{docstring}{body}\n"


def _arguments(graph: Graph) -> list[str]:
    """The signature: inputs and states, then a line of weights for each learned layer."""
    lines = [", ".join([*graph.inputs, *graph.states])]
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
    lines += [", ".join(names[layer]) for layer in sorted(names, key=_first_row)]
    if graph.learned:
        lines.append(", ".join(node.attribute.name for node in graph.learned))
    return lines


def _first_row(layer: Layer) -> int:
    return min(block.row for block in layer.blocks)


def _renamed(graph: Graph) -> dict[str, str]:
    """States whose old value is still read after their new one is known get a second name."""
    renamed: dict[str, str] = {}
    lines = list(graph.values.items())
    for state in graph.states:
        old = Node(Operation.STATE, (), state)
        after = lines[[name for name, _ in lines].index(state) + 1 :]
        if any(_reads(graph, value, old) for _, value in after):
            renamed[state] = f"{state}_next"
            while renamed[state] in graph.values:
                renamed[state] += "_"
    return renamed


def _reads(graph: Graph, line: Node, wanted: Node) -> bool:
    """Whether the line that defines a value reads `wanted`, other than through other lines."""
    stack = [line]
    while stack:
        node = stack.pop()
        if node is wanted:
            return True
        if node is line or node not in graph.names:
            stack.extend(node.arguments)
    return False


def _preamble(body: str) -> str:
    """The imports and helper functions that the body needs."""
    helpers = [text for name, text in HELPERS.items() if f"{name}(" in body]
    helper_text = "".join(helpers)
    used = [name for name in FROM_NUMPY if _calls(body + helper_text, name)]
    imports = f"from numpy import {', '.join(used)}\n" if used else ""
    spaced = helper_text.replace("\ndef ", "\n\ndef ")
    return f"{imports}{spaced}\n\n" if imports or helpers else ""


def _calls(text: str, name: str) -> bool:
    """Whether the text calls the function `name` itself, not one whose name ends like it."""
    before: Callable[[str], bool] = lambda part: not part[-1:].isidentifier()  # noqa: E731
    parts = text.split(f"{name}(")
    return any(before(part) for part in parts[:-1])
