"""PyTorch's fused layers give the numbers of the equations, and are taken only where they may."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import unrolled
from pairs import pairwise
from unrolled.cells import CELLS
from unrolled.kernels.dispatch import Runner
from unrolled.nn import fused

from .twins import H, I, T, assert_same, initial, layer, measured, packed, packed_up, states

FUSED = sorted(fused.FUSED)


def on_gpu(batch: int = 2, batch_sizes: list[int] | None = None) -> Any:
    """What the choice reads of sequences that lie on a GPU."""
    data = SimpleNamespace(device=torch.device("cuda"))
    return SimpleNamespace(data=data, batch=batch, batch_sizes=batch_sizes)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(
    ("form", "options", "name", "given"),
    pairwise(
        ["dense", "batch_first", "unbatched", "packed", "lengths"],
        [
            {},
            {"bias": False},
            {"num_layers": 2, "bidirectional": True},
            {"num_layers": 3, "dropout": 0.5},
            {"bidirectional": True, "learn_initial_states": True},
        ],
        FUSED,
        [False, True],
    ),
    ids=str,
)
def test_fused_is_the_same(
    monkeypatch: pytest.MonkeyPatch, form: str, options: Any, name: str, given: bool
) -> None:
    module = layer(name, batch_first=form == "batch_first", dtype=torch.float64, **options)
    x: Any = torch.randn(T, 3, I, dtype=torch.float64)
    call = {"lengths": [2, 4, 1]} if form == "lengths" else {}
    if form == "packed":
        x = packed(x, [2, 4, 1])
    elif form == "unbatched":
        x = x[:, 0]
    elif form == "batch_first":
        x = x.transpose(0, 1)
    count = module.num_layers * (1 + module.bidirectional)
    batch = () if form == "unbatched" else (3,)
    hx = packed_up(state.double() for state in states(initial(module, count, *batch)))
    monkeypatch.setattr(Runner, "replay", lambda *a: None)  # on the GPU it never finds a call
    found, taken = [], []
    run = fused.run
    for applies in (False, True):
        monkeypatch.setattr(fused, "applies", lambda layer, steps, applies=applies: applies)
        monkeypatch.setattr(fused, "run", lambda *a: taken.append(1) or run(*a))
        torch.manual_seed(3)
        found.append(measured(module, x, hx if given else None, **call))
    assert taken == [1]
    assert_same(found[1], found[0], 1e-10)


@pytest.mark.parametrize("name", CELLS)
def test_nothing_is_fused_on_the_cpu(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(fused, "run", None)
    module = layer(name)
    module(torch.randn(T, 2, I))
    module(torch.randn(T, I))
    module(torch.randn(T, 2, I), lengths=[4, 0])
    module(packed(torch.randn(T, 2, I), [2, 4]))


@pytest.mark.parametrize("name", CELLS)
def test_fused_layers_are_taken_for_the_cells_that_pytorch_has(name: str) -> None:
    module = layer(name, num_layers=2, bidirectional=True, learn_initial_states=True)
    assert fused.applies(module, on_gpu()) == (name in fused.FUSED)
    assert fused.applies(module, on_gpu(2, [2, 1])) == (name in fused.FUSED)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_fused_layers_are_taken_for_the_classes_of_pytorch(kind: str) -> None:
    assert fused.applies(getattr(unrolled, kind)(I, H), on_gpu())


@pytest.mark.parametrize("name", FUSED)
def test_fused_layers_are_left_where_they_compute_something_else(name: str) -> None:
    assert not fused.applies(layer(name), on_gpu(3, [2, 1]))  # a row of length 0
    assert not fused.applies(layer(name), on_gpu(3, []))
    for training in (True, False):
        assert not fused.applies(layer(name, zoneout=0.1).train(training), on_gpu())
    noisy = layer(name, variational_dropout=0.1)
    assert not fused.applies(noisy, on_gpu())
    assert fused.applies(noisy.eval(), on_gpu())


def test_fused_layers_are_left_for_an_edited_cell_of_the_same_name() -> None:
    @unrolled.cell
    def lstm(x, h, c):
        i = unrolled.sigmoid(unrolled.affine(x, h))
        f = unrolled.sigmoid(unrolled.affine(x, h))
        g = unrolled.tanh(unrolled.affine(x, h))
        o = unrolled.sigmoid(unrolled.affine(x, h))
        c = f * c + i * g
        h = o * unrolled.relu(c)
        return locals()

    assert not fused.applies(unrolled.Recurrent(lstm, I, H), on_gpu())
    assert fused.applies(unrolled.Recurrent(CELLS["lstm"], I, H), on_gpu())
    known = type(CELLS["lstm"]).from_json(CELLS["lstm"].to_json())
    assert fused.applies(unrolled.Recurrent(known, I, H), on_gpu())


def test_the_same_equations_under_their_own_name_are_fused() -> None:
    @unrolled.cell
    def rnn_relu(x, h):
        h = unrolled.relu(unrolled.affine(x, h))
        return locals()

    @unrolled.cell
    def mine(x, h):
        h = unrolled.relu(unrolled.affine(x, h))
        return locals()

    assert fused.applies(unrolled.Recurrent(rnn_relu, I, H), on_gpu())
    assert not fused.applies(unrolled.Recurrent(mine, I, H), on_gpu())


@pytest.mark.parametrize("name", CELLS)
def test_flatten_does_nothing_on_the_cpu(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = layer(name, num_layers=2)
    monkeypatch.setattr(torch, "_cudnn_rnn_flatten_weight", None)
    places = [parameter.data_ptr() for parameter in module.parameters()]
    module.flatten_parameters()
    module.float()
    assert [parameter.data_ptr() for parameter in module.parameters()] == places


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", FUSED)
@pytest.mark.parametrize("ragged", [False, True])
def test_fused_on_the_gpu(monkeypatch: pytest.MonkeyPatch, name: str, ragged: bool) -> None:
    module = layer(name, num_layers=2, bidirectional=True, dtype=torch.float64).cuda()
    x = torch.randn(T, 3, I, dtype=torch.float64, device="cuda")
    call = {"lengths": [2, 4, 1]} if ragged else {}
    found = []
    for applies in (True, False):
        if not applies:
            monkeypatch.setattr(fused, "applies", lambda layer, steps: False)
        results = module(x, **call)
        loss = sum(result.square().sum() for result in (results[0], *states(results[1])))
        found.append(torch.autograd.grad(loss, list(module.parameters())))
    assert_same(found[0], found[1], 1e-8)
