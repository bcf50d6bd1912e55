import pytest

from unrolled import log, mean, relu, tanh, where
from unrolled.graph.learned import Block, Layer
from unrolled.graph.node import Node, constant
from unrolled.graph.notation import Level, Text, Writer, expression, form, number
from unrolled.graph.operation import Operation

x, h = Node(Operation.INPUT, (), "x"), Node(Operation.STATE, (), "h")


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
def test_subscripts_of_weights(size, group: str, parts: tuple[str, ...]) -> None:
    assert Layer("f", size, (Block(group, 0, 0),)).subscripts(0) == parts


# Expressions.


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (x - (h - 1), "x - (h - 1)"),
        (x - h - 1, "x - h - 1"),
        (x + (h + 1), "x + (h + 1)"),
        (x / (h * 2), "x / (h * 2)"),
        (x / h * 2, "x / h * 2"),
        (x * (h / 2), "x * (h / 2)"),
        (-(x + h), "-(x + h)"),
        (-(x * h), "-(x * h)"),
        (-x * h, "-x * h"),
        (x - -h, "x - -h"),
        (x * -2, "x * -2"),
        (-x + -2, "-x + -2"),
        ((x + h) * (x - h), "(x + h) * (x - h)"),
        (where(x < h - 1, -x, 0), "where(x < h - 1, -x, 0)"),
        (where(x >= h, x, h), "where(h <= x, x, h)"),
        (relu(x) + tanh(log(h)), "relu(x) + tanh(log(h))"),
        (mean(x), "sum(x) / len(x)"),
        (Node(Operation.OUTER, (x, h)), "outer(x, h)"),
        (Node(Operation.BROADCAST, (constant(0), h)), "full_like(h, 0)"),
    ],
)
def test_expressions_have_the_parentheses_that_they_need(node: Node, text: str) -> None:
    assert expression(node) == text


@pytest.mark.parametrize(
    "number", [0.0, -0.0, 1.0, -1.0, 0.1, 1e-5, 1e15, -1e300, 1 / 3, 123456.0, 5e-324]
)
def test_numbers_are_exact(number: float) -> None:
    assert repr(float(eval(expression(constant(number))))) == repr(number)


def test_numbers_that_are_not_finite() -> None:
    for value in (float("inf"), -float("inf"), float("nan")):
        assert repr(eval(expression(constant(value)))) == repr(value)


def test_whole_numbers_are_short() -> None:
    assert expression(1 - x * 2.0) == "1 - x * 2"
