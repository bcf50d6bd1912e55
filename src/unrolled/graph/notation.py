"""Values as text, in the infix notation of Python: for people, messages and the printers."""

from __future__ import annotations

import math
from enum import IntEnum
from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, final

from .learned import Layer
from .limits import short
from .operation import ACTIVATIONS, EPSILON, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


Node: TypeAlias = Any
"""A `node.Node`: that module is built on this one, for what a node shows in a debugger."""


class Level(IntEnum):
    """The tightness with which a piece of text holds together."""

    ANY = 0
    COMPARISON = 1
    SUM = 2
    PRODUCT = 3
    SIGN = 4
    ATOM = 5


class Text(NamedTuple):
    """A piece of text and how tightly it holds together."""

    text: str
    level: Level


class Rule(Protocol):
    """Writes a node of one operation."""

    def __call__(self, node: Node, writer: Writer) -> Text:
        """Return the text of the node's operation and arguments."""
        ...


@final
class Writer:
    """Writes nodes by a table of rules.

    Args:
        rules: for each operation, how to write it.
        parentheses: how to wrap text that holds too loosely, such as ``"({})"``.
        name: the text of a node that is written as a name, None to write its operation.
    """

    def __init__(
        self,
        rules: Mapping[Operation, Rule],
        parentheses: str,
        name: Callable[[Node], str | None],
    ) -> None:
        self.rules = rules
        self.parentheses = parentheses
        self.name = name

    def operand(self, node: Node, level: Level = Level.ANY) -> str:
        """Return a node as it stands inside something that holds at least as tightly as `level`."""
        name = self.name(node)
        written = Text(name, Level.ATOM) if name is not None else self.equation(node)
        return written.text if written.level >= level else self.parentheses.format(written.text)

    def equation(self, node: Node) -> Text:
        """Return the right-hand side of the line that defines a node."""
        return self.rules[node.operation](node, self)


class Composite(NamedTuple):
    """A function that takes several operations.

    Attributes:
        value: what it is applied to.
        parts: the operations, the last one first.
    """

    value: Node
    parts: tuple[Node, ...]


def log_sigmoid(node: Node) -> Composite | None:
    """Return v and its operations if a node computes log(sigmoid(v)) as `unrolled.log_sigmoid`
    does, else None.
    """
    if node.operation is not Operation.SUB or node.arguments[0].operation is not Operation.MINIMUM:
        return None
    parts = list(node.arguments)
    value, zero = parts[0].arguments
    shape = (Operation.LOG, Operation.ADD, Operation.EXP, Operation.NEG, Operation.ABS)
    for operation in shape:
        below = parts[-1]
        if below.operation is not operation:
            return None
        parts.append(below.arguments[-1])
    one = parts[2].arguments[0]
    same = parts.pop() is value and zero.attribute == 0.0 and one.attribute == 1.0
    return Composite(value, (node, *parts)) if same else None


def unnamed_log_sigmoid(node: Node, writer: Writer) -> Node | None:
    """Return v if a node is log(sigmoid(v)) and no part of it is written as a name, else None."""
    found = log_sigmoid(node)
    if found is None or any(writer.name(part) is not None for part in found.parts[1:]):
        return None
    return found.value


def form(template: str, level: Level = Level.ATOM, *operands: Level) -> Rule:
    """Return the rule that fills a template with the arguments, each held by its level, or any."""

    def rule(node: Node, writer: Writer) -> Text:
        pairs = zip_longest(node.arguments, operands, fillvalue=Level.ANY)
        return Text(template.format(*(writer.operand(*pair) for pair in pairs)), level)

    return rule


def sum_of_products(
    node: Node,
    writer: Writer,
    weight: Callable[[int, str], str],
    product: str,
    plus: str = " + ",
) -> Text:
    """Return the text of a learned layer: its weights times what they read, and its biases.

    Args:
        node: the layer.
        writer: of its sources.
        weight: the name of a source's weight (W) or bias (b).
        product: the template of a weight times a source.
        plus: what stands between two terms.
    """
    terms = []
    for index, block in enumerate(node.attribute.blocks):
        source = writer.operand(node.arguments[index], Level.SIGN)
        terms.append(product.format(weight(index, "W"), source))
        if block.bias is not None:
            terms.append(weight(index, "b"))
    return Text(plus.join(terms), Level.SUM if len(terms) > 1 else Level.PRODUCT)


def compared(node: Node) -> tuple[Node, Node, str]:
    """Return a comparison as it is written, what is the same at every step on the right: ``s > 0``.

    >>> from unrolled.graph.node import Node
    >>> s, x = Node(Operation.STATE, (), "s"), Node(Operation.INPUT, (), "x")
    >>> [compared(node)[2] for node in (0 < s, 0 >= s, s >= 0, s > x)]
    ['>', '<=', '>=', '<']
    """
    a, b = node.arguments
    is_strict = node.operation is Operation.LESS
    if _is_fixed(a) and not _is_fixed(b):
        return b, a, ">" if is_strict else ">="
    return a, b, "<" if is_strict else "<="


FIXED = 200
"""Nodes of a value that are looked through for what changes from step to step."""


def _is_fixed(node: Node) -> bool:
    """Return whether a value is the same at every step: a number, or learned, or made of such."""
    waiting, seen = [node], {node}
    while waiting and len(seen) < FIXED:
        node = waiting.pop()
        if node.operation in (Operation.INPUT, Operation.STATE):
            return False
        waiting += set(node.arguments) - seen
        seen.update(node.arguments)
    return not waiting


def _comparison(node: Node, writer: Writer) -> Text:
    left, right, sign = compared(node)
    a, b = writer.operand(left, Level.SUM), writer.operand(right, Level.SUM)
    return Text(f"{a} {sign} {b}", Level.COMPARISON)


def number(value: float) -> str:
    """Return a constant as short as it can be written exactly."""
    short = f"{value:.0f}"
    return short if value.is_integer() and abs(value) < 1e15 and short != "-0" else repr(value)


def _affine(node: Node, writer: Writer) -> Text:
    layer = node.attribute
    if not isinstance(layer, Layer):  # not resolved yet: the function is still being traced
        sources = ", ".join(writer.operand(source) for source in node.arguments)
        return Text(f"affine({sources})", Level.ATOM)
    return sum_of_products(node, writer, layer.weight, "{} @ {}")


def _normalize(node: Node, writer: Writer) -> Text:
    epsilon = "" if node.attribute == EPSILON else f", {number(node.attribute)}"
    return Text(f"normalize({writer.operand(node.arguments[0])}{epsilon})", Level.ATOM)


def _transposed(node: Node, writer: Writer) -> Text:
    gradient = writer.operand(node.arguments[0], Level.SIGN)
    return Text(f"{node.attribute.weight}.T @ {gradient}", Level.PRODUCT)


def _constant(node: Node, writer: Writer) -> Text:
    if not math.isfinite(node.attribute):
        return Text(f'float("{node.attribute}")', Level.ATOM)
    return Text(number(node.attribute), Level.SIGN if node.attribute < 0 else Level.ATOM)


_, _, SUM, PRODUCT, SIGN, ATOM = Level
FUNCTIONS = ACTIVATIONS | {Operation.LOG, Operation.SQRT, Operation.ABS, Operation.SUM}
NOTATION: dict[Operation, Rule] = {
    **{operation: form(f"{operation.value}({{}})") for operation in FUNCTIONS},
    Operation.CONSTANT: _constant,
    Operation.INPUT: lambda node, writer: Text(node.attribute, ATOM),
    Operation.STATE: lambda node, writer: Text(node.attribute, ATOM),
    Operation.LEARNED: lambda node, writer: Text(getattr(node.attribute, "name", "learned"), ATOM),
    Operation.ADD: form("{} + {}", SUM, SUM, PRODUCT),
    Operation.SUB: form("{} - {}", SUM, SUM, PRODUCT),
    Operation.MUL: form("{} * {}", PRODUCT, PRODUCT, SIGN),
    Operation.DIV: form("{} / {}", PRODUCT, PRODUCT, SIGN),
    Operation.NEG: form("-{}", SIGN, SIGN),
    Operation.MINIMUM: form("minimum({}, {})"),
    Operation.MAXIMUM: form("maximum({}, {})"),
    Operation.LESS: _comparison,
    Operation.LESS_EQUAL: _comparison,
    Operation.SELECT: form("where({}, {}, {})"),
    Operation.DIMENSION: form("len({})"),
    Operation.BROADCAST: form("full_like({1}, {0})"),
    Operation.NORMALIZE: _normalize,
    Operation.AFFINE: _affine,
    Operation.TRANSPOSED: _transposed,
    Operation.OUTER: form("outer({}, {})"),
}
"""For each operation, how a node of it is written."""


POSITIONS = 60
"""Operations and operands of an expression that are written out; the rest is left out."""

CITED = 500
"""Letters of an expression."""


def expression(node: Node, names: Mapping[Any, str] = MappingProxyType({})) -> str:
    """Return a node as text, cut where it is long: for messages, labels and plans.

    Args:
        node: to be written, by its operation even if it has a name.
        names: of the nodes below it that are written as names.
    """
    left = POSITIONS

    def name(below: Node) -> str | None:
        nonlocal left
        left -= 1
        known = names.get(below)
        return known if known is not None or left > 0 or not below.arguments else "..."

    return short(Writer(NOTATION, "({})", name).equation(node).text, CITED)
