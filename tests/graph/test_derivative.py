from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

import unrolled
from graph.drawn import cells
from samples import Sample, execute, quiet, sample, uniform
from unrolled import (
    affine,
    exp,
    layer_norm,
    log,
    log_sigmoid,
    maximum,
    mean,
    minimum,
    normalize,
    project,
    relu,
    scalar,
    sigmoid,
    sqrt,
    tanh,
    vector,
    where,
)
from unrolled.cells import CELLS
from unrolled.equations import Cell
from unrolled.errors import CellError
from unrolled.graph import derivative
from unrolled.graph.graph import Graph
from unrolled.graph.node import Node
from unrolled.graph.operation import Operation
from unrolled.graph.parameters import weights
from unrolled.graph.rewrite import rewrite

EXACT = {"rtol": 1e-10, "atol": 1e-10}


def seeds(graph: Graph, rows: int = 2) -> dict[str, Tensor]:
    """Gradients of a loss with respect to the new states."""
    states = sample(graph, rows=rows).states
    return {state: uniform(-1, 1, *value.shape) for state, value in states.items()}


def backwards(
    graph: Graph, one: Sample, seed: dict[str, Tensor], **returned: Tensor
) -> dict[str, Tensor]:
    """All values of the derivative of one step."""
    step = derivative(graph, returned)
    inputs = {**one.inputs, **{state: value[None] for state, value in one.states.items()}}
    inputs |= {f"returned_{name}": value[None] for name, value in returned.items()}
    states = {f"d_{state}": value for state, value in seed.items()}
    values, last = execute(step, Sample(one.weights, inputs, states))
    return {**{name: value[0] for name, value in values.items()}, **last}


def autograd(graph: Graph, one: Sample, seed: dict[str, Tensor]) -> Sample:
    """The gradients of one step by PyTorch; 0 where there is none."""
    leaves = [[value.clone().requires_grad_() for value in part.values()] for part in one]
    given = Sample(
        *(dict(zip(part, own, strict=True)) for part, own in zip(one, leaves, strict=True))
    )
    _, last = execute(graph, given, [])
    loss = sum((last[state] * seed[state]).sum() for state in last)
    flat = [leaf for own in leaves for leaf in own]
    gradients = torch.autograd.grad(loss, flat, allow_unused=True, materialize_grads=True)
    found = iter(gradients)
    return Sample(*({name: next(found) for name in part} for part in one))


def check(graph: Graph, one: Sample | None = None) -> None:
    """The derivative of a graph is what PyTorch finds, for everything that it depends on."""
    one = one or sample(graph, steps=1)
    seed = seeds(graph, next(iter(one.states.values())).shape[0])
    found, expected = backwards(graph, one, seed), autograd(graph, one, seed)
    x = next(iter(graph.inputs))
    torch.testing.assert_close(found[f"d_{x}"], expected.inputs[x][0], **EXACT)
    for state, gradient in expected.states.items():
        torch.testing.assert_close(found[f"d_{state}"], gradient, **EXACT)
    for name, gradient in weights(graph, expected.weights).items():
        rows = found.get(f"d_{name}")
        own = torch.zeros_like(gradient) if rows is None else rows.sum(0)
        torch.testing.assert_close(own, gradient, **EXACT, msg=lambda text, name=name: name + text)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_known_cells(cell: Cell) -> None:
    check(cell.graph)


@pytest.mark.parametrize("cell", CELLS.values(), ids=str)
def test_gradients_of_named_values(cell: Cell) -> None:
    """d_v is what adding a little to v does to the loss."""
    graph = cell.graph
    one = sample(graph, steps=1)
    seed = seeds(graph)
    found = backwards(graph, one, seed)
    for name, value in graph.values.items():
        extra = Node(Operation.INPUT, (), "extra")
        more = value + extra
        new = rewrite(
            graph.values.values(),
            lambda node, value=value, more=more: more if node is value else None,
        )
        inputs = {**graph.inputs, "extra": graph.sizes[value]}
        moved = Graph(
            graph.name, inputs, graph.states, {n: new[v] for n, v in graph.values.items()}
        )
        zeros = torch.zeros_like(sample(moved, steps=1).inputs["extra"])
        expected = autograd(moved, one._replace(inputs={**one.inputs, "extra": zeros}), seed)
        gradient = found[f"d_{name}_new" if name in graph.states else f"d_{name}"]
        torch.testing.assert_close(gradient, expected.inputs["extra"][0], **EXACT)


def of(value: Callable[[Any, Any], Any]) -> Graph:
    """The graph of a cell with one line."""

    @quiet
    def cell(x, h):
        h = value(x, h)
        return locals()

    return cell.graph


@pytest.mark.parametrize(
    "value",
    [
        lambda x, h: h + affine(x),
        lambda x, h: h - affine(x),
        lambda x, h: h * affine(x),
        lambda x, h: h / (2 + affine(x)),
        lambda x, h: 1 / h - -affine(x),
        lambda x, h: sigmoid(affine(x, h)),
        lambda x, h: tanh(affine(x, h)),
        lambda x, h: relu(affine(x, h)),
        lambda x, h: exp(affine(x, h)),
        lambda x, h: log(h + 1) * log(2),
        lambda x, h: sqrt(h),
        lambda x, h: abs(affine(x, h)),
        lambda x, h: minimum(affine(x), h),
        lambda x, h: maximum(affine(x), h),
        lambda x, h: where(affine(x) < h, h * 2, affine(h)),
        lambda x, h: where(affine(x) >= h, mean(h), affine(h)),
        lambda x, h: log_sigmoid(affine(x, h)),
        lambda x, h: mean(h * h) + affine(x),
        lambda x, h: h * mean(affine(x)) - mean(x) * mean(h),
        lambda x, h: normalize(affine(x, h)),
        lambda x, h: normalize(h, 0.5) * h,
        lambda x, h: layer_norm(affine(x, h)),
        lambda x, h: project(tanh(affine(x, h))),
        lambda x, h: project(h) + project(tanh(affine(x, h))),
        lambda x, h: affine(h * affine(x), mean(h), mean(x)),
        lambda x, h: vector() * h + tanh(vector()) * scalar(2.0) + mean(vector() * affine(x)),
        lambda x, h: affine(x * vector()) + affine(x + scalar()),
        lambda x, h: affine(vector(), x) + exp(scalar()),
        lambda x, h: h * 0 + 1.0,
        lambda x, h: affine(x),
        lambda x, h: h**3 + abs(h) * -h - (-h),
        lambda x, h: minimum(h, mean(h)) + maximum(scalar(), affine(x)),
        lambda x, h: where(mean(h) < scalar(), h, affine(x)),
        lambda x, h: mean(mean(h)) * h,
        lambda x, h: mean(normalize(h) * mean(h)) + h,
    ],
    ids=lambda value: None,
)
def test_each_operation(value: Callable[[Any, Any], Any]) -> None:
    graph = of(value)
    check(graph, sample(graph, steps=1, rows=3))


def test_several_states() -> None:
    @quiet
    def states(x, a, b, c, d):
        a, b = tanh(affine(x, b)), a
        c = mean(a * c)
        d = 0.25
        return locals()

    check(states.graph)


def test_a_state_that_only_a_gradient_passes_through() -> None:
    @quiet
    def delayed(x, h, c, d):
        d = c
        c = h
        h = tanh(affine(x, d))
        return locals()

    check(delayed.graph)


def test_without_bias() -> None:
    graph = unrolled.graph.rewrite.without_bias(CELLS["multiplicative_lstm"].graph)
    check(graph)
    assert not any(name.startswith("d_b_") for name in derivative(graph).values)


def test_a_source_named_like_an_input() -> None:
    @unrolled.cell
    def collision(x, h):
        i = tanh(affine(x))
        f = sigmoid(affine(x, h, i))
        h = f * i + affine(mean(h), h * 2)
        return locals()

    check(collision.graph)


def test_a_reset_gate_beside_a_projection() -> None:
    @unrolled.cell
    def projected_gru(x, h, c):
        r = sigmoid(affine(x, h))
        c = r * tanh(affine(x, h)) + (1 - r) * c
        h = project(c)
        return locals()

    check(projected_gru.graph)


# Where a function has no derivative, or is no number, PyTorch has the word.


@pytest.mark.parametrize(
    "value",
    [
        lambda x, h: minimum(h, 0.5) + affine(x),
        lambda x, h: maximum(0.5, h) + affine(x),
        lambda x, h: minimum(h, h) + affine(x),
        lambda x, h: maximum(h, mean(h)) + affine(x),
        lambda x, h: abs(h - 0.5) + affine(x),
        lambda x, h: relu(h - 0.5) + affine(x),
        lambda x, h: relu(0.5 - h) + affine(x),
        lambda x, h: where(h < 0.5, h * 2, h * 3) + affine(x),
        lambda x, h: where(h <= 0.5, h * 2, h * 3) + affine(x),
        lambda x, h: log_sigmoid(h - 0.5) + affine(x),
        lambda x, h: normalize(h) + affine(x),
    ],
    ids=lambda value: None,
)
def test_ties_and_kinks(value: Callable[[Any, Any], Any]) -> None:
    """At h = 0.5 in all units, and in some."""
    graph = of(value)
    one = sample(graph, steps=1)
    check(graph, one._replace(states={"h": torch.full((2, 3), 0.5, dtype=torch.float64)}))
    mixed = torch.tensor([[0.25, 0.5, 0.75], [0.5, 0.5, 1.0]], dtype=torch.float64)
    check(graph, one._replace(states={"h": mixed}))


@pytest.mark.parametrize(
    "function",
    [sigmoid, tanh, relu, exp, abs, normalize],
    ids=lambda function: function.__name__,
)
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite(function: Callable[[Any], Any], number: float) -> None:
    """NaN passes through relu and the others as it does in PyTorch."""
    graph = of(lambda x, h: function(h) + affine(x))
    one = sample(graph, steps=1)
    states = {"h": torch.tensor([[number, 0.5, -0.5], [0.1, 0.2, 0.3]], dtype=torch.float64)}
    seed = seeds(graph)
    found = backwards(graph, one._replace(states=states), seed)["d_h"]
    expected = autograd(graph, one._replace(states=states), seed).states["h"]
    if function is normalize:  # only which rows are spoilt is the same
        found, expected = found.isfinite().all(-1), expected.isfinite().all(-1)
    torch.testing.assert_close(found, expected, equal_nan=True, **EXACT)


# The form of a derivative.


def test_its_states_and_inputs() -> None:
    step = CELLS["lstm"].derivative
    assert step.name == "lstm_backward"
    assert step.backward
    assert dict(step.inputs) == {"x": "input", "h": "hidden", "c": "hidden"}
    assert dict(step.states) == {"d_h": "hidden", "d_c": "hidden"}
    assert step.sizes[step.values["d_x"]] == "input"


def test_there_is_no_second_derivative() -> None:
    with pytest.raises(CellError, match=r"^lstm_backward is already a derivative$"):
        derivative(CELLS["lstm"].derivative)


def test_a_gradient_that_arrives_at_every_step() -> None:
    """What a loss reads of each step comes in as a further input."""
    graph = CELLS["lstm"].graph
    step = derivative(graph, ["h", "f"])
    assert list(step.inputs) == ["x", "h", "c", "returned_h", "returned_f"]
    one, seed = sample(graph, steps=1), seeds(graph)
    plain = backwards(graph, one, {**seed, "h": seed["h"] * 3})
    split = backwards(graph, one, seed, h=seed["h"] * 2, f=torch.zeros_like(seed["h"]))
    for name in ("d_x", "d_h", "d_c", "d_W_ii"):
        torch.testing.assert_close(split[name], plain[name], **EXACT)
    more = backwards(graph, one, seed, h=seed["h"] * 2, f=torch.ones_like(seed["h"]))
    torch.testing.assert_close(more["d_f"], split["d_f"] + 1, **EXACT)


def test_backwards_over_a_sequence() -> None:
    """The loop of derivatives is backpropagation through time."""
    graph = CELLS["gru_reset_before"].graph
    given = sample(graph, steps=5)
    leaves = [value.requires_grad_() for part in given for value in part.values()]
    values, last = execute(graph, given, ["h"])
    into, final = torch.randn_like(values["h"]), torch.randn_like(last["h"])
    loss = (values["h"] * into).sum() + (last["h"] * final).sum()
    found = iter(torch.autograd.grad(loss, leaves))
    expected = Sample(*({name: next(found) for name in part} for part in given))
    with torch.no_grad():
        old = torch.cat([given.states["h"][None], values["h"][:-1]])
        inputs = {"x": given.inputs["x"], "h": old, "returned_h": into}
        step = derivative(graph, ["h"])
        gradients, first = execute(
            step, Sample(given.weights, inputs, {"d_h": final}), reverse=True
        )
    torch.testing.assert_close(first["d_h"], expected.states["h"], **EXACT)
    torch.testing.assert_close(gradients["d_x"], expected.inputs["x"], **EXACT)
    for name, gradient in weights(graph, expected.weights).items():
        torch.testing.assert_close(gradients[f"d_{name}"].sum((0, 1)), gradient, **EXACT)


def test_layers_that_reach_no_state_have_no_gradient() -> None:
    @quiet
    def watched(x, h):
        first = affine(x)
        h = tanh(affine(x, h))
        readout = affine(x, h)
        return locals()

    check(watched.graph)
    assert not any(
        "readout" in name or "first" in name for name in derivative(watched.graph).values
    )


def test_forward_values_are_kept_if_needed() -> None:
    values = CELLS["lstm"].derivative.values
    assert {"i", "f", "g", "o", "c_new"} < set(values)
    assert "h_new" not in values


def test_sums_of_states_cost_no_product_with_one() -> None:
    """The derivative is simplified: no factor 1, no sum with 0."""
    for cell in CELLS.values():
        for node in cell.derivative.order:
            if node.operation in (Operation.MUL, Operation.ADD):
                neutral = 1.0 if node.operation is Operation.MUL else 0.0
                assert all(argument.attribute != neutral for argument in node.arguments)


@pytest.mark.broad
@settings(max_examples=60)
@given(cells())
def test_random_cells(cell: Cell) -> None:
    check(cell.graph)
