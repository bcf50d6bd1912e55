"""Gates that are opened, against what a step at rest makes of them."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

import unrolled
from unrolled.cells import CELLS
from unrolled.equations.language import affine, exp, log_sigmoid, scalar, sigmoid, tanh, vector
from unrolled.testing import eager_only

I, H, P = 3, 5, 2  # noqa: E741
KEEPS = {
    **dict.fromkeys(["lstm", "lstm_peephole", "lstm_coupled", "lstm_layernorm"], ("f", 1)),
    **dict.fromkeys(["lstm_projected", "multiplicative_lstm"], ("f", 1)),
    **dict.fromkeys(["gru", "gru_reset_before", "ugrnn"], ("z", 1)),
    **{"mgu": ("f", -1), "min_gru": ("z", -1), "janet": ("s", 1), "slstm": ("b", 1)},
}
"""By cell, the gate that multiplies the old state, and whether it keeps it open or closed."""
WITHOUT = ["rnn_tanh", "rnn_relu", "indrnn", "cornn", "lstm_1997"]


def layer(name: str, **options: Any) -> unrolled.Recurrent:
    proj_size = P if CELLS[name].projects else 0
    return unrolled.Recurrent(CELLS[name], I, H, proj_size=proj_size, **options)


def at_rest(module: nn.Module, name: str) -> Tensor:
    """The values of a name, (units,), in the first step of a run on 0."""
    with eager_only(), torch.no_grad(), unrolled.record(module, name) as recording:
        module(torch.zeros(1, 1, I))
    return recording[name][0, 0]


def opened(module: nn.Module, name: str, gate: str) -> Tensor:
    """The sum before a gate at rest."""
    if name == "janet":
        return at_rest(module, "l0.s")
    if name == "slstm":
        return torch.special.logit(at_rest(module, "l0.b").exp())
    value = at_rest(module, f"l0.{gate}").logit()
    return value.mean() if name == "lstm_layernorm" else value  # which takes means away


def test_every_cell_is_in_the_table() -> None:
    assert {*KEEPS, *WITHOUT} == set(CELLS)


@pytest.mark.parametrize("name", KEEPS)
@pytest.mark.parametrize("value", [1.0, -0.5])
def test_a_bias_opens_the_gate_that_keeps_the_state(name: str, value: float) -> None:
    gate, sign = KEEPS[name]
    module = layer(name)
    before = copy.deepcopy(module.state_dict())
    found = unrolled.open_gate(module, value)
    assert list(found.changed) == [f"l0.{gate}"]
    assert not found.left
    pre = opened(module, name, gate)
    torch.testing.assert_close(pre, torch.full_like(pre, sign * value))
    for key, old in before.items():  # nothing else moves
        same = (module.state_dict()[key] == old).reshape(-1, H if old.shape[0] % H == 0 else P)
        assert same.all() == (f"in {key}" not in str(found)), key
        assert len(same) - same.reshape(len(same), -1).all(1).sum() in (0, 1)


@pytest.mark.parametrize("name", KEEPS)
def test_steps_are_those_of_the_factor(name: str) -> None:
    gate, sign = KEEPS[name]
    module = layer(name)
    found = unrolled.open_gate(module, steps=(20, 40))
    keep = torch.sigmoid(sign * opened(module, name, gate))
    steps = torch.linspace(20, 40, H)
    if name == "lstm_layernorm":
        torch.testing.assert_close(keep.logit(), (steps - 1).log().mean())
    else:
        torch.testing.assert_close(1 / (1 - keep), steps)
    has_own = name in ("lstm", "lstm_peephole", "lstm_layernorm", "lstm_projected")
    assert ("l0.i" in found.changed) == (has_own or name == "multiplicative_lstm")
    if name == "lstm":
        torch.testing.assert_close(at_rest(module, "l0.i").logit(), -(steps - 1).log())
    unrolled.open_gate(module, steps=40)
    if name != "lstm_layernorm":
        keep = torch.sigmoid(sign * opened(module, name, gate))
        torch.testing.assert_close(1 / (1 - keep), torch.linspace(2, 40, H))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, unrolled.LSTM, unrolled.GRU])
def test_stacks_both_ways_of_both_libraries(kind: Any) -> None:
    module = kind(I, H, num_layers=2, bidirectional=True, batch_first=True)
    found = unrolled.open_gate(module, 2)
    assert type(module) is kind
    gate = "f" if "LSTM" in kind.__name__ else "z"
    places = ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert list(found.changed) == [f"{place}.{gate}" for place in places]
    for place in places:  # the second block of rows, of both
        assert (getattr(module, f"bias_ih_{place}")[H : 2 * H] == 2).all()
        assert (getattr(module, f"bias_hh_{place}")[H : 2 * H] == 0).all()
        assert (getattr(module, f"bias_ih_{place}")[:H] != 2).all()
        assert (getattr(module, f"bias_hh_{place}")[2 * H :] != 0).all()


def test_cells_and_layers_inside_a_model_by_name() -> None:
    model = nn.ModuleDict(
        {
            "encoder": nn.LSTM(I, H),
            "decoder": nn.GRUCell(I, H),
            "mine": unrolled.RecurrentCell(CELLS["mgu"], I, H),
            "plain": nn.RNN(I, H),
        }
    )
    adopted = unrolled.adopt(nn.LSTM(I, H)).model
    model["adopted"] = adopted
    found = unrolled.open_gate(model)
    assert list(found.changed) == ["encoder.l0.f", "decoder.z", "mine.f", "adopted.l0.f"]
    assert found.left == {"plain.l0": "rnn_tanh has no gate that keeps its state"}
    assert "decoder.z     bias 1 in bias_ih[5:10], 0 in bias_hh[5:10]" in str(found)
    assert "bias −1 in bias_ih[0:5], 0 in bias_hh" in found.changed["mine.f"]
    assert type(model["encoder"]) is nn.LSTM
    assert type(model["adopted"]) is unrolled.LSTM
    old = copy.deepcopy(model["encoder"].state_dict())
    assert list(unrolled.open_gate(model, 3, of="dec*").changed) == ["decoder.z"]
    torch.testing.assert_close(dict(model["encoder"].state_dict()), dict(old))


def test_gates_in_other_forms() -> None:
    @unrolled.cell
    def form(x, h):  # the update gate kept apart, with a constant and a sign
        z = sigmoid(-2 * (affine(x, h) - 1))
        n = tanh(affine(x, h))
        h = h + (1 - z) * (n - h)
        return locals()

    module = unrolled.Recurrent(form, I, H)
    assert list(unrolled.open_gate(module, 1.5).changed) == ["l0.z"]
    torch.testing.assert_close(at_rest(module, "l0.z").logit(), torch.full((H,), 1.5))

    @unrolled.cell
    def twice(x, h):  # two small steps in one, as in a highway network
        a, n = sigmoid(affine(x, h)), tanh(affine(x, h))
        middle = (1 - a) * h + a * n
        b, m = sigmoid(affine(middle)), tanh(affine(middle))
        h = (1 - b) * middle + b * m
        return locals()

    module = unrolled.Recurrent(twice, I, H)
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(float(weight.dim() == 1))
    assert set(unrolled.open_gate(module, steps=(9, 30)).changed) == {"l0.a", "l0.b"}
    keep = (1 - at_rest(module, "l0.a")) * (1 - at_rest(module, "l0.b"))
    torch.testing.assert_close(1 / (1 - keep), torch.linspace(9, 30, H))

    @unrolled.cell
    def two(x, h, c, k):  # two memories, one of them with a learned vector and a decay
        d = vector()
        f = sigmoid(affine(x, h) + d)
        g = affine(x, h)
        e = exp(log_sigmoid(g) - 0.1)
        c = f * c + (1 - f) * tanh(affine(x, h))
        k = e * k + tanh(affine(x, h))
        h = tanh(c + k)
        return locals()

    module = unrolled.Recurrent(two, I, H)
    assert len(unrolled.open_gate(module, 2.0).changed) == 2
    torch.testing.assert_close(at_rest(module, "l0.f").logit(), torch.full((H,), 2.0))
    torch.testing.assert_close(at_rest(module, "l0.g"), torch.full((H,), 2.0))


@pytest.mark.parametrize("name", WITHOUT)
def test_cells_without_such_a_gate_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has no gate that keeps its state"):
        unrolled.open_gate(layer(name))


def test_what_cannot_be_opened_stays_as_it_was() -> None:
    class Scaled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

    good = nn.LSTM(I, H)
    for make in (nn.LSTM, unrolled.LSTM):
        made = [make(I, H, bias=False), make(I, H, device="meta")]
        parametrized = make(I, H)
        parametrize.register_parametrization(parametrized, "bias_ih_l0", Scaled())
        pruned = prune.random_unstructured(make(I, H), "bias_hh_l0", 0.5)
        matches = ["has no bias: make the module with bias=True", "on the meta device"]
        for module, match in zip(
            (*made, parametrized, pruned),
            (*matches, "parametrized", "made of others|computed from"),
            strict=True,
        ):
            model = nn.ModuleDict({"good": good, "bad": module})
            old = copy.deepcopy(good.state_dict())
            with pytest.raises(ValueError, match=f"bad.*({match})"):
                unrolled.open_gate(model, 7)
            torch.testing.assert_close(dict(good.state_dict()), dict(old))
            assert type(good) is nn.LSTM
            assert unrolled.open_gate(model, 1, of="good").changed
    tied = unrolled.LSTM(I, H)
    tied.bias_hh_l0 = tied.bias_ih_l0
    with pytest.raises(ValueError, match="share their memory"):
        unrolled.open_gate(tied)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "match"),
    [
        ((math.nan,), {}, ValueError, "finite"),
        (("1",), {}, TypeError, "a number"),
        ((True,), {}, TypeError, "a number"),
        ((1.0,), {"steps": 40}, ValueError, "value or steps, got both"),
        ((), {"steps": 1}, ValueError, "at least 2"),
        ((), {"steps": (40, 20)}, ValueError, "the smaller number first"),
        ((), {"steps": 2.5}, TypeError, "an int or a pair"),
        ((), {"steps": (2, 3, 4)}, TypeError, "an int or a pair"),
        ((), {"of": "l7"}, ValueError, "no layer is called 'l7'"),
        ((), {"of": ()}, ValueError, "names no layer"),
    ],
)
def test_arguments_out_of_range(
    arguments: Any, options: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        unrolled.open_gate(unrolled.LSTM(I, H), *arguments, **options)


def test_models_without_recurrent_modules() -> None:
    with pytest.raises(ValueError, match="has no recurrent modules"):
        unrolled.open_gate(nn.Linear(I, 3))
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        unrolled.open_gate(None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["lstm", "gru", "lstm_peephole"])
def test_what_was_opened_far_is_healthy(name: str) -> None:
    module = unrolled.Recurrent(CELLS[name], I, 32)
    unrolled.open_gate(module, steps=100)
    diagnosis = unrolled.diagnose(module, torch.randn(120, 4, I), needs=100)
    assert diagnosis.healthy, diagnosis
    assert diagnosis.reaches


def test_a_gate_of_one_unit_for_what_is_written() -> None:
    @unrolled.cell
    def shared(x, h, c):
        w = scalar()
        i = sigmoid(w)
        f = sigmoid(affine(x, h))
        c = f * c + i * tanh(affine(x, h))
        h = tanh(c)
        return locals()

    module = unrolled.Recurrent(shared, I, H)
    assert "l0.i" in unrolled.open_gate(module, steps=(10, 30)).changed
    assert unrolled.diagnose(module, torch.randn(40, 4, I), needs=20).reaches
