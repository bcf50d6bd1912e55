"""`unrolled.testing`: what it compares, and what it says of a difference."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

import unrolled
from unrolled.graph import derivative
from unrolled.graph.operation import Operation
from unrolled.kernels.autograd import node as compiled
from unrolled.kernels.runtime import torch_state
from unrolled.testing import assert_same, differences, eager_only


def gru(**options: Any) -> unrolled.GRU:
    return unrolled.GRU(3, 4, **{"dtype": torch.float64, **options})


X = torch.randn(5, 2, 3, dtype=torch.float64)


@pytest.mark.broad
def test_it_is_read_when_it_is_used() -> None:
    code = (
        "import sys, unrolled; before = 'unrolled.testing' in sys.modules; "
        "unrolled.testing.assert_same; import unrolled.testing as t; "
        "print(before, t is unrolled.testing)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False True"


def test_eager_only_is_what_the_kernels_know() -> None:
    assert unrolled.testing.eager_only is torch_state.eager_only


CALLS: dict[str, Callable[[], Any]] = {
    "dense": lambda: assert_same(gru(), X),
    "float32": lambda: assert_same(gru(dtype=torch.float32), X.float()),
    "states": lambda: assert_same(gru(), X, torch.randn(1, 2, 4).double()),
    "lengths": lambda: assert_same(gru(bidirectional=True), X, lengths=[3, 0]),
    "packed": lambda: assert_same(gru(), pack_sequence([X[:4, 0], X[:, 1]], enforce_sorted=False)),
    "unbatched": lambda: assert_same(gru(), X[:, 0]),
    "one step": lambda: assert_same(unrolled.GRUCell(3, 4, dtype=torch.float64), X[0]),
    "several states": lambda: assert_same(
        unrolled.LSTMCell(3, 4).double(),
        X[0],
        (torch.randn(2, 4).double(), torch.zeros(2, 4).double()),
    ),
    "dropout": lambda: assert_same(gru(num_layers=2, dropout=0.5, zoneout=0.3), X),
    "frozen": lambda: assert_same(gru().requires_grad_(False), X),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_kernels_are_what_the_equations_say(name: str) -> None:
    CALLS[name]()


def test_masks_of_both_dtypes_are_the_same() -> None:
    layer = gru(dtype=torch.float32, zoneout=0.3, variational_dropout=0.4)
    assert_same(layer, X.float(), lengths=[5, 2])


def test_nothing_is_drawn_and_no_gradient_is_left() -> None:
    layer, x = gru(zoneout=0.5), X.clone().requires_grad_()
    before = torch.get_rng_state()
    assert_same(layer, x)
    assert torch.get_rng_state().equal(before)
    assert x.grad is None
    assert all(parameter.grad is None for parameter in layer.parameters())


def test_a_difference_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = compiled.run

    def wrong(*arguments: Any, **options: Any) -> Any:
        values, last = run(*arguments, **options)
        return {name: value + 0.5 for name, value in values.items()}, last

    monkeypatch.setattr(compiled, "run", wrong)
    with pytest.raises(AssertionError) as error:
        assert_same(gru(), X)
    lines = str(error.value).splitlines()
    assert lines[0] == "GRU of gru differs from its definition:"
    assert lines[1].startswith("  the output differs by 0.5 of 0.")
    assert lines[-1].endswith(" without gradients")
    assert not any("state" in line for line in lines)


def test_a_wrong_derivative_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = derivative.__globals__["DERIVATIVE"]
    monkeypatch.setitem(rules, Operation.TANH, lambda node, g, a: (g * (1 - node),))

    @unrolled.cell
    def wrongly_differentiated(x, h):
        h = unrolled.tanh(unrolled.affine(x, h))
        return locals()

    layer = unrolled.Recurrent(wrongly_differentiated, 3, 4, dtype=torch.float64)
    with pytest.raises(AssertionError, match="the gradient of weight_hh_l0 differs by") as error:
        assert_same(layer, X)
    assert "the output" not in str(error.value)


def test_what_is_not_a_number_differs() -> None:
    nan, one = torch.tensor([torch.nan]), torch.ones(1)
    assert differences({"a": nan}, {"a": one}, torch.float32) == ["a differs by NaN of 1"]
    assert differences({"a": torch.ones(2)}, {"a": one}, torch.float32) == [
        "a has shape (2,), not (1,)"
    ]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: assert_same(torch.nn.GRU(3, 4), X), TypeError, "of unrolled, got GRU"),  # pyright: ignore
        (lambda: assert_same(gru().half(), X.half()), ValueError, "got torch.float16"),
        (lambda: assert_same(gru(), X[..., :2]), RuntimeError, "Expected 3, got 2"),
    ],
)
def test_what_it_refuses(call: Callable[[], None], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_the_definition_alone_is_compared_with_itself() -> None:
    with eager_only():
        assert_same(gru(), X)
