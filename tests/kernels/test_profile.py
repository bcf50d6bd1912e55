"""Profilers are told of kernels by name, and count as many operations as they make."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

import unrolled
from unrolled import _torch
from unrolled.cells import CELLS

I, H, T, B = 3, 6, 5, 2  # noqa: E741

pytestmark = pytest.mark.filterwarnings("ignore")


def run(module: nn.Module, x: Any) -> None:
    outputs = module(x)
    while not isinstance(outputs, Tensor):
        outputs = outputs[0]
    if outputs.requires_grad:
        outputs.sum().backward()


def profiled(module: nn.Module, x: Any) -> tuple[int, set[str]]:
    """The floating-point operations of products, and the names of operators."""
    with profile(activities=[ProfilerActivity.CPU], with_flops=True) as found:
        run(module, x)
    events = found.key_averages()
    products = ("aten::mm", "aten::addmm", "aten::bmm")
    return sum(e.flops for e in events if e.key in products), {e.key for e in events}


def counted(module: nn.Module, x: Any) -> int:
    with FlopCounterMode(display=False) as counter:
        run(module, x)
    return counter.get_total_flops()


CHOSEN = ("rnn_tanh", "gru_reset_before", "lstm_projected", "multiplicative_lstm", "cornn")
"""What their products read: the state, a product, the output, several, two states."""


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.parametrize("training", [False, True])
def test_as_many_operations_as_the_definition(name: str, training: bool) -> None:
    cell = CELLS[name]
    module = unrolled.Recurrent(cell, I, H, proj_size=4 if cell.projects else 0)
    module.requires_grad_(training)
    x = torch.randn(T, B, I, requires_grad=training)
    first, names = profiled(module, x)
    again, _ = profiled(module, x)
    replayed, _ = profiled(module, x)
    assert first == again == replayed == counted(module, x)
    assert f"unrolled::{name}" in names
    assert (f"unrolled::{name}_backward" in names) is training


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_deep_layers_and_fixed_inputs(kind: str) -> None:
    module = getattr(unrolled, kind)(I, H, num_layers=2, bidirectional=True)
    x = torch.randn(T, B, I)
    assert profiled(module, x)[0] == counted(module, x)
    packed = nn.utils.rnn.pack_padded_sequence(x, [T, 2])
    module.requires_grad_(False)
    assert profiled(module, packed)[0] == counted(module, packed)


@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_steps(kind: str) -> None:
    module = getattr(unrolled, kind)(I, H)
    x = torch.randn(B, I)
    expected = counted(module, x)
    for _ in range(3):
        found, names = profiled(module, x)
        assert found == expected
        assert f"unrolled::{kind.removesuffix('Cell').lower().replace('rnn', 'rnn_tanh')}" in names


def test_without_the_names_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = unrolled.LSTM(I, H), torch.randn(T, B, I)
    monkeypatch.setattr(_torch, "_profiler", None)
    assert profiled(module, x)[0] == 0
    monkeypatch.undo()
    monkeypatch.setattr(_torch, "_tell", None)
    found, names = profiled(module, x)
    assert found == 0
    assert "unrolled::lstm" in names
