"""Equations as formulas: the rules of print, written once for LaTeX, MathML and plain letters.

What a formula says is decided here: which sign stands between two factors, how a power of ten or
log(sigmoid(v)) is written, where a name's index stands. A `Style` adds how one language writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, final

from ..graph.learned import Term
from ..graph.notation import (
    Level,
    Rule,
    Text,
    Writer,
    compared,
    number,
    sum_of_products,
    unnamed_log_sigmoid,
)
from ..graph.operation import Operation
from ..graph.scalars import is_scalar
from ..locks import cached_property
from .names import parsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..graph.graph import Graph
    from ..graph.learned import Layer
    from ..graph.node import Node

SIGNS = (
    *("+", "−", "⊙", "·", "<", "≤", ">", "≥", ","),
    *("negative", "∑", "∞", "⊤", "raised", "times", "of"),
)
"""The signs of formulas: those between operands; minus before a number; exponents, ``raised`` for
the plus of what is handed on; and the room between a weight and what it multiplies, a function
and another.
"""


@final
@dataclass(frozen=True)
class Style:
    """A language of formulas.

    Attributes:
        letter: the text of a letter or of words.
        function: the text of a function's name.
        digits: the text of a number without sign.
        time: the text of a time, such as t-1.
        signs: the text of each of `SIGNS`.
        row: what stands side by side, as one piece.
        indices: subscripts as one, set apart by commas or not.
        scripted: a letter, what is raised and what is below it (each may be empty), and whether a
            bar is over it.
        power: a base and its exponent.
        fraction, root, bars, brackets: templates.
        choice: the same, of a condition and two values.
    """

    letter: Callable[[str], str]
    function: Callable[[str], str]
    digits: Callable[[str], str]
    time: Callable[[str], str]
    signs: Mapping[str, str]
    row: Callable[..., str]
    indices: Callable[[list[str], bool], str]
    scripted: Callable[[str, str, str, bool], str]
    power: Callable[[str, str], str]
    fraction: str
    root: str
    bars: str
    brackets: str
    choice: str

    @cached_property
    def rules(self) -> Mapping[Operation, Rule]:
        """For each operation, how a node of it is written."""
        return {operation: partial(write, style=self) for operation, write in RULES.items()}

    # Names.

    def symbol(self, name: str, time: str, barred: bool = False) -> str:
        """Return a value at a time: ``c`` at ``t-1``, ``m_new`` and ``h_2`` at ``t``."""
        base, digits, index = parsed(name)
        below = [*map(self.digits, digits), self.time(time)]
        raised = self.letter(index) if index else ""
        return self.scripted(self.letter(base), raised, self._below(below, True), barred)

    def name(self, name: str) -> str:
        """Return a name that has no time: of a learned vector, a hyperparameter, a layer."""
        base, below = self._without_time(name)
        return self.scripted(base, "", self._below(below, True), False) if below else base

    def _without_time(self, name: str) -> tuple[str, list[str]]:
        """Return a letter and all that stands below it if nothing is raised."""
        base, digits, index = parsed(name)
        below = [*map(self.digits, digits), *([self.letter(index)] if index else [])]
        return self.letter(base), below

    def weight(self, layer: Layer, index: int, kind: str = "W") -> str:
        """Return one weight (W) or bias (b) of a layer: ``W_{ii}``, ``b_{hf}``."""
        return self._weight(layer.subscripts(index), kind, False)

    def _weight(self, parts: tuple[str, ...], kind: str, barred: bool) -> str:
        apart = any(len(part) > 1 for part in parts)
        below = self._below([self.name(part) for part in parts], apart)
        return self.scripted(self.letter(kind), "", below, barred)

    def _below(self, parts: list[str], apart: bool) -> str:
        return parts[0] if len(parts) == 1 else self.indices(parts, apart) if parts else ""

    def decimal(self, value: float) -> str:
        """Return a number, its power of ten written as one."""
        digits, _, power = number(abs(value)).partition("e")
        minus = self.signs["negative"] if value < 0 else ""
        if digits == "inf":
            return self.row(minus, self.signs["∞"])
        if not power:
            return self.row(minus, self.digits(digits))
        sign = self.signs["negative"] if int(power) < 0 else ""
        tens = self.power(self.digits("10"), self.row(sign, self.digits(str(abs(int(power))))))
        factor = () if digits == "1" else (self.digits(digits), self.signs["·"])
        return self.row(minus, *factor, tens)

    def number(self, scalar: Node, level: Level) -> str:
        """Return a number that is computed from hyperparameters, in brackets if it has to be."""
        return Writer(self.rules, self.brackets, lambda _: None).operand(scalar, level)

    # Equations.

    def equations(self, graph: Graph) -> dict[str, tuple[str, str]]:
        """Return the left and right side of each line in print (see `Graph.lines`)."""
        graph = graph.as_written
        return {
            value: (self._left_side(graph, value), self._right_side(graph, value, node))
            for value, node in graph.lines.items()
        }

    def _left_side(self, graph: Graph, name: str) -> str:
        return self._backward(graph, name) if graph.backward else self.symbol(name, "t")

    def _right_side(self, graph: Graph, line: str, value: Node) -> str:
        def name(node: Node) -> str | None:
            if graph.backward and node.operation in (Operation.INPUT, Operation.STATE):
                return self._old(graph, node)
            found = graph.line_names.get(node)
            return None if found is None or found == line else self._left_side(graph, found)

        return Writer(self.rules, self.brackets, name).operand(value)

    def _backward(self, graph: Graph, name: str) -> str:
        """Return a value of a derivative: a bar marks the gradient with respect to what is under
        it.

        What one step hands to the step before it is marked with a plus: it is not yet the whole
        gradient with respect to that step's new state.
        """
        if name in graph.states:
            return self._handed(name[2:], "t-1")
        plain = name.removeprefix("d_")
        if f"d_{plain.removesuffix('_new')}" in graph.states:
            plain = plain.removesuffix("_new")
        if not name.startswith("d_"):
            return self.symbol(plain, "t")
        kind, _, index = plain.partition("_")
        if kind in ("W", "b") and index:
            return self._weight(_subscripts(graph).get(index, (index,)), kind, True)
        return self.symbol(plain, "t", barred=True)

    def _old(self, graph: Graph, node: Node) -> str:
        """Return what a backward step is given: x at its own time, the other inputs from the step
        before.
        """
        name = node.attribute
        if node.operation is Operation.STATE:
            return self._handed(name[2:], "t")
        return self.symbol(name, "t" if name == next(iter(graph.inputs)) else "t-1")

    def _handed(self, name: str, time: str) -> str:
        base, below = self._without_time(name)
        below = self._below([*below, self.time(time)], True)
        return self.scripted(base, self.signs["raised"], below, True)


def _subscripts(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Return the subscripts of the weights of a derivative, by what follows W in their names."""
    layers = {node.attribute for node in graph.layers}
    layers |= {node.attribute.layer for node in graph.order if isinstance(node.attribute, Term)}
    return {
        layer.weight(index)[2:]: layer.subscripts(index)
        for layer in layers
        for index in range(len(layer.blocks))
    }


# Rules.


class StyledRule(Protocol):
    """Writes a node of one operation in a style."""

    def __call__(self, node: Node, writer: Writer, style: Style) -> Text:
        """Return the text of the node's operation and arguments."""
        ...


def _number(node: Node, writer: Writer, style: Style) -> Text:
    return Text(style.decimal(node.attribute), Level.SUM if node.attribute < 0 else Level.ATOM)


def _affine(node: Node, writer: Writer, style: Style) -> Text:
    weight = partial(style.weight, node.attribute)
    product = style.row("{}", style.signs["times"], "{}")
    found = sum_of_products(node, writer, weight, product, style.signs["+"])
    return Text(style.row(found.text), found.level)


def _transposed(node: Node, writer: Writer, style: Style) -> Text:
    term: Term = node.attribute
    weight = style.power(style.weight(term.layer, term.source), style.signs["⊤"])
    gradient = writer.operand(node.arguments[0], Level.SIGN)
    return Text(style.row(weight, style.signs["times"], gradient), Level.PRODUCT)


def _outer(node: Node, writer: Writer, style: Style) -> Text:
    gradient, source = node.arguments
    row = style.power(writer.operand(source, Level.ATOM), style.signs["⊤"])
    column = writer.operand(gradient, Level.SIGN)
    return Text(style.row(column, style.signs["times"], row), Level.PRODUCT)


def _product(node: Node, writer: Writer, style: Style) -> Text:
    """Join numbers and what they multiply by a dot, vectors by a circled one.

    A minus stands before the whole product, or in brackets.
    """
    a, b = node.arguments
    sign = "·" if is_scalar(a) or is_scalar(b) else "⊙"
    minus = _begins_with_minus(a, writer, (Operation.MUL,))
    level = Level.SUM if minus else Level.PRODUCT
    left, right = writer.operand(a, level), writer.operand(b, Level.SIGN)
    return Text(style.row(left, style.signs[sign], right), level)


def _begins_with_minus(node: Node, writer: Writer, through: tuple[Operation, ...]) -> bool:
    """Return whether the text of a node begins with a minus, also that of what it begins with."""
    while writer.name(node) is None and node.operation in through:
        through = (Operation.MUL,) if node.operation is Operation.MUL else through
        node = node.arguments[0]
    if writer.name(node) is not None:
        return False
    is_negative = node.operation is Operation.CONSTANT and node.attribute < 0
    return is_negative or node.operation is Operation.NEG


def _difference(node: Node, writer: Writer, style: Style) -> Text:
    """Write a difference; log(sigmoid(v)) as such, though it is computed as one."""
    value = unnamed_log_sigmoid(node, writer)
    if value is None:
        return _infix("−", Level.SUM, Level.PRODUCT)(node, writer, style)
    inner = style.row(style.function("sigma"), style.brackets.format(writer.operand(value)))
    return Text(style.row(style.function("log"), style.signs["of"], inner), Level.ATOM)


def _comparison(node: Node, writer: Writer, style: Style) -> Text:
    left, right, sign = compared(node)
    sign = style.signs[{"<=": "≤", ">=": "≥"}.get(sign, sign)]
    text = style.row(writer.operand(left, Level.SUM), sign, writer.operand(right, Level.SUM))
    return Text(text, Level.COMPARISON)


def _infix(sign: str, left: Level, right: Level) -> StyledRule:
    def rule(node: Node, writer: Writer, style: Style) -> Text:
        a, b = node.arguments
        minus = _begins_with_minus(b, writer, (Operation.ADD, Operation.SUB, Operation.MUL))
        operands = writer.operand(a, left), writer.operand(b, Level.PRODUCT if minus else right)
        text = style.row(operands[0], style.signs[sign], operands[1])
        return Text(text, Level.SUM)

    return rule


def _prefix(sign: str, level: Level) -> StyledRule:
    def rule(node: Node, writer: Writer, style: Style) -> Text:
        operand = writer.operand(node.arguments[0], Level.PRODUCT)
        return Text(style.row(style.signs[sign], operand), level)

    return rule


def _function(name: str) -> StyledRule:
    def rule(node: Node, writer: Writer, style: Style) -> Text:
        arguments = style.signs[","].join(map(writer.operand, node.arguments))
        return Text(style.row(style.function(name), style.brackets.format(arguments)), Level.ATOM)

    return rule


def _filled(template: str) -> StyledRule:
    def rule(node: Node, writer: Writer, style: Style) -> Text:
        text = getattr(style, template).format(*map(writer.operand, node.arguments))
        return Text(text, Level.ATOM)

    return rule


def _leaf(write: Callable[[Style, Node], str]) -> StyledRule:
    return lambda node, writer, style: Text(write(style, node), Level.ATOM)


_, _, SUM, PRODUCT, _, ATOM = Level
RULES: dict[Operation, StyledRule] = {
    Operation.CONSTANT: _number,
    Operation.INPUT: _leaf(lambda style, node: style.symbol(node.attribute, "t")),
    Operation.STATE: _leaf(lambda style, node: style.symbol(node.attribute, "t-1")),
    Operation.LEARNED: _leaf(lambda style, node: style.name(node.attribute.name)),
    Operation.ADD: _infix("+", SUM, SUM),
    Operation.SUB: _difference,
    Operation.MUL: _product,
    Operation.DIV: _filled("fraction"),
    Operation.NEG: _prefix("negative", SUM),
    Operation.SIGMOID: _function("sigma"),
    Operation.TANH: _function("tanh"),
    Operation.RELU: _function("relu"),
    Operation.EXP: _function("exp"),
    Operation.LOG: _function("log"),
    Operation.SQRT: _filled("root"),
    Operation.ABS: _filled("bars"),
    Operation.MINIMUM: _function("min"),
    Operation.MAXIMUM: _function("max"),
    Operation.LESS: _comparison,
    Operation.LESS_EQUAL: _comparison,
    Operation.SELECT: _filled("choice"),
    Operation.SUM: _prefix("∑", PRODUCT),
    Operation.DIMENSION: _function("dim"),
    Operation.BROADCAST: lambda node, writer, style: Text(
        writer.operand(node.arguments[0], ATOM), ATOM
    ),
    Operation.NORMALIZE: _function("norm"),
    Operation.AFFINE: _affine,
    Operation.TRANSPOSED: _transposed,
    Operation.OUTER: _outer,
}
"""For each operation, how a node of it is written in any language of formulas."""
