"""Writing a node as text: what Python and LaTeX have in common."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..graph.node import Block, Layer, Node
    from ..graph.operation import Operation


class Level(IntEnum):
    """How tightly a piece of text holds together."""

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
        """The text of the node's operation and arguments."""
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
        """A node as it stands inside something that holds at least as tightly as `level`."""
        name = self.name(node)
        written = Text(name, Level.ATOM) if name is not None else self.equation(node)
        return written.text if written.level >= level else self.parentheses.format(written.text)

    def equation(self, node: Node) -> Text:
        """The right-hand side of the line that defines a node."""
        return self.rules[node.operation](node, self)


def form(template: str, level: Level, *operands: Level) -> Rule:
    """The rule that fills a template with the arguments, each held by its level."""

    def rule(node: Node, writer: Writer) -> Text:
        texts = (
            writer.operand(argument, operand)
            for argument, operand in zip(node.arguments, operands, strict=False)
        )
        return Text(template.format(*texts), level)

    return rule


def number(value: float) -> str:
    """A constant as short as it can be written exactly."""
    short = f"{value:.0f}"
    return short if value.is_integer() and abs(value) < 1e15 and short != "-0" else repr(value)


def suffix(layer: Layer, block: Block) -> tuple[str, ...]:
    """The subscripts of a weight: what it reads and which layer it belongs to."""
    if layer.size == "projection":
        return (block.group,)
    return (block.group.removesuffix("h"), layer.name)
