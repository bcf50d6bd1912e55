"""Equations as MathML, which browsers show by themselves: without a script, and without network."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

from ..graph.learned import Layer, Term
from ..graph.node import Node
from ..graph.notation import Level, Rule, Text, Writer, form, number, sum_of_products
from ..graph.operation import Operation
from .formula import GREEK, Style

if TYPE_CHECKING:
    from ..graph.graph import Graph


def letter(name: str) -> str:
    """Return a name without its subscripts: a letter is slanted, a word is not."""
    return f"<mi>{escape(GREEK.get(name, name).replace('_', ' '))}</mi>"


def scripted(base: str, raised: str, below: str, barred: bool) -> str:
    """Return a letter with what stands above and below it."""
    base = base if base.startswith("<") else letter(base)
    base = f"<mover>{base}<mo>¯</mo></mover>" if barred else base
    times = {"t": letter("t"), "t-1": f"<mrow>{letter('t')}<mo>−</mo><mn>1</mn></mrow>"}
    low = times.get(below) or (below if below.startswith("<") else _row(*map(letter, below)))
    if not raised:
        return f"<msub>{base}{low}</msub>"
    high = "<mo>+</mo>" if raised == "+" else raised
    return f"<msubsup>{base}{low}{high}</msubsup>"


def _learned(node: Node, writer: Writer) -> Text:
    base, _, index = node.attribute.name.rpartition("_")
    found = f"<msub>{letter(base)}{letter(index)}</msub>" if base else letter(index)
    return Text(found, Level.ATOM)


def _weight(layer: Layer, index: int, kind: str = "W") -> str:
    """Return one weight (W) or bias (b) of a layer."""
    parts = layer.subscripts(index)
    glue = "" if all(len(part) == 1 for part in parts) else "<mo>,</mo>"
    return f"<msub>{letter(kind)}<mrow>{glue.join(map(letter, parts))}</mrow></msub>"


def _row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _sign(sign: str) -> str:
    return f"<mo>{escape(sign)}</mo>"


def _affine(node: Node, writer: Writer) -> Text:
    found = sum_of_products(
        node, writer, partial(_weight, node.attribute), "<mrow>{}{}</mrow>", _sign("+")
    )
    return Text(_row(found.text), found.level)


def _transposed(node: Node, writer: Writer) -> Text:
    term: Term = node.attribute
    weight = _weight(term.layer, term.source)
    gradient = writer.operand(node.arguments[0], Level.SIGN)
    return Text(_row(f"<msup>{weight}<mo>⊤</mo></msup>", gradient), Level.PRODUCT)


def _constant(node: Node, writer: Writer) -> Text:
    value = number(abs(node.attribute))
    minus = node.attribute < 0
    return Text(_row(_sign("−") * minus, f"<mn>{value}</mn>"), Level.SIGN if minus else Level.ATOM)


def _product(node: Node, writer: Writer) -> Text:
    """Write numbers directly before what they multiply; join vectors by a circled dot."""
    a, b = node.arguments
    number_first = a.operation is Operation.CONSTANT and b.operation is not Operation.CONSTANT
    glue = "<mspace width='0.17em'></mspace>" if number_first else _sign("⊙")
    left, right = writer.operand(a, Level.PRODUCT), writer.operand(b, Level.SIGN)
    return Text(_row(left, glue, right), Level.PRODUCT)


def _between(sign: str, level: Level, *operands: Level) -> Rule:
    return form(f"<mrow>{{}}{_sign(sign)}{{}}</mrow>", level, *operands)


def _function(name: str) -> Rule:
    return form(f"<mrow>{letter(name)}<mo>(</mo>{{}}<mo>)</mo></mrow>")


def _of_two(name: str) -> Rule:
    return form(f"<mrow>{letter(name)}<mo>(</mo>{{}}<mo>,</mo>{{}}<mo>)</mo></mrow>")


_, COMPARISON, SUM, PRODUCT, SIGN, ATOM = Level
MATHML: dict[Operation, Rule] = {
    Operation.CONSTANT: _constant,
    Operation.INPUT: lambda node, writer: Text(STYLE.symbol(node.attribute, "t"), ATOM),
    Operation.STATE: lambda node, writer: Text(STYLE.symbol(node.attribute, "t-1"), ATOM),
    Operation.LEARNED: _learned,
    Operation.ADD: _between("+", SUM, SUM, SUM),
    Operation.SUB: _between("−", SUM, SUM, PRODUCT),
    Operation.MUL: _product,
    Operation.DIV: form("<mfrac>{}{}</mfrac>"),
    Operation.NEG: form(f"<mrow>{_sign('−')}{{}}</mrow>", SIGN, SIGN),
    Operation.SIGMOID: _function("sigma"),
    Operation.TANH: _function("tanh"),
    Operation.RELU: _function("relu"),
    Operation.EXP: _function("exp"),
    Operation.LOG: _function("log"),
    Operation.SQRT: form("<msqrt>{}</msqrt>"),
    Operation.ABS: form("<mrow><mo>|</mo>{}<mo>|</mo></mrow>"),
    Operation.MINIMUM: _of_two("min"),
    Operation.MAXIMUM: _of_two("max"),
    Operation.LESS: _between("<", COMPARISON, SUM, SUM),
    Operation.LESS_EQUAL: _between("≤", COMPARISON, SUM, SUM),
    Operation.SELECT: form(
        "<mrow><mo>(</mo>{1}<mtext>&nbsp;if&nbsp;</mtext>{0}<mtext>&nbsp;else&nbsp;</mtext>{2}"
        "<mo>)</mo></mrow>"
    ),
    Operation.SUM: form("<mrow><mo>∑</mo>{}</mrow>", PRODUCT, PRODUCT),
    Operation.DIMENSION: _function("dim"),
    Operation.BROADCAST: lambda node, writer: Text(writer.operand(node.arguments[0], ATOM), ATOM),
    Operation.NORMALIZE: _function("norm"),
    Operation.AFFINE: _affine,
    Operation.TRANSPOSED: _transposed,
    Operation.OUTER: form(
        "<mrow>{}<msup><mrow>{}</mrow><mo>⊤</mo></msup></mrow>", PRODUCT, SIGN, ATOM
    ),
}
"""For each operation, how a node of it is written."""

STYLE = Style(MATHML, "<mrow><mo>(</mo>{}<mo>)</mo></mrow>", letter, scripted)

CELL = "<mtd style='text-align:{};padding:0.25em 0'>{}</mtd>"


def mathml(graph: Graph) -> str:
    """Return all equations of a graph, aligned at the equals signs."""
    rows = "".join(
        f"<mtr>{CELL.format('right', left)}{CELL.format('left', _row(_sign('='), right))}</mtr>"
        for left, right in STYLE.equations(graph).values()
    )
    return f"<math display='block' style='width:max-content'><mtable>{rows}</mtable></math>"
