"""Zoneout and variational dropout, beside the same by hand."""

import copy
import pickle
import types
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_packed_sequence

import unrolled
from pairs import in_turn, pairwise
from unrolled.cells import CELLS
from unrolled.graph.rewrite import PATHS, variational_dropout

from .twins import H, I, T, assert_same, flat, initial, layer, packed, packed_up, states

DEEP = {"num_layers": 2, "bidirectional": True}


def mixed(module: unrolled.Recurrent, x: Tensor, hx: Any, keep: Any) -> tuple[Tensor, Any]:
    """One layer by hand, with `keep(state, t)` of each old state."""
    cell = module.cell
    one = unrolled.RecurrentCell(cell, I, H, proj_size=module.proj_size)
    one.load_state_dict({n.removesuffix("_l0"): p for n, p in module.named_parameters()})
    values, outputs = states(hx), []
    for t in range(x.shape[0]):
        new = states(one(x[t], packed_up(values)))
        kept = [keep(state, t) for state in cell.states]
        values = [k * old + (1 - k) * v for k, old, v in zip(kept, values, new, strict=True)]
        outputs.append(values[cell.states.index(cell.output)])
    return torch.stack(outputs), packed_up(value.unsqueeze(0) for value in values)


FORMS = ("dense", "batch_first", "packed", "lengths")
"""Forms of input."""


def ragged(form: str) -> tuple[dict[str, Any], list[int]]:
    """The options of a call with a form of input, and the lengths of its rows."""
    lengths = {"packed": [2, 4, 1], "lengths": [2, 0, 4]}.get(form, [T, T, T])
    return {"lengths": lengths} if form == "lengths" else {}, lengths


@pytest.mark.parametrize("name", CELLS)
def test_zoneout_mixes_old_and_new_outside_training(name: str) -> None:
    module = layer(name, zoneout=0.3).eval()
    x, hx = torch.randn(T, 3, I), initial(module, 1, 3)
    first = packed_up(state[0] for state in states(hx))
    assert_same(module(x, hx), mixed(module, x, first, lambda state, t: 0.3), 1e-5)


@pytest.mark.parametrize("name", ["lstm", "slstm", "lstm_projected", "cornn"])
def test_zoneout_of_one_state(name: str) -> None:
    state = CELLS[name].states[-1]
    module = layer(name, zoneout={state: 0.4}).eval()
    assert module.zoneout == {state: 0.4}
    x, hx = torch.randn(T, 3, I), initial(module, 1, 3)
    first = packed_up(value[0] for value in states(hx))
    expected = mixed(module, x, first, lambda s, t: 0.4 * (s == state))
    assert_same(module(x, hx), expected, 1e-5)


@pytest.mark.parametrize("name", CELLS)
def test_zoneout_keeps_whole_units_in_training(name: str) -> None:
    probabilities = {state: 0.2 + 0.1 * k for k, state in enumerate(CELLS[name].states)}
    module = layer(name, zoneout=probabilities)
    x, hx = torch.randn(T, 3, I), initial(module, 1, 3)
    torch.manual_seed(3)
    found = module(x, hx)
    torch.manual_seed(3)
    sizes = [value.shape[-1] for value in states(hx)]
    masks = {
        state: (torch.rand(T, 3, size) < p).float()
        for (state, p), size in zip(probabilities.items(), sizes, strict=True)
    }
    first = packed_up(value[0] for value in states(hx))
    expected = mixed(module, x, first, lambda state, t: masks[state][t])
    assert_same(found, expected, 1e-5)


def test_zoneout_is_as_frequent_as_it_says() -> None:
    module = unrolled.LSTM(2, 300, zoneout={"h": 0.1, "c": 0.6})
    x, h, c = torch.randn(1, 50, 2), torch.randn(1, 50, 300), torch.randn(1, 50, 300)
    _, (h_n, c_n) = module(x, (h, c))
    assert abs((h_n == h).float().mean() - 0.1) < 0.01
    assert abs((c_n == c).float().mean() - 0.6) < 0.02
    shared = ((h_n == h) & (c_n == c)).float().mean()
    assert abs(shared - 0.06) < 0.01  # the states are drawn apart
    assert not torch.equal(module(x, (h, c))[0], module(x, (h, c))[0])


def test_zoneout_is_drawn_for_every_step_and_row() -> None:
    module = unrolled.RNN(1, 200, zoneout=0.5)
    output, _ = module(torch.randn(6, 4, 1))
    kept = output[1:] == output[:-1]
    assert 0.4 < kept.float().mean() < 0.6
    assert not torch.equal(kept[0], kept[1])
    assert not torch.equal(kept[:, 0], kept[:, 1])


@pytest.mark.parametrize("training", [True, False])
def test_zoneout_of_everything_keeps_the_states(training: bool) -> None:
    module = unrolled.LSTM(I, H, zoneout=1.0).train(training)
    hx = torch.randn(1, 3, H), torch.randn(1, 3, H)
    output, last = module(torch.randn(T, 3, I), hx)
    assert_same(output, hx[0].expand(T, 3, H), 0)
    assert_same(last, hx, 0)


@pytest.mark.parametrize("name", CELLS)
def test_no_noise_is_no_noise(name: str) -> None:
    torch.manual_seed(0)
    plain = layer(name, **DEEP)
    torch.manual_seed(0)
    noisy = layer(name, **DEEP, zoneout=0.0, variational_dropout=0.0)
    x = torch.randn(T, 3, I)
    assert noisy.zoneout == {}
    assert_same(noisy(x), plain(x), 0)
    assert repr(noisy) == repr(plain)


@pytest.mark.parametrize(
    ("name", "form", "training"),
    pairwise(["lstm", "gru", "slstm", "lstm_projected"], FORMS, [True, False]),
)
def test_noise_with_every_form_of_input(name: str, form: str, training: bool) -> None:
    options, lengths = ragged(form)
    module = layer(
        name,
        **DEEP,
        batch_first=form == "batch_first",
        zoneout=0.2,
        variational_dropout=0.3,
        learn_initial_states=True,
    ).train(training)
    x: Any = torch.randn(T, 3, I)
    given = packed(x, lengths) if form == "packed" else x
    given = x.transpose(0, 1) if form == "batch_first" else given
    output, last = module(given, **options)
    if form == "packed":
        output, _ = pad_packed_sequence(output)
    output = output.transpose(0, 1) if form == "batch_first" else output
    for row, length in enumerate(lengths):
        assert not output[length:, row].any()
        if not training and length:
            alone = module(x[:length, row])
            assert_same(output[:length, row], alone[0], 1e-5)
            assert_same([state[:, row] for state in states(last)], list(states(alone[1])), 1e-5)
    sum(result.sum() for result in flat((output, last))).backward()
    for key, value in module.named_parameters():
        assert value.grad is not None, key
        assert value.grad.isfinite().all(), key


@pytest.mark.parametrize("value", [1.5, -0.1, "a", True, None, float("nan")])
def test_probabilities_are_checked(value: Any) -> None:
    with pytest.raises(ValueError, match=r"zoneout should be a number in range \[0, 1\]"):
        unrolled.LSTM(I, H, zoneout=value)
    with pytest.raises(ValueError, match=r"zoneout should be a number in range \[0, 1\]"):
        unrolled.LSTM(I, H, zoneout={"c": value})
    with pytest.raises(ValueError, match=r"variational_dropout should be a number in range \[0, 1"):
        unrolled.LSTM(I, H, variational_dropout=value)
    with pytest.raises(ValueError, match=r"variational_dropout should be a number in range \[0, 1"):
        unrolled.LSTM(I, H, variational_dropout={"input": 0.1, "state": value})


@pytest.mark.parametrize("kind", ["RNN", "GRU"])
def test_zoneout_names_states_that_exist(kind: str) -> None:
    words = r"zoneout: \w+ has no state 'c', only h"
    with pytest.raises(ValueError, match=words):
        getattr(unrolled, kind)(I, H, zoneout={"h": 0.1, "c": 0.1})
    with pytest.raises(ValueError, match="zoneout: lstm has no state 'x', only h, c"):
        unrolled.LSTM(I, H, zoneout={"x": 0.0})


# Variational dropout


@pytest.mark.parametrize("name", ["h", "x", "hidden", 0, ""])
def test_variational_dropout_names_paths_that_exist(name: Any) -> None:
    words = f"variational_dropout: layers read input and state, got {name!r}"
    with pytest.raises(ValueError, match=words):
        unrolled.GRU(I, H, variational_dropout={"input": 0.1, name: 0.0})


@pytest.mark.parametrize(
    ("rates", "kept"),
    [
        ({"state": 0.3, "input": 0.1}, {"state": 0.3, "input": 0.1}),
        (types.MappingProxyType({"input": 1}), {"input": 1.0}),
        ({"input": 0.1, "state": 0}, {"input": 0.1}),
        ({"input": 0, "state": 0.0}, 0.0),
        ({}, 0.0),
    ],
    ids=str,
)
def test_rates_are_kept_and_shown(rates: Any, kept: Any) -> None:
    module = unrolled.GRU(I, H, num_layers=2, variational_dropout=rates)
    assert module.variational_dropout == kept
    shown = f", variational_dropout={kept}" if kept else ""
    assert repr(module) == f"GRU(3, 5, num_layers=2{shown})"
    for again in (pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert again.variational_dropout == kept
        assert repr(again) == repr(module)
        x = torch.randn(T, 3, I)
        torch.manual_seed(1)
        expected, _ = module(x)
        torch.manual_seed(1)
        assert_same(again(x)[0], expected, 0)
        again.load_state_dict(module.state_dict())


def test_equal_rates_are_one_rate() -> None:
    x, found = torch.randn(T, 3, I), []
    for rates in (0.3, {"input": 0.3, "state": 0.3}):
        torch.manual_seed(2)
        module = unrolled.LSTM(I, H, **DEEP, variational_dropout=rates)
        found.append(flat(module(x)))
    assert_same(*found, 0)


def test_only_the_input_is_dropped() -> None:
    """With weights of one, a rectified layer shows what it has read of input and state."""
    options: Any = {"nonlinearity": "relu", "bias": False}
    for path, other in (("input", "state"), ("state", "input")):
        module = unrolled.RNN(60, 60, **options, variational_dropout={path: 0.5})
        with torch.no_grad():
            module.weight_ih_l0.copy_(torch.eye(60))
            module.weight_hh_l0.copy_(torch.eye(60))
        ones, zeros = torch.ones(1, 3, 60), torch.zeros(1, 3, 60)
        given = {"input": (ones, zeros), "state": (zeros, ones)}
        assert_same(module(*given[path])[0].unique(), torch.tensor([0.0, 2.0]), 0)
        assert_same(module(*given[other])[0].unique(), torch.tensor([1.0]), 0)


def test_a_value_of_the_input_alone_is_dropped_as_the_input_is() -> None:
    @unrolled.cell
    def embedded(x, h):
        e = unrolled.relu(unrolled.affine(x))
        r = unrolled.sigmoid(unrolled.affine(e)) * h
        h = unrolled.tanh(unrolled.affine(e, r))
        return locals()

    by_path = {path: variational_dropout(embedded.graph, (path,)).inputs for path in PATHS}
    assert list(by_path["input"]) == ["x", "mask_ih", "mask_eh"]
    assert list(by_path["state"]) == ["x", "mask_rh"]


def test_what_is_dropped_stays_dropped_for_the_whole_sequence() -> None:
    """With weights of one, a rectified layer shows its mask."""
    module = unrolled.RNN(200, 200, nonlinearity="relu", bias=False, variational_dropout=0.25)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.eye(200))
        module.weight_hh_l0.zero_()
    output, _ = module(torch.ones(6, 3, 200))
    assert torch.equal(output, output[:1].expand_as(output))
    assert_same(output.unique(), torch.tensor([0, 4 / 3]), 1e-6)
    assert abs(output.count_nonzero() / output.numel() - 0.75) < 0.05
    assert not torch.equal(output[0, 0], output[0, 1])
    assert not torch.equal(module(torch.ones(6, 3, 200))[0], output)


def test_the_recurrent_state_is_dropped_by_one_mask() -> None:
    module = unrolled.RNN(1, 100, nonlinearity="relu", bias=False, variational_dropout=0.5)
    with torch.no_grad():
        module.weight_ih_l0.zero_()
        module.weight_hh_l0.copy_(torch.eye(100))
    output, _ = module(torch.ones(4, 3, 1), torch.ones(1, 3, 100))
    for t in range(4):
        assert_same(output[t].unique(), torch.tensor([0.0, 2.0 ** (t + 1)]), 0)
        assert torch.equal(output[t] > 0, output[0] > 0)


RATES = [0.4, {"input": 0.4, "state": 0.2}, {"state": 0.4}, {"input": 0.4, "state": 0}]


def rate(key: str, rates: Any) -> float:
    """The probability that what a weight reads is dropped; the only value of the input alone that
    known cells read is the input.
    """
    return rates if isinstance(rates, float) else rates.get(PATHS[key != "weight_ih_l0"], 0.0)


@pytest.mark.parametrize(("name", "rates"), pairwise(list(CELLS), RATES))
def test_variational_dropout_by_hand(name: str, rates: Any) -> None:
    """To drop what a weight reads is to drop columns of the weight, for each row others."""
    module = layer(name, variational_dropout=rates, dtype=torch.float64)
    x = torch.randn(T, 3, I, dtype=torch.float64)
    hx = packed_up(state.double() for state in states(initial(module, 1, 3)))
    torch.manual_seed(3)
    found = module(x, hx)
    torch.manual_seed(3)
    weights = module.state_dict()
    masks = {
        key: F.dropout(torch.ones(3, value.shape[1], dtype=torch.float64), p)
        for key, value in weights.items()
        if value.dim() == 2 and (p := rate(key, rates))
    }
    rows = []
    for row in range(3):
        single = layer(name, dtype=torch.float64)
        single.load_state_dict(
            {key: v * masks[key][row] if key in masks else v for key, v in weights.items()}
        )
        alone = packed_up(state[:, row : row + 1] for state in states(hx))
        rows.append(flat(single(x[:, row : row + 1], alone)))
    assert_same(flat(found), [torch.cat(parts, 1) for parts in zip(*rows, strict=True)], 1e-12)


@pytest.mark.parametrize(("name", "form"), in_turn(CELLS, FORMS))
def test_variational_dropout_is_off_outside_training(name: str, form: str) -> None:
    options, lengths = ragged(form)
    torch.manual_seed(0)
    plain = layer(name, **DEEP)
    torch.manual_seed(0)
    noisy = layer(name, **DEEP, variational_dropout=0.5)
    x: Any = torch.randn(T, 3, I)
    x = packed(x, lengths) if form == "packed" else x
    assert not torch.equal(flat(noisy(x, **options))[0], flat(plain(x, **options))[0])
    assert_same(flat(noisy.eval()(x, **options)), flat(plain(x, **options)), 1e-6)


def test_masks_of_a_ragged_row_stay_with_the_row() -> None:
    module = unrolled.RNN(50, 50, nonlinearity="relu", bias=False, variational_dropout=0.5)
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.eye(50))
        module.weight_hh_l0.zero_()
    lengths = [2, 0, 5, 3]
    output, _ = module(torch.ones(5, 4, 50), lengths=lengths)
    for row, length in enumerate(lengths):
        assert torch.equal(output[:length, row], output[:1, row].expand(length, 50))
        assert not output[length:, row].any()
    assert not torch.equal(output[0, 0], output[0, 2])


def test_everything_dropped() -> None:
    module = unrolled.LSTM(I, H, variational_dropout=1.0)
    x = torch.randn(T, 3, I)
    output, _ = module(x)
    assert_same(output, module(torch.zeros_like(x))[0], 0)
    assert output.isfinite().all()


def test_masks_have_the_dtype_of_the_input() -> None:
    module = unrolled.LSTM(I, H, zoneout=0.5, variational_dropout=0.5, dtype=torch.bfloat16)
    for training in (True, False):
        output, (h, c) = module.train(training)(torch.randn(T, 3, I, dtype=torch.bfloat16))
        assert output.dtype == h.dtype == c.dtype == torch.bfloat16
