"""Parameters, options and representation are those of torch.nn."""

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import unrolled
from unrolled.cells import CELLS

from .twins import LAYERS, STEPS, H, I, assert_same, layer, outcome, step, twins

CONFIGURATIONS = [
    *[(kind, {}) for kind in (*LAYERS, *STEPS)],
    *[(kind, {"bias": False}) for kind in (*LAYERS, *STEPS)],
    *[(kind, {"num_layers": 3, "bidirectional": True}) for kind in LAYERS],
    ("LSTM", {"num_layers": 2, "bidirectional": True, "proj_size": 2}),
    ("LSTM", {"bias": False, "proj_size": 1}),
    ("RNN", {"nonlinearity": "relu", "batch_first": True}),
    ("RNNCell", {"nonlinearity": "relu"}),
    ("GRU", {"dropout": 0.5, "num_layers": 2, "dtype": torch.float64}),
    ("GRUCell", {"device": "cpu", "dtype": torch.bfloat16}),
]


@pytest.mark.parametrize(("kind", "options"), CONFIGURATIONS)
def test_one_seed_makes_equal_parameters(kind: str, options: dict[str, Any]) -> None:
    theirs, ours = twins(kind, I, H, **options)
    for _ in range(2):
        expected = {name: value.detach() for name, value in theirs.named_parameters()}
        actual = {name: value.detach() for name, value in ours.named_parameters()}
        assert list(actual) == list(expected)
        assert_same(actual, expected, 0)
        for module in (theirs, ours):
            torch.manual_seed(7)
            module.reset_parameters()


@pytest.mark.parametrize(("kind", "options"), CONFIGURATIONS)
def test_state_dicts_are_exchanged_both_ways(kind: str, options: dict[str, Any]) -> None:
    theirs, _ = twins(kind, I, H, seed=1, **options)
    _, ours = twins(kind, I, H, seed=2, **options)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert_same(ours.state_dict(), theirs.state_dict(), 0)
    _, ours = twins(kind, I, H, seed=3, **options)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    assert_same(theirs.state_dict(), ours.state_dict(), 0)


@pytest.mark.parametrize(("kind", "options"), CONFIGURATIONS)
def test_representations_are_equal(kind: str, options: dict[str, Any]) -> None:
    theirs, ours = twins(kind, I, H, **options)
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("RNN", (3, 5, 2, "relu", False, True, 0.25, True)),
        ("LSTM", (3, 5, 2, False, True, 0.25, True, 2, "cpu", torch.float64)),
        ("GRU", (3, 5, 2, False, True, 0.25, True)),
        ("RNNCell", (3, 5, False, "relu", "cpu", torch.float64)),
        ("LSTMCell", (3, 5, False, "cpu", torch.float64)),
        ("GRUCell", (3, 5, False, "cpu", torch.float64)),
    ],
)
def test_arguments_stand_in_the_same_places(kind: str, arguments: tuple[Any, ...]) -> None:
    for count in range(2, len(arguments) + 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of dropout with a single layer
            theirs, ours = twins(kind, *arguments[:count])
        assert repr(ours) == repr(theirs)
        assert_same(ours.state_dict(), theirs.state_dict(), 0)


@pytest.mark.parametrize("kind", LAYERS)
def test_all_weights_are_listed_by_layer_and_direction(kind: str) -> None:
    theirs, ours = twins(kind, I, H, num_layers=2, bidirectional=True)
    assert_same(ours.all_weights, theirs.all_weights, 0)
    assert ours.flatten_parameters() is None


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    "name",
    ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"],
)
def test_options_are_attributes(kind: str, name: str) -> None:
    options = {"num_layers": 2, "bias": False, "batch_first": True, "dropout": 0.5}
    theirs, ours = twins(kind, I, H, bidirectional=True, **options)
    assert getattr(ours, name) == getattr(theirs, name)
    assert ours.proj_size == theirs.proj_size == 0


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    "options",
    [
        {"hidden_size": 0},
        {"hidden_size": -1},
        {"hidden_size": "5"},
        {"num_layers": 0},
        {"num_layers": -1},
        {"dropout": 2},
        {"dropout": -0.1},
        {"dropout": True},
        {"dropout": math.nan},
        {"proj_size": 2},
        {"proj_size": -1},
        {"proj_size": H},
        {"proj_size": H + 1},
    ],
    ids=str,
)
def test_bad_options_raise_what_torch_raises(kind: str, options: dict[str, Any]) -> None:
    arguments = {"input_size": I, "hidden_size": H, **options}
    expected = outcome(lambda: getattr(nn, kind)(**arguments))
    assert outcome(lambda: getattr(unrolled, kind)(**arguments)) == expected


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"input_size": 0}, ("ValueError", "input_size must be greater than zero")),
        ({"input_size": -1}, ("ValueError", "input_size must be greater than zero")),
        ({"input_size": 2.0}, ("TypeError", "input_size should be of type int, got: float")),
        ({"input_size": None}, ("TypeError", "input_size should be of type int, got: NoneType")),
        ({"bias": 1}, ("TypeError", "bias should be of type bool, got: int")),
        ({"bias": None}, ("TypeError", "bias should be of type bool, got: NoneType")),
        ({"batch_first": 1}, ("TypeError", "batch_first should be of type bool, got: int")),
    ],
    ids=str,
)
def test_bad_options_raise_what_newer_torch_raises(
    kind: str, options: dict[str, Any], expected: tuple[str, str]
) -> None:
    arguments = {"input_size": I, "hidden_size": H, **options}
    assert outcome(lambda: getattr(unrolled, kind)(**arguments)) == expected
    if torch.__version__ >= "2.13":  # some versions before it take these
        assert outcome(lambda: getattr(nn, kind)(**arguments)) == expected


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"num_layers": 1.5}, "num_layers should be of type int, got: float"),
        ({"num_layers": "2"}, "num_layers should be of type int, got: str"),
        ({"input_size": True}, "input_size should be of type int, got: bool"),
        ({"dropout": "a"}, "dropout should be a number in range"),
    ],
    ids=str,
)
def test_bad_options_are_named_where_torch_is_unclear(
    kind: str, options: dict[str, Any], words: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        getattr(unrolled, kind)(**{"input_size": I, "hidden_size": H, **options})


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"hidden_size": -1}, RuntimeError, "negative dimension"),
        ({"hidden_size": 2.0}, TypeError, "hidden_size should be of type int, got: float"),
        ({"num_layers": 1}, TypeError, "unexpected keyword argument 'num_layers'"),
    ],
    ids=str,
)
def test_bad_options_of_steps_are_named(
    kind: str, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        getattr(unrolled, kind)(**{"input_size": I, "hidden_size": H, **options})


@pytest.mark.parametrize("nonlinearity", ["x", None])
def test_unknown_nonlinearity(nonlinearity: Any) -> None:
    expected = outcome(lambda: nn.RNN(I, H, nonlinearity=nonlinearity))
    assert expected[0] == "ValueError"
    assert outcome(lambda: unrolled.RNN(I, H, nonlinearity=nonlinearity)) == expected
    assert outcome(lambda: unrolled.RNNCell(I, H, nonlinearity=nonlinearity)) == expected


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("dropout", [0.5, 1, np.float32(0.25)])
def test_dropout_of_a_single_layer_is_warned_of(kind: str, dropout: float) -> None:
    found = []
    for library in (nn, unrolled):
        with pytest.warns(UserWarning, match="dropout option adds") as caught:
            getattr(library, kind)(I, H, dropout=dropout)
        found.append([(str(warning.message), warning.category) for warning in caught])
    assert found[0] == found[1]


def test_dropout_warning_names_the_line_of_the_caller() -> None:
    with pytest.warns(UserWarning, match="dropout option adds") as caught:
        unrolled.LSTM(I, H, dropout=0.5)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("make", [layer, step])
@pytest.mark.parametrize("name", CELLS)
def test_projection_is_asked_for_where_there_is_one(make: Any, name: str) -> None:
    if CELLS[name].projects:
        with pytest.raises(ValueError, match=f"{name} projects its hidden state: proj_size has"):
            make(name, proj_size=0)
        with pytest.raises(ValueError, match="proj_size has to be smaller than hidden_size"):
            make(name, proj_size=H)
        with pytest.raises(ValueError, match="should be a positive integer or zero"):
            make(name, proj_size=-1)
    else:
        with pytest.raises(ValueError, match=f"{name} has no projection: proj_size has to be zero"):
            make(name, proj_size=2)


@pytest.mark.parametrize("maker", [unrolled.Recurrent, unrolled.RecurrentCell])
@pytest.mark.parametrize("cell", ["lstm", None, nn.LSTM, lambda x, h: {"h": x + h}])
def test_a_cell_is_asked_for(maker: Any, cell: Any) -> None:
    with pytest.raises(TypeError, match=r"cell should be a Cell \(see unrolled.cell\), got: "):
        maker(cell, I, H)


def test_start_values_of_the_equations_are_kept() -> None:
    module = step("lstm_layernorm", 3, 100)
    for _ in range(2):
        for name, value in module.named_parameters():
            if name.startswith("norm_weight"):
                assert_same(value.detach(), torch.ones(100), 0)
            elif name.startswith("norm_bias"):
                assert_same(value.detach(), torch.zeros(100), 0)
            else:
                assert 0.09 < value.abs().max() <= 0.1
        with torch.no_grad():
            for value in module.parameters():
                value.fill_(5.0)
        module.reset_parameters()


def test_a_module_without_bias_has_no_biases() -> None:
    assert not [name for name, _ in layer("cornn", bias=False).named_parameters() if "bias" in name]
    module = step("cornn", bias=False)
    assert module.bias_ih is module.bias_hh is module.bias_zh is None


def test_a_value_cannot_take_the_name_of_an_attribute() -> None:
    @unrolled.cell
    def clash(x, h):
        cell = unrolled.vector()
        h = unrolled.tanh(unrolled.affine(x) + cell * h)
        return locals()

    with pytest.raises(ValueError, match="clash: a module has a cell of its own: rename the value"):
        unrolled.RecurrentCell(clash, I, H)
    assert unrolled.Recurrent(clash, I, H).cell_l0.shape == (H,)


@pytest.mark.parametrize("name", CELLS)
def test_representation_tells_the_cell(name: str) -> None:
    size = ", proj_size=2" if CELLS[name].projects else ""
    assert repr(layer(name)) == f"Recurrent({name}, 3, 5{size})"
    assert repr(step(name, bias=False)) == f"RecurrentCell({name}, 3, 5{size}, bias=False)"


def test_representation_tells_our_options() -> None:
    module = unrolled.LSTM(
        I, H, zoneout={"c": 0.5, "h": 0}, variational_dropout=0.25, learn_initial_states=True
    )
    assert repr(module) == (
        "LSTM(3, 5, zoneout={'c': 0.5}, variational_dropout=0.25, learn_initial_states=True)"
    )
