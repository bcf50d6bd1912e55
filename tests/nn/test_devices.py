"""Off the CPU, PyTorch's functions run what PyTorch has; what is slow there is announced."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils._per_sample_grad import call_for_per_sample_grads

import unrolled
from unrolled.kernels.dispatch import Runner
from unrolled.nn import devices, fused

from .twins import STEPS, B, H, I, T, assert_same, twins


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the CPU for a device on which there are no kernels."""
    monkeypatch.setattr(fused, "is_elsewhere", lambda device: device.type != "meta")
    monkeypatch.setattr(Runner, "replay", lambda *_: None)
    monkeypatch.setattr(devices, "_announced", set())


def test_where_there_are_kernels() -> None:
    for name, expected in {"cpu": False, "meta": False, "cuda": True, "mps": True}.items():
        assert fused.is_elsewhere(torch.device(name)) is expected


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("given", [True, False])
def test_steps_are_functions_of_torch(
    monkeypatch: pytest.MonkeyPatch, kind: str, bias: bool, given: bool
) -> None:
    monkeypatch.setattr(Runner, "run", None)
    theirs, ours = twins(kind, I, H, bias=bias, dtype=torch.float64)
    x = torch.randn(B, I, dtype=torch.float64)
    h = torch.randn(B, H, dtype=torch.float64)
    hx = ((h, 2 * h) if kind == "LSTMCell" else h) if given else None
    for rows in (slice(None), 0):
        part = None if hx is None else (h[rows], 2 * h[rows]) if kind == "LSTMCell" else h[rows]
        found, expected = ours(x[rows], part), theirs(x[rows], part)
        assert_same(found, expected)
    assert unrolled.explain(ours, x, hx) == "PyTorch's fused layer: cpu"


@pytest.mark.usefixtures("gpu")
def test_samples_have_their_own_gradients_of_steps() -> None:
    cell, x = unrolled.GRUCell(I, H), torch.randn(B, I)
    call_for_per_sample_grads(cell, batch_size=B)(x).sum().backward()
    found = cell.weight_ih.grad_sample
    for row in range(B):
        cell.zero_grad()
        cell(x[row : row + 1]).sum().backward()
        torch.testing.assert_close(found[row], cell.weight_ih.grad)


@pytest.mark.usefixtures("gpu")
def test_weights_that_are_made_are_made_once_for_a_step() -> None:
    class Counted(nn.Module):
        count = 0

        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            self.count += 1
            return weight

    step, counted = unrolled.GRUCell(I, H), Counted()
    parametrize.register_parametrization(step, "weight_hh", counted)
    before = counted.count
    step(torch.randn(B, I))
    assert counted.count == before + 1


@pytest.mark.usefixtures("gpu")
def test_what_is_slow_is_announced_once() -> None:
    layer, x = unrolled.Recurrent(unrolled.cells.mgu, I, H), torch.randn(T, B, I)
    words = r"Recurrent on cpu runs the eager definition: \d+ operations of PyTorch a time step"
    with pytest.warns(UserWarning, match=words):
        layer(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(x)
        unrolled.LSTM(I, H)(x)
        unrolled.GRUCell(I, H)(x[0])
    with pytest.warns(UserWarning, match=r"RecurrentCell on cpu runs the eager definition"):
        unrolled.RecurrentCell(unrolled.cells.janet, I, H)(x[0])
    found = unrolled.explain(layer, x)
    assert found.startswith("eager definition: ")
    assert "operations of PyTorch a time step" in found


@pytest.mark.usefixtures("gpu")
def test_adopt_says_what_runs_a_model_there() -> None:
    model: Any = nn.ModuleList([nn.LSTM(I, H), nn.LSTM(H, H), nn.GRUCell(I, H)])
    report = unrolled.adopt(model)
    assert len(report.notes) == 2
    assert "note: LSTM on cpu runs PyTorch's fused layer, no faster than torch.nn's" in repr(report)


def test_on_the_cpu_there_is_nothing_to_say() -> None:
    assert unrolled.adopt(nn.LSTM(I, H)).notes == ()
    assert devices.cost(unrolled.LSTM(I, H), torch.device("cpu")) is None
