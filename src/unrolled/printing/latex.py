"""Equations as LaTeX, in the part of the language that matplotlib's mathtext knows too."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..graph.learned import Layer, Term
from ..graph.node import Node
from ..graph.notation import Level, Rule, Text, Writer, form, log_sigmoid, number, sum_of_products
from ..graph.operation import Operation
from .formula import GREEK, Style

if TYPE_CHECKING:
    from ..graph.graph import Graph


def letter(name: str) -> str:
    """Return a name without its subscripts: ``c``, ``\\beta``, ``\\mathrm{rh}``."""
    if name in GREEK:
        return f"\\{name}"
    return name if len(name) == 1 else f"\\mathrm{{{name.replace('_', chr(92) + ',')}}}"


def scripted(base: str, raised: str, below: str, barred: bool) -> str:
    """Return a letter with what stands above and below it: ``\\bar{h}^{+}_t``."""
    base = f"\\bar{{{base}}}" if barred else base
    exponent = f"^{{{raised}}}" if raised else ""
    return f"{base}{exponent}_{below if below == 't' else f'{{{below}}}'}"


def symbol(name: str, time: str) -> str:
    """Return a value at a time: ``c_{t-1}``, ``m^{\\mathrm{new}}_t``."""
    return STYLE.symbol(name, time)


def learned_symbol(name: str) -> str:
    """Return a learned vector: ``p_{i}``."""
    base, _, index = name.rpartition("_")
    return f"{letter(base)}_{{{letter(index)}}}" if base else letter(name)


def decimal(value: float) -> str:
    """Return a number, its power of ten written as one.

    >>> decimal(0.5), decimal(2e-9), decimal(1e20)
    ('0.5', '2 \\\\cdot 10^{-9}', '10^{20}')
    """
    digits, _, power = number(value).partition("e")
    if not power:
        return digits
    tens = f"10^{{{int(power)}}}"
    return {"1": tens, "-1": f"-{tens}"}.get(digits, f"{digits} \\cdot {tens}")


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
    return Text(decimal(node.attribute), Level.SUM if node.attribute < 0 else Level.ATOM)


def _product(node: Node, writer: Writer) -> Text:
    """Write numbers directly before what they multiply; join vectors by a circled dot."""
    a, b = node.arguments
    number_first = _is_number(a) and not _is_number(b)
    glue = "\\, " if number_first else " \\odot "
    left, right = writer.operand(a, Level.PRODUCT), writer.operand(b, Level.SIGN)
    return Text(f"{left}{glue}{right}", Level.PRODUCT)


def _is_number(node: Node) -> bool:
    """Return whether a node is a number, written down or learned."""
    learned = node.operation is Operation.LEARNED and node.attribute.size == "one"
    return learned or node.operation is Operation.CONSTANT


def _difference(node: Node, writer: Writer) -> Text:
    """Write a difference; log(sigmoid(v)) as such, though it is computed as one."""
    value = log_sigmoid(node, writer)
    if value is not None:
        return Text(f"\\log \\sigma\\left({writer.operand(value)}\\right)", Level.ATOM)
    a, b = node.arguments
    return Text(f"{writer.operand(a, Level.SUM)} - {writer.operand(b, Level.PRODUCT)}", Level.SUM)


def _function(name: str) -> Rule:
    return form(f"{name}\\left({{}}\\right)")


_, COMPARISON, SUM, PRODUCT, SIGN, ATOM = Level
LATEX: dict[Operation, Rule] = {
    Operation.CONSTANT: _constant,
    Operation.INPUT: lambda node, writer: Text(symbol(node.attribute, "t"), ATOM),
    Operation.STATE: lambda node, writer: Text(symbol(node.attribute, "t-1"), ATOM),
    Operation.LEARNED: lambda node, writer: Text(learned_symbol(node.attribute.name), ATOM),
    Operation.ADD: form("{} + {}", SUM, SUM, SUM),
    Operation.SUB: _difference,
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


STYLE = Style(LATEX, "\\left({}\\right)", letter, scripted)


def equations(graph: Graph) -> dict[str, tuple[str, str]]:
    """Return the left and right side of each line in print (see `Graph.lines`)."""
    return STYLE.equations(graph)


def latex(graph: Graph) -> str:
    """Return all equations of a graph, aligned at the equals signs."""
    lines = [f"{left} &= {right} \\\\" for left, right in equations(graph).values()]
    return "\n".join(["\\begin{aligned}", *lines, "\\end{aligned}"])
