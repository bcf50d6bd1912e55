"""Models of other packages, where they are installed, train with the same losses when adopted."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import unrolled

pytestmark = pytest.mark.filterwarnings("ignore")


Made = tuple[nn.Module, Callable[[Any], Tensor]]


def tagger(rnn: str = "lstm") -> Made:
    """A bidirectional LSTM under a conditional random field, with packed input."""
    package = pytest.importorskip("bi_lstm_crf.model.model")
    words, tags = torch.randint(1, 20, (4, 9)), torch.randint(0, 5, (4, 9))
    words[1, 5:], words[3, 2:] = 0, 0
    return package.BiRnnCrf(20, 5, 8, 12, num_rnn_layers=2, rnn=rnn), lambda m: m.loss(words, tags)


def gru_tagger() -> Made:
    """The same with GRUs."""
    return tagger("gru")


def river() -> Made:
    """Rainfall and temperature to runoff."""
    package = pytest.importorskip("neuralhydrology.modelzoo")
    options = {"model": "cudalstm", "head": "regression", "output_activation": "linear"}
    options |= {"dynamic_inputs": ["p", "t"], "target_variables": ["q"], "predict_last_n": 1}
    options |= {"hidden_size": 16, "seq_length": 30, "output_dropout": 0.2}
    config = pytest.importorskip("neuralhydrology.utils.config").Config(options)
    data = {"x_d": {name: torch.randn(4, 30, 1) for name in "pt"}}
    return package.get_model(config), lambda m: m(data)["y_hat"][:, -1].square().mean()


def forecaster() -> Made:
    """DeepAR."""
    package = pytest.importorskip("gluonts.torch.model.deepar.module")
    model = package.DeepARModel(
        freq="D", context_length=10, prediction_length=5, num_layers=2, hidden_size=12, lags_seq=[1]
    )
    past, rows = model._past_length, 4
    given = {
        "feat_static_cat": torch.zeros(rows, 1, dtype=torch.long),
        "feat_static_real": torch.zeros(rows, 1),
        "past_time_feat": torch.randn(rows, past, 1),
        "past_target": torch.rand(rows, past),
        "past_observed_values": torch.ones(rows, past),
        "future_time_feat": torch.randn(rows, 5, 1),
        "future_target": torch.rand(rows, 5),
        "future_observed_values": torch.ones(rows, 5),
    }
    return model, lambda m: m.loss(**given).mean()


@pytest.mark.parametrize("make", [tagger, gru_tagger, river, forecaster])
def test_the_losses_are_the_same(make: Callable[[], Made]) -> None:
    model, loss = make()
    twin = copy.deepcopy(model)
    optimizers = {m: torch.optim.Adam(m.parameters(), 0.01) for m in (model, twin)}

    def step(module: nn.Module, seed: int) -> Tensor:
        torch.manual_seed(seed)  # of dropout
        optimizers[module].zero_grad()
        value = loss(module)
        value.backward()
        optimizers[module].step()
        return value.detach()

    expected = [step(twin, seed) for seed in range(5)]
    found = [step(model, 0)]
    assert unrolled.adopt(model).changed
    found.append(step(model, 1))
    with unrolled.record(model) as recording:
        found.append(step(model, 2))
    assert list(recording) == unrolled.names(model)
    found.append(step(model, 3))
    unrolled.release(model)
    found.append(step(model, 4))
    torch.testing.assert_close(torch.stack(found), torch.stack(expected), rtol=1e-5, atol=1e-6)
