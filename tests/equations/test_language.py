import math
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import unrolled
from samples import Sample, execute, uniform
from unrolled.equations import language
from unrolled.errors import CellError
from unrolled.graph.graph import Graph
from unrolled.graph.node import Node, constant
from unrolled.graph.operation import Operation

x = Node(Operation.INPUT, (), "x")
h = Node(Operation.STATE, (), "h")


@pytest.mark.parametrize("name", ["affine", "project"])
def test_learned_layers_outside_a_cell(name: str) -> None:
    with pytest.raises(CellError) as caught:
        getattr(unrolled, name)(x)
    assert str(caught.value) == (
        f"{name}() makes a learned part of a cell: use it under @unrolled.cell"
    )


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("vector", unrolled.vector),
        ("scalar", unrolled.scalar),
        ("layer_norm", lambda: unrolled.layer_norm(x)),
    ],
)
def test_learned_numbers_outside_a_cell(name: str, call: Callable[[], Any]) -> None:
    with pytest.raises(CellError, match=rf"^{name}\(\) makes a learned part of a cell: use it"):
        call()


def inside(call: Callable[[Any, Any], Any]) -> str:
    """What is said about a call inside a cell."""

    def wrong(x, h):
        h = call(x, h)
        return locals()

    with pytest.raises(CellError) as caught:
        unrolled.cell(wrong)
    return str(caught.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x, h: unrolled.affine(),
            "affine() needs at least one source, such as affine(x, h)",
        ),
        (lambda x, h: unrolled.affine(x, 2.0), "affine() takes symbols of a cell, got 2.0"),
        (lambda x, h: unrolled.affine("x"), "affine() takes symbols of a cell, got 'x'"),
        (lambda x, h: unrolled.project(1), "project() takes a symbol of a cell, got 1"),
        (
            lambda x, h: unrolled.affine(x, h, x),
            "affine() reads each of its sources once: affine(x, x) is affine(x)",
        ),
        (
            lambda x, h: unrolled.sigmoid("x"),
            "sigmoid() takes symbols of a cell and numbers, got str",
        ),
        (
            lambda x, h: unrolled.where(None, x, h),
            "where() takes symbols of a cell and numbers, got NoneType",
        ),
        (
            lambda x, h: unrolled.minimum(h, [1]),
            "arithmetic takes symbols of a cell and numbers, got list",
        ),
    ],
)
def test_wrong_arguments(call: Callable[[Any, Any], Any], message: str) -> None:
    assert re.fullmatch(r"wrong: line \d+: (.*)", inside(call))[1] == message


def test_tracing_ends_with_the_cell() -> None:
    inside(lambda x, h: unrolled.affine())
    with pytest.raises(CellError, match=r"use it under @unrolled.cell"):
        unrolled.affine(x)


def test_threads_trace_apart() -> None:
    """Each thread counts the learned parts of its own cell."""
    together = threading.Barrier(2)
    made: dict[str, Any] = {}

    def trace(name: str) -> None:
        def traced(x, h):
            together.wait()
            n = unrolled.tanh(unrolled.affine(x, h))
            together.wait()
            h = unrolled.sigmoid(unrolled.affine(x)) * n
            return locals()

        traced.__name__ = name
        made[name] = unrolled.cell(traced)

    threads = [threading.Thread(target=trace, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, cell in made.items():
        assert cell.name == name
        assert [node.attribute.blocks[0].row for node in cell.graph.layers] == [0, 1]


def value(node: Node, **tensors: torch.Tensor) -> torch.Tensor:
    """What a node is, eagerly, with states of the given values."""
    states = {name: Node(Operation.STATE, (), name) for name in tensors}
    graph = Graph("of", {"x": "input"}, dict.fromkeys(tensors, "hidden"), {**states, "v": node})
    inputs = {"x": uniform(-1, 1, 1, 2, 2)}
    values, _ = execute(graph, Sample({}, inputs, tensors), ["v"])
    return values["v"][0]


A = torch.tensor([[-2.5, -0.5, 0.0], [0.25, 1.0, 30.0]], dtype=torch.float64)
a = Node(Operation.STATE, (), "a")
b = Node(Operation.STATE, (), "b")


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (language.sigmoid(a), torch.sigmoid(A)),
        (language.tanh(a), torch.tanh(A)),
        (language.relu(a), torch.relu(A)),
        (language.exp(a), torch.exp(A)),
        (language.log(a * a + 1), torch.log(A * A + 1)),
        (language.sqrt(a * a), A.abs()),
        (language.abs(a), A.abs()),
        (language.minimum(a, b), torch.minimum(A, A.flip(0))),
        (language.maximum(a, b), torch.maximum(A, A.flip(0))),
        (language.maximum(a, 0.5), A.clamp(min=0.5)),
        (language.where(a < b, a, b * 2), torch.where(A.flip(0) > A, A, A.flip(0) * 2)),
        (language.where(a <= 0, 1, b), torch.where(A <= 0, 1, A.flip(0))),
        (language.log_sigmoid(a * 100), F.logsigmoid(A * 100)),
        (language.mean(a), A.mean(-1, keepdim=True)),
        (language.normalize(a), F.layer_norm(A, (3,))),
        (language.normalize(a, 0.5), F.layer_norm(A, (3,), eps=0.5)),
    ],
    ids=str,
)
def test_what_functions_mean(node: Node, expected: torch.Tensor) -> None:
    result = value(node, a=A, b=A.flip(0))
    torch.testing.assert_close(result, expected.expand_as(result), rtol=1e-14, atol=1e-14)


def test_functions_of_numbers() -> None:
    result = value(language.tanh(0.5) + a * 0, a=A)
    assert result.tolist() == [pytest.approx([math.tanh(0.5)] * 3, rel=1e-15)] * 2
    assert language.sigmoid(1) is language.sigmoid(constant(1.0))
