import copy
import gc
import math
import operator
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch

from unrolled.errors import CellError
from unrolled.graph.learned import Block, Layer
from unrolled.graph.node import Node, SymbolError, constant, ordered, symbol
from unrolled.graph.operation import Operation

x = Node(Operation.INPUT, (), "x")
h = Node(Operation.STATE, (), "h")


def test_the_same_parts_are_one_node() -> None:
    assert (x + h) * 2 is (x + h) * 2
    assert x + h is not h + x
    assert Node(Operation.STATE, (), "x") is not x
    assert Node(Operation.NORMALIZE, (x,), 1e-5) is Node(Operation.NORMALIZE, (x,), 1e-5)
    assert Node(Operation.NORMALIZE, (x,), 1e-5) is not Node(Operation.NORMALIZE, (x,), 1e-6)


def test_layers_are_told_apart_by_all_their_parts() -> None:
    one = Layer("i", "hidden", (Block("ih", 0, 0), Block("hh", 0, 0)))
    two = one._replace(blocks=(Block("ih", 0, 0), Block("hh", 0, None)))
    assert Node(Operation.AFFINE, (x, h), one) is Node(Operation.AFFINE, (x, h), one._replace())
    assert Node(Operation.AFFINE, (x, h), one) is not Node(Operation.AFFINE, (x, h), two)


def test_constants_keep_their_sign_and_nan() -> None:
    assert constant(0.0) is constant(0)
    assert constant(0.0) is not constant(-0.0)
    assert math.copysign(1, constant(-0.0).attribute) == -1
    assert constant(math.nan) is constant(float("nan"))
    assert constant(math.inf) is not constant(-math.inf)
    assert constant(0.1 + 0.2) is not constant(0.3)


def test_nodes_that_nobody_holds_are_forgotten() -> None:
    gc.collect()
    before = len(Node._known)
    value = x
    for number in range(100):
        value = value + (0.123 + number)
    assert len(Node._known) >= before + 200
    del value
    gc.collect()
    assert len(Node._known) == before


def test_threads_agree_on_a_node() -> None:
    count = 8
    for number in range(50):
        together = Barrier(count)

        def make(_: int, number: int = number, together: Barrier = together) -> Node:
            together.wait()
            return (x + (0.5 + number)) * h

        with ThreadPoolExecutor(count) as threads:
            made = list(threads.map(make, range(count)))
        assert all(node is made[0] for node in made)


@pytest.mark.parametrize("name", ["operation", "arguments", "attribute", "other"])
def test_nodes_are_immutable(name: str) -> None:
    with pytest.raises(AttributeError, match=f"nodes are immutable: {name} cannot be set"):
        setattr(x, name, None)


@pytest.mark.parametrize("node", [x, constant(math.nan), constant(-0.0), (x * 2 - h) / 3])
def test_copies_are_the_same_node(node: Node) -> None:
    assert copy.copy(node) is node
    assert copy.deepcopy(node) is node
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(node, protocol)) is node


NUMBERS = [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2)]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: type(number).__name__)
def test_numbers_on_both_sides(number: float) -> None:
    two = constant(float(number))
    for made, operation, arguments in [
        (x + number, Operation.ADD, (x, two)),
        (number + x, Operation.ADD, (two, x)),
        (x - number, Operation.SUB, (x, two)),
        (number - x, Operation.SUB, (two, x)),
        (x * number, Operation.MUL, (x, two)),
        (number * x, Operation.MUL, (two, x)),
        (x / number, Operation.DIV, (x, two)),
        (number / x, Operation.DIV, (two, x)),
        (x < number, Operation.LESS, (x, two)),
        (x > number, Operation.LESS, (two, x)),
        (number < x, Operation.LESS, (two, x)),
        (number > x, Operation.LESS, (x, two)),
        (x <= number, Operation.LESS_EQUAL, (x, two)),
        (x >= number, Operation.LESS_EQUAL, (two, x)),
    ]:
        assert made is Node(operation, arguments)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("act", ["add", "sub", "mul", "truediv", "lt", "le", "gt", "ge"])
@pytest.mark.parametrize(
    "value",
    [
        *(torch.tensor(2.0), torch.ones(3), torch.nn.Parameter(torch.tensor(0.5))),
        *(np.array(2.0), np.ones(3), torch.ones(1, requires_grad=True)),
    ],
    ids=["tensor", "vector", "parameter", "array", "array vector", "leaf"],
)
def test_arrays_are_no_numbers(value: Any, act: str, swap: bool) -> None:
    """Not even of one element: it would be frozen, whatever it learns later."""
    a, b = (value, x) if swap else (x, value)
    with pytest.raises(CellError, match=r"frozen.*scalar\(\), vector\(\).*value\.item\(\)"):
        getattr(operator, act)(a, b)


def test_what_was_taken_out_of_an_array_is_a_number() -> None:
    assert x * torch.tensor(2.0).item() is x * 2
    assert x * np.float32(2.0) is x * 2
    assert x * np.ones(3, int)[0] is x * 1


@pytest.mark.parametrize("value", [torch.ones(3, 3), np.ones((3, 3))], ids=["tensor", "array"])
def test_a_product_with_a_matrix_is_a_learned_layer(value: Any) -> None:
    for product in (lambda: value @ x, lambda: x @ value):
        with pytest.raises(CellError, match=r"learned layer.*affine\(v\)"):
            product()


def test_signs_and_absolute_value() -> None:
    assert -x is Node(Operation.NEG, (x,))
    assert +x is x
    assert abs(x) is Node(Operation.ABS, (x,))
    assert sum([x, h]) is (0 + x) + h


def test_powers_are_products() -> None:
    assert x**1 is x
    assert x**2 is x * x
    assert x**3 is x * (x * x)
    assert x**True is x


@pytest.mark.parametrize("power", [0, -1, 0.5, 2.0, "2", None, h])
def test_other_powers_are_refused(power: object) -> None:
    with pytest.raises(SymbolError, match=r"whole number of at least 1, got .*: use exp and log"):
        x**power


def test_symbols_are_not_compared() -> None:
    assert x == x
    for compare in (lambda: x == h, lambda: x != h, lambda: x == 0, lambda: x in [h]):
        with pytest.raises(SymbolError, match="cannot be compared with == or !=") as caught:
            compare()
        assert caught.value.node is x or caught.value.node is h


def test_symbols_have_no_truth() -> None:
    condition = x > 0
    for ask in (bool, lambda node: not node, lambda node: node and 1, lambda node: node or 1):
        with pytest.raises(SymbolError) as caught:
            ask(condition)
        assert caught.value.node is condition
        assert "where(condition, a, b), minimum(a, b) or maximum(a, b)" in str(caught.value)
    with pytest.raises(SymbolError, match="no value until the cell runs"):
        max(x, h)


@pytest.mark.parametrize(
    ("value", "kind"),
    [("1", "str"), ([1.0], "list"), (None, "NoneType"), (1j, "complex"), (np.ones(2), "ndarray")],
)
def test_only_symbols_and_numbers(value: object, kind: str) -> None:
    with pytest.raises(CellError, match=f"arithmetic takes symbols of a cell and numbers.*{kind}"):
        x + value
    with pytest.raises(CellError, match=f"tanh.. takes symbols of a cell and numbers, got {kind}"):
        symbol(value, "tanh()")


def test_a_cell_error_is_a_value_error() -> None:
    assert issubclass(SymbolError, CellError)
    assert issubclass(CellError, ValueError)


def test_repr_is_the_expression() -> None:
    assert repr((x + h) * 2 - -x / 3) == "<(x + h) * 2 - -x / 3>"


def test_order_puts_arguments_first() -> None:
    value = (x + h) * (x - h)
    order = ordered([value, x + h])
    assert order[-1] is value
    assert len(order) == 5
    place = {node: index for index, node in enumerate(order)}
    assert all(place[a] < place[node] for node in order for a in node.arguments)


def test_order_needs_no_recursion() -> None:
    value = x
    for _ in range(20_000):
        value = value + h
    assert len(ordered([value])) == 20_002
    while value is not x:  # let go of it piece by piece
        value = value.arguments[0]


def test_order_finds_circles() -> None:
    inner = Node(Operation.TANH, (x,), "circle")
    outer = inner + h
    object.__setattr__(inner, "arguments", (outer,))
    with pytest.raises(CellError, match=r"cyclic use: (add|tanh) depends on its own value"):
        ordered([outer])
    object.__setattr__(inner, "arguments", (x,))
