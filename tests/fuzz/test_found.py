"""What random cells have found, each as its smallest case."""

from contextlib import nullcontext

import pytest
import torch

import unrolled
from samples import quiet
from unrolled import (
    affine,
    layer_norm,
    maximum,
    mean,
    minimum,
    normalize,
    relu,
    scalar,
    sigmoid,
    tanh,
    vector,
    where,
)
from unrolled.equations import Cell
from unrolled.kernels.runtime import recurrence
from unrolled.testing import assert_same, eager_only


def made(cell: Cell, **options: object) -> unrolled.Recurrent:
    torch.manual_seed(0)
    return unrolled.Recurrent(cell, 3, 4, dtype=torch.float64, **options)  # pyright: ignore


def sequences(steps: int = 5, rows: int = 4) -> torch.Tensor:
    return torch.randn(steps, rows, 3, dtype=torch.float64)


# Layers whose result nothing needs.


@quiet
def unused_layers(x, h):
    a = affine(minimum(relu(h), relu(h)))
    b = affine(1 - h)
    c = affine(sigmoid(affine(x)) / (1 + sigmoid(vector())))
    d = affine(affine(x, h) + 0.5)
    h = tanh(affine(x, h))
    return locals()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("long", [False, True])
def test_layers_without_a_gradient(
    monkeypatch: pytest.MonkeyPatch, dropout: float, long: bool
) -> None:
    if long:
        monkeypatch.setattr(recurrence, "LARGE_PRODUCT", 0)
    options = {"recompute": True, "variational_dropout": dropout, "bias": not long}
    assert_same(made(unused_layers, **options), sequences(9, 2))


def test_masks_over_values_that_no_layer_with_a_gradient_reads() -> None:
    @quiet
    def masked(x, h):
        a = affine(h)
        h = tanh(h)
        return locals()

    assert_same(made(masked, variational_dropout=0.5, recompute=True), sequences())


# Parts of the loop that depend on learned values alone, beside others that depend on the input.


@quiet
def learned_sources(x, h):
    a = tanh(vector() * scalar(0.7))
    b = affine(a, x, h)
    c = affine(a, h)
    d = affine(a, h)
    h = tanh(b) * sigmoid(c) + a
    return locals()


@pytest.mark.parametrize("steps", [2, 9])
@pytest.mark.parametrize("long", [False, True])
def test_a_layer_reads_learned_values_and_others(
    monkeypatch: pytest.MonkeyPatch, steps: int, long: bool
) -> None:
    if long:
        monkeypatch.setattr(recurrence, "LARGE_PRODUCT", 0)
    for options in ({}, {"bidirectional": True}, {"recompute": True}):
        assert_same(made(learned_sources, **options), sequences(steps, 2), lengths=[steps, 1])


def test_a_layer_of_the_input_reads_a_learned_number() -> None:
    @quiet
    def learned_number(x, h):
        a = affine(scalar(0.7), x)
        h = tanh(h)
        return locals()

    layer = made(learned_number)
    assert_same(layer, sequences())
    with unrolled.record(layer, "l0.a") as recording:
        layer(sequences())
    assert recording["l0.a"].shape == (5, 4, 4)


# Loops that do not read the input.


@quiet
def blind(x, h, c):
    c = tanh(affine(h, c))
    h = sigmoid(vector()) * h + 0.1 * layer_norm(c)
    return locals()


@quiet
def alone(x, h):
    h = tanh(h)
    return locals()


@pytest.mark.parametrize("cell", [blind, alone], ids=lambda cell: cell.name)
@pytest.mark.parametrize(
    "options",
    [{}, {"bidirectional": True, "num_layers": 2}, {"learn_initial_states": True}],
    ids=str,
)
def test_nothing_in_the_loop_depends_on_the_input(cell: Cell, options: dict) -> None:
    layer, x = made(cell, **options), sequences()
    assert unrolled.explain(layer, x) == "compiled kernel: float64, 4 rows"
    assert_same(layer, x)
    assert_same(layer, x, lengths=[5, 0, 3, 3])
    assert_same(layer, x[:1])


@pytest.mark.parametrize("cell", [blind, alone], ids=lambda cell: cell.name)
def test_second_gradients_of_a_loop_that_does_not_read_the_input(cell: Cell) -> None:
    layer = made(cell)
    count = len(cell.states)
    states = tuple(torch.randn(1, 2, 4).double().requires_grad_() for _ in range(count))

    def final(*states: torch.Tensor) -> torch.Tensor:
        return layer(sequences(3, 2), states if count > 1 else states[0])[0]

    assert torch.autograd.gradgradcheck(final, states)


# Values that no kernel can record though it can compute the states.


@quiet
def reads_one(x, h):
    a = affine(mean(h))
    b = tanh(affine(mean(x)) + a)
    h = tanh(affine(x, h))
    return locals()


@pytest.mark.parametrize("graph", [False, True])
def test_a_recorded_layer_reads_one_number(graph: bool) -> None:
    layer, x = made(reads_one), sequences()
    assert unrolled.explain(layer, x).startswith("compiled kernel")
    with unrolled.record(layer, keep_graph=graph) as recording:
        layer(x)
    with unrolled.testing.eager_only(), unrolled.record(layer) as expected:
        layer(x)
    for name in expected:
        torch.testing.assert_close(recording[name].detach(), expected[name])


# What is computed of numbers alone.


@quiet
def numbers(x, h):
    a = sigmoid(unrolled.exp(-0.3 * scalar(0.0)) * 0 + 0.3)
    b = affine(sigmoid(0.3))
    c = mean(tanh(0.5)) + normalize(tanh(0.5))
    h = tanh(affine(x, h)) + b * a + c
    return locals()


def test_layers_and_means_of_numbers() -> None:
    assert_same(made(numbers), sequences())


@quiet
def conditions(x, h):
    h = where(h <= 0.2, 0.5, -0.5)
    return locals()


def test_a_state_that_has_no_gradient_at_all() -> None:
    layer, h = made(conditions), torch.randn(1, 4, 4).double().requires_grad_()
    output, _ = layer(sequences(), h)
    (found,) = torch.autograd.grad(
        output.sum(), h, create_graph=True, allow_unused=True, materialize_grads=True
    )
    assert not found.any()


# Names that the library gives to values of its own.


@unrolled.cell
def states_like_gradients(x, h, d_h, h_new):
    d_h = tanh(affine(x, h, d_h))
    h_new = h * d_h + 0.5 * h_new
    h = sigmoid(h_new) * tanh(affine(x, h))
    return locals()


@unrolled.cell
def states_like_inputs(x, hoisted_0, mask_ih, h):
    hoisted_0 = tanh(affine(x, hoisted_0) + relu(affine(x)))
    mask_ih = maximum(mask_ih * 0.5, hoisted_0)
    h = tanh(affine(mask_ih, h))
    return locals()


@unrolled.cell
def states_like_masks(x, h, zoneout_h, returned_h):
    zoneout_h = tanh(affine(x, zoneout_h))
    returned_h = returned_h * 0.5 + sigmoid(affine(x, returned_h))
    h = tanh(affine(zoneout_h, h) + returned_h)
    return locals()


@unrolled.cell
def input_like_a_mask(mask_ih, h):
    hoisted_0 = vector()
    hoisted_1 = scalar()
    returned_h = tanh(vector()) * (1 + hoisted_0)
    h = tanh(affine(mask_ih, h)) * hoisted_0 + hoisted_1 * returned_h
    return locals()


@pytest.mark.parametrize(
    "cell",
    [states_like_gradients, states_like_inputs, states_like_masks, input_like_a_mask],
    ids=lambda cell: cell.name,
)
@pytest.mark.parametrize(
    "options",
    [{}, {"zoneout": 0.3, "variational_dropout": 0.3}, {"recompute": True, "zoneout": 0.5}],
    ids=str,
)
def test_names_of_the_library(monkeypatch: pytest.MonkeyPatch, cell: Cell, options: dict) -> None:
    monkeypatch.setattr(recurrence, "LARGE_PRODUCT", 0)
    layer = made(cell, **options)
    assert unrolled.explain(layer, sequences()).startswith("compiled kernel")
    assert_same(layer, sequences())
    assert_same(layer, sequences(9, 2))
    assert_same(layer, sequences(2, 2))
    assert_same(layer.eval(), sequences())


@quiet
def unread_parameter(x, h):
    h = affine(x)
    unread = tanh(scalar())
    return locals()


def test_a_second_gradient_past_a_parameter_that_no_kernel_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where what reads the input is computed before the loop."""
    monkeypatch.setattr(recurrence, "LARGE_PRODUCT", 0)
    layer, x = made(unread_parameter), sequences(16, 1).requires_grad_()
    found = []
    for around in (eager_only, nullcontext):
        with around():
            (gradient,) = torch.autograd.grad(layer(x)[0].sin().sum(), x, create_graph=True)
            found.append(torch.autograd.grad(gradient.square().sum(), x)[0])
    torch.testing.assert_close(found[1], found[0])


@quiet
def number_in_a_loop_without_input(x, s):
    v = where(s < vector(), s, 0.1)
    s = affine(v)
    return locals()


def test_a_second_gradient_has_numbers_of_its_dtype() -> None:
    """Also where nothing reads the input, which tells the dtype elsewhere."""
    layer, x = made(number_in_a_loop_without_input), sequences()
    first = torch.randn(1, 4, 4, dtype=torch.float64, requires_grad=True)
    found = []
    for around in (eager_only, nullcontext):
        with around():
            output = layer(x, first)[0].sin().sum()
            (gradient,) = torch.autograd.grad(output, first, create_graph=True)
            found.append([gradient, *torch.autograd.grad(gradient.square().sum(), first)])
    torch.testing.assert_close(found[1], found[0], rtol=1e-12, atol=1e-12)


@quiet
def name_that_another_value_would_have(x, b):
    v = sigmoid(tanh(b))
    v_pre = x
    b = v
    return locals()


def test_a_value_outside_the_loop_keeps_its_name() -> None:
    """Inside, what the activation of `v` is applied to would be called so."""
    layer, x = made(name_that_another_value_would_have), sequences()
    with unrolled.record(layer) as found:
        layer(x)
    torch.testing.assert_close(found["l0.v_pre"], x, rtol=0, atol=0)
