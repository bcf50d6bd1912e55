"""The operators that torch.compile calls: PyTorch's own checks of them, values and gradients."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.library import opcheck

import guard
from unrolled.cells import CELLS
from unrolled.graph.graph import Graph
from unrolled.graph.rewrite import variational_dropout
from unrolled.kernels.autograd import description
from unrolled.kernels.autograd import operator as operators
from unrolled.kernels.runtime import recurrence

from ..comparison import SIZES, WAYS, assert_close, by_definition, call, cast, flat, outcome

OPERATORS: Any = torch.ops.unrolled

deprecated = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

DROPPED = variational_dropout(CELLS["gru"].graph)
"""Something is computed before the loop."""

GRAPHS = [CELLS["lstm"].graph, CELLS["lstm_layernorm"].graph, CELLS["cornn"].graph, DROPPED]


def described(graph: Graph, given: Any, sizes: Any = SIZES) -> str:
    return description.describe(graph, sizes, list(given.weights), [graph.output])


def operands(graph: Graph, way: str, wanted: bool = False, **shape: Any) -> tuple[Any, ...]:
    """What an operator is called with."""
    given, options = call(graph, way, **shape)
    lists = [[v.detach().requires_grad_(wanted) for v in part.values()] for part in ordered(given)]
    text = described(graph, given, shape.get("sizes", SIZES))
    return *lists, text, options.get("batch_sizes"), options["reverse"]


def ordered(given: Any) -> tuple[dict[str, Tensor], ...]:
    return given.inputs, given.states, given.weights


@deprecated
@pytest.mark.parametrize("way", ["forward", "ragged reverse"])
@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_they_are_what_pytorch_expects(graph: Graph, way: str) -> None:
    given = operands(graph, way)
    opcheck(OPERATORS.recurrence.default, given)
    opcheck(OPERATORS.recurrence_forward.default, operands(graph, way, True))
    *returned, store = OPERATORS.recurrence_forward(*given)
    gradients = [torch.randn_like(value) for value in returned]
    gradients[-1] = None
    wanted = [True] * sum(map(len, given[:3]))
    wanted[1] = False
    opcheck(OPERATORS.recurrence_backward.default, (gradients, store, wanted, *given))


def by_operators(graph: Graph, sizes: Any = SIZES) -> Any:
    """Runs a graph through the operator of training."""

    def run(
        weights: Any, inputs: Any, states: Any, record: Any, batch_sizes: Any = None, reverse=False
    ) -> Any:
        text = description.describe(graph, sizes, list(weights), record)
        return operators.run(text, weights, inputs, states, record, batch_sizes, reverse)

    return run


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_values_and_gradients(graph: Graph, way: str) -> None:
    given, options = call(graph, way)
    record = list(dict.fromkeys([graph.output, next(iter(graph.values))]))
    expected = outcome(by_definition(graph), given, record, **options)
    assert_close(outcome(by_operators(graph), given, record, **options), expected)
    with torch.no_grad():
        values, last = by_operators(graph)(*given, record, **options)
    for name, value in values.items():
        torch.testing.assert_close(value, expected[f"value {name}"])
    for name, value in last.items():
        torch.testing.assert_close(value, expected[f"last {name}"])


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.name)
def test_gradients_of_gradients(graph: Graph) -> None:
    sizes = {**SIZES, "hidden": 3, "input": 2}
    given, _ = call(graph, steps=2, rows=2, sizes=sizes)
    names = list(flat(given))

    def function(*values: Tensor) -> list[Tensor]:
        known = dict(zip(names, values, strict=True))
        parts = [{name: known[name] for name in part} for part in given]
        recorded, last = by_operators(graph, sizes)(*parts, [graph.output])
        return [*recorded.values(), *last.values()]

    leaves = [value.detach().requires_grad_() for value in flat(given).values()]
    assert torch.autograd.gradcheck(function, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(function, leaves, fast_mode=True)


def test_many_gradients_at_once() -> None:
    graph = CELLS["gru"].graph
    given, _ = call(graph)
    x = given.inputs["x"].requires_grad_()
    values, _ = by_operators(graph)(*given, ["h"])
    loss = values["h"].sum((1, 2))
    eye = torch.eye(4, dtype=torch.float64)
    (found,) = torch.autograd.grad(loss, x, eye, retain_graph=True, is_grads_batched=True)
    for row, each in zip(found, loss, strict=True):
        torch.testing.assert_close(row, torch.autograd.grad(each, x, retain_graph=True)[0])


@pytest.mark.skipif(guard.is_on(), reason="tensors then end at a page, wherever they begin")
def test_results_stand_where_compiled_code_expects_them() -> None:
    """States of all steps in one array would begin anywhere; nothing shares its memory."""
    graph = CELLS["lstm"].graph
    given, _ = call(graph, rows=3)
    given = cast(given, torch.float32)
    weights = list(given.weights.values())
    text = described(graph, given)
    lists = [[*given.inputs.values()], [*given.states.values()], weights]
    results = [
        *OPERATORS.recurrence(*lists, text, None, False),
        *OPERATORS.recurrence_forward(*lists, text, None, False),
    ]
    for result in results:
        assert result.is_contiguous()
        assert result.data_ptr() % operators.ALIGNMENT == 0
    places = {result.untyped_storage().data_ptr() for result in results}
    assert len(places) == len(results)


def test_a_text_is_all_that_is_needed() -> None:
    graph = CELLS["mgu"].graph
    given, _ = call(graph)
    text = described(graph, given)
    assert set(json.loads(text)) == {"graph", "sizes", "weights", "record", "recompute"}
    found = description.described(text, torch.float64)
    assert found.recurrences is recurrence.recurrences(graph, SIZES, torch.float64)
    assert description.described(str(text), torch.float64) is found
    assert description.described(text, torch.float32) is not found
