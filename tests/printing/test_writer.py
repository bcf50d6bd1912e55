import pytest

from unrolled.graph.node import Block, Layer, Node
from unrolled.graph.operation import Operation
from unrolled.printing.writer import Level, Text, Writer, form, number, suffix

x = Node(Operation.INPUT, (), "x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-3.0, "-3"),
        (0.0, "0"),
        (-0.0, "-0.0"),
        (0.1, "0.1"),
        (1e14, "100000000000000"),
        (1e15, "1000000000000000.0"),
        (1e-5, "1e-05"),
        (1 / 3, "0.3333333333333333"),
    ],
)
def test_numbers_are_short_and_exact(value: float, text: str) -> None:
    assert number(value) == text
    assert float(text) == value


def test_parentheses_where_text_holds_too_loosely() -> None:
    rules = {
        Operation.INPUT: lambda node, writer: Text("x", Level.ATOM),
        Operation.ADD: form("{} + {}", Level.SUM, Level.SUM, Level.PRODUCT),
        Operation.MUL: form("{} * {}", Level.PRODUCT, Level.PRODUCT, Level.SIGN),
    }
    writer = Writer(rules, "[{}]", lambda node: None)
    assert writer.operand((x + x) * (x * x) + x) == "[x + x] * [x * x] + x"
    assert writer.operand(x + x, Level.ATOM) == "[x + x]"
    assert writer.equation(x * x) == Text("x * x", Level.PRODUCT)


def test_named_nodes_are_written_as_names() -> None:
    double = x + x
    rules = {Operation.ADD: form("{} + {}", Level.SUM, Level.SUM, Level.SUM)}
    writer = Writer(rules, "({})", {x: "x", double: "double"}.get)
    assert writer.operand(double, Level.ATOM) == "double"
    assert writer.equation(double).text == "x + x"


@pytest.mark.parametrize(
    ("size", "group", "parts"),
    [
        ("hidden", "ih", ("i", "f")),
        ("hidden", "rhh", ("rh", "f")),
        ("hidden", "i_h", ("i_", "f")),
        ("projection", "hr", ("hr",)),
        ("projection", "hr2", ("hr2",)),
    ],
)
def test_suffixes(size, group: str, parts: tuple[str, ...]) -> None:
    block = Block(group, 0, 0)
    assert suffix(Layer("f", size, (block,)), block) == parts
