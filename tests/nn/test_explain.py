"""What computes a call, in words."""

from typing import Any

import pytest
import torch
from torch import nn

import unrolled
from unrolled import affine, mean, tanh
from unrolled.cells import CELLS
from unrolled.kernels.runtime.torch_state import eager_only

from .twins import LAYERS, STEPS, B, H, I, T, initial, layer, packed, step

X = torch.zeros(T, B, I)


def made(kind: str, **options: Any) -> Any:
    return getattr(unrolled, kind)(I, H, **options)


@pytest.mark.parametrize("kind", LAYERS)
def test_layers_take_kernels(kind: str) -> None:
    expected = "compiled kernel: float32, 2 rows"
    module = made(kind, num_layers=2, bidirectional=True)
    assert unrolled.explain(module, X) == expected
    assert unrolled.explain(module, X, lengths=[3, 0]) == expected
    assert unrolled.explain(module, packed(X, [3, 1])) == expected
    assert unrolled.explain(module.double(), X.double()) == "compiled kernel: float64, 2 rows"


@pytest.mark.parametrize("name", CELLS)
def test_every_known_cell_takes_a_kernel(name: str) -> None:
    assert unrolled.explain(layer(name), X) == "compiled kernel: float32, 2 rows"


def test_forms_of_input() -> None:
    module = made("LSTM", batch_first=True)
    assert unrolled.explain(module, torch.zeros(7, T, I)) == "compiled kernel: float32, 7 rows"
    assert unrolled.explain(module, torch.zeros(T, I)) == "compiled kernel: float32, 1 rows"


def test_options_that_change_the_equations() -> None:
    options = {"zoneout": 0.1, "variational_dropout": 0.2, "learn_initial_states": True}
    module = made("GRU", bias=False, **options)
    for mode in (True, False):
        assert unrolled.explain(module.train(mode), X).startswith("compiled kernel: ")


@pytest.mark.parametrize("kind", STEPS)
def test_steps_take_kernels(kind: str) -> None:
    module, x = made(kind), torch.zeros(B, I)
    assert unrolled.explain(module, x) == "compiled kernel: float32, 2 rows"
    assert unrolled.explain(module, x[0]) == "compiled kernel: float32, 1 rows"
    assert unrolled.explain(module, x[:0]) == "eager definition: there are no rows"
    with eager_only():
        assert unrolled.explain(module, x) == "eager definition: eager_only() asks for it"
    assert unrolled.explain(module.double(), x.double()) == "compiled kernel: float64, 2 rows"
    with pytest.raises(RuntimeError, match="input_size"):
        unrolled.explain(module.float(), torch.zeros(B, I + 1))
    with pytest.raises(TypeError, match=f"{kind} takes one step: it has no lengths"):
        unrolled.explain(module, x, lengths=[1, 1])
    with pytest.raises(TypeError, match=f"{kind} takes a tensor, got PackedSequence"):
        unrolled.explain(module, packed(X, [3, 1]))


@pytest.mark.parametrize("name", CELLS)
def test_steps_of_every_known_cell_take_a_kernel(name: str) -> None:
    module = step(name)
    found = unrolled.explain(module, torch.zeros(B, I), initial(module, B))
    assert found == "compiled kernel: float32, 2 rows"


def test_why_a_call_takes_no_kernel() -> None:
    module = made("LSTM")
    with eager_only():
        assert unrolled.explain(module, X) == "eager definition: eager_only() asks for it"
    expected = "eager definition: every row has length 0"
    assert unrolled.explain(module, X, lengths=[0, 0]) == expected
    expected = "eager definition: there are no rows"
    assert unrolled.explain(module, torch.zeros(T, 0, I)) == expected
    expected = "eager definition: there is no kernel for torch.bfloat16"
    assert unrolled.explain(module.bfloat16(), X.bfloat16()) == expected
    expected = "eager definition: there is no kernel for meta"
    assert unrolled.explain(module.to("meta"), X.bfloat16().to("meta")) == expected


def test_a_cell_without_a_kernel() -> None:
    @unrolled.cell
    def averaging(x, h):
        h = tanh(affine(x, h)) + affine(mean(h))
        return locals()

    expected = "eager definition: a learned layer of the loop reads one number for all units"
    assert unrolled.explain(unrolled.Recurrent(averaging, I, H), X) == expected


def test_the_states_that_are_given_count() -> None:
    module = made("GRU")
    hx = torch.zeros(1, B, H).as_subclass(nn.Parameter)
    assert unrolled.explain(module, X, hx) == "compiled kernel: float32, 2 rows"
    with pytest.raises(RuntimeError, match="Expected hidden size"):
        unrolled.explain(module, X, torch.zeros(1, B + 1, H))


def test_what_is_refused() -> None:
    with pytest.raises(TypeError, match=r"explain\(\) takes a layer or step of unrolled, got LSTM"):
        unrolled.explain(nn.LSTM(I, H), X)  # pyright: ignore[reportArgumentType]
    with pytest.raises(RuntimeError, match="input_size"):
        unrolled.explain(made("LSTM"), torch.zeros(T, B, I + 1))
    with pytest.raises(ValueError, match="lengths"):
        unrolled.explain(made("LSTM"), X, lengths=[1, T + 1])


def test_nothing_is_compiled_or_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    from unrolled.kernels.runtime import jit as machine

    def unexpected(*arguments: object) -> None:
        raise AssertionError("compiles")

    unrolled.explain(made("LSTM"), X)  # what looks at tensors is made once in a process
    monkeypatch.setattr(machine.Machine, "__init__", unexpected)
    module = unrolled.LSTM(I, 123)
    assert unrolled.explain(module, X) == "compiled kernel: float32, 2 rows"


def _long(x: Any, h: Any) -> Any:
    for _ in range(650):
        h = tanh(h + 0.1)
    h = tanh(affine(x, h))
    return locals()


def test_a_cell_that_takes_too_long_to_compile() -> None:
    module = unrolled.Recurrent(unrolled.cell(_long), I, H)
    reason = "eager definition: 659 activations (a learned layer counts as 8) take too long"
    assert unrolled.explain(module, X).startswith(reason)
    assert module(X)[0].shape == (T, B, H)
