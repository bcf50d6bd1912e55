"""Equations as LaTeX, in the part of the language that matplotlib's mathtext knows too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..graph.learned import Layer, Term
from ..graph.node import Node
from ..graph.notation import Level, Rule, Text, Writer, form, number, sum_of_products
from ..graph.operation import Operation

if TYPE_CHECKING:
    from ..graph.graph import Graph

GREEK = frozenset(
    [
        *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"),
        *("lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi"),
        *("psi", "omega"),
    ]
)


def letter(name: str) -> str:
    """Return a name without its subscripts: ``c``, ``\\beta``, ``\\mathrm{rh}``."""
    if name in GREEK:
        return f"\\{name}"
    return name if len(name) == 1 else f"\\mathrm{{{name.replace('_', chr(92) + ',')}}}"


def symbol(name: str, time: str) -> str:
    """Return a value at a time: ``c_{t-1}``, ``m^{\\mathrm{new}}_t``."""
    inner, _, exponent = name.partition("_")
    raised = f"^{{{letter(exponent)}}}" if exponent else ""
    index = time if len(time) == 1 else f"{{{time}}}"
    return f"{letter(inner)}{raised}_{index}"


def learned_symbol(name: str) -> str:
    """Return a learned vector: ``p_{i}``."""
    base, _, index = name.rpartition("_")
    return f"{letter(base)}_{{{letter(index)}}}" if base else letter(name)


def weight_symbol(layer: Layer, index: int, kind: str = "W") -> str:
    """Return one weight (W) or bias (b) of a layer: ``W_{ii}``, ``b_{hf}``."""
    parts = layer.subscripts(index)
    glue = "" if all(len(part) == 1 for part in parts) else ","
    return f"{kind}_{{{glue.join(letter(part) for part in parts)}}}"


def _affine(node: Node, writer: Writer) -> Text:
    return sum_of_products(node, writer, partial(weight_symbol, node.attribute), "{} {}")


def _transposed(node: Node, writer: Writer) -> Text:
    term: Term = node.attribute
    weight = weight_symbol(term.layer, term.source)
    gradient = writer.operand(node.arguments[0], Level.SIGN)
    return Text(f"{weight}^{{\\top}} {gradient}", Level.PRODUCT)


def _outer(node: Node, writer: Writer) -> Text:
    gradient, source = node.arguments
    row = writer.operand(source, Level.ATOM)
    row = f"{{{row}}}" if "^" in row else row  # a symbol has one exponent
    return Text(f"{writer.operand(gradient, Level.SIGN)} {row}^{{\\top}}", Level.PRODUCT)


def _constant(node: Node, writer: Writer) -> Text:
    return Text(number(node.attribute), Level.SIGN if node.attribute < 0 else Level.ATOM)


def _product(node: Node, writer: Writer) -> Text:
    """Write numbers directly before what they multiply; join vectors by a circled dot."""
    a, b = node.arguments
    number_first = a.operation is Operation.CONSTANT and b.operation is not Operation.CONSTANT
    glue = "\\, " if number_first else " \\odot "
    left, right = writer.operand(a, Level.PRODUCT), writer.operand(b, Level.SIGN)
    return Text(f"{left}{glue}{right}", Level.PRODUCT)


def _function(name: str) -> Rule:
    return form(f"{name}\\left({{}}\\right)")


_, COMPARISON, SUM, PRODUCT, SIGN, ATOM = Level
LATEX: dict[Operation, Rule] = {
    Operation.CONSTANT: _constant,
    Operation.INPUT: lambda node, writer: Text(symbol(node.attribute, "t"), ATOM),
    Operation.STATE: lambda node, writer: Text(symbol(node.attribute, "t-1"), ATOM),
    Operation.LEARNED: lambda node, writer: Text(learned_symbol(node.attribute.name), ATOM),
    Operation.ADD: form("{} + {}", SUM, SUM, SUM),
    Operation.SUB: form("{} - {}", SUM, SUM, PRODUCT),
    Operation.MUL: _product,
    Operation.DIV: form("\\frac{{{}}}{{{}}}"),
    Operation.NEG: form("-{}", SIGN, SIGN),
    Operation.SIGMOID: _function("\\sigma"),
    Operation.TANH: _function("\\tanh"),
    Operation.RELU: _function("\\mathrm{{relu}}"),
    Operation.EXP: _function("\\exp"),
    Operation.LOG: _function("\\log"),
    Operation.SQRT: form("\\sqrt{{{}}}"),
    Operation.ABS: form("\\left|{}\\right|"),
    Operation.MINIMUM: form("\\min\\left({},\\, {}\\right)"),
    Operation.MAXIMUM: form("\\max\\left({},\\, {}\\right)"),
    Operation.LESS: form("{} < {}", COMPARISON, SUM, SUM),
    Operation.LESS_EQUAL: form("{} \\leq {}", COMPARISON, SUM, SUM),
    Operation.SELECT: form(
        "\\left({1} \\;\\mathrm{{if}}\\; {0} \\;\\mathrm{{else}}\\; {2}\\right)"
    ),
    Operation.SUM: form("\\sum {}", PRODUCT, PRODUCT),
    Operation.DIMENSION: _function("\\dim"),
    Operation.BROADCAST: lambda node, writer: Text(writer.operand(node.arguments[0], ATOM), ATOM),
    Operation.NORMALIZE: _function("\\mathrm{{norm}}"),
    Operation.AFFINE: _affine,
    Operation.TRANSPOSED: _transposed,
    Operation.OUTER: _outer,
}


def equations(graph: Graph) -> dict[str, tuple[str, str]]:
    """Return the left and right side of each line in print (see `Graph.lines`)."""
    return {
        value: (_left_side(graph, value), _right_side(graph, value, node))
        for value, node in graph.lines.items()
    }


def _left_side(graph: Graph, name: str) -> str:
    return _backward(graph, name) if graph.backward else symbol(name, "t")


def _right_side(graph: Graph, line: str, value: Node) -> str:
    def name(node: Node) -> str | None:
        if graph.backward and node.operation in (Operation.INPUT, Operation.STATE):
            return _old(graph, node)
        found = graph.line_names.get(node)
        return None if found is None or found == line else _left_side(graph, found)

    return Writer(LATEX, "\\left({}\\right)", name).operand(value)


def _backward(graph: Graph, name: str) -> str:
    """Return a value of a derivative: a bar marks the gradient with respect to what is under it.

    What one step hands to the step before it is marked with a plus: it is not yet the whole
    gradient with respect to that step's new state.
    """
    if name in graph.states:
        return f"\\bar{{{letter(name[2:])}}}^{{+}}_{{t-1}}"
    plain = name.removeprefix("d_")
    if f"d_{plain.removesuffix('_new')}" in graph.states:
        plain = plain.removesuffix("_new")
    if not name.startswith("d_"):
        return symbol(plain, "t")
    base, _, index = plain.partition("_")
    if base in ("W", "b") and index:
        return f"\\bar{{{base}}}_{{{letter(index) if len(index) > 2 else index}}}"
    raised = f"^{{{letter(index)}}}" if index else ""
    return f"\\bar{{{letter(base)}}}{raised}_t"


def _old(graph: Graph, node: Node) -> str:
    """Return what a backward step is given: x at its own time, the other inputs from the step
    before.
    """
    if node.operation is Operation.STATE:
        return f"\\bar{{{letter(node.attribute[2:])}}}^{{+}}_t"
    return symbol(node.attribute, "t" if node.attribute == next(iter(graph.inputs)) else "t-1")


def latex(graph: Graph) -> str:
    """Return all equations of a graph, aligned at the equals signs."""
    lines = [f"{left} &= {right} \\\\" for left, right in equations(graph).values()]
    return "\n".join(["\\begin{aligned}", *lines, "\\end{aligned}"])
