"""One step of a cell: the numbers and errors of torch.nn, and every known cell."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import reference
import unrolled
from pairs import pairwise
from unrolled.cells import CELLS

from .twins import (
    STEPS,
    B,
    H,
    I,
    P,
    T,
    assert_same,
    flat,
    initial,
    measured,
    outcome,
    packed_up,
    states,
    step,
    twins,
    zeros,
)


@st.composite
def calls(draw: Any) -> tuple[str, dict[str, Any], tuple[int, ...], bool]:
    kind = draw(st.sampled_from(STEPS))
    options = {
        "input_size": draw(st.sampled_from([1, I])),  # few sizes, for each is compiled
        "hidden_size": draw(st.sampled_from([1, H])),
        "bias": draw(st.booleans()),
    }
    if kind == "RNNCell":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    batch = draw(st.sampled_from([(), (1,), (3,), (0,)]))
    return kind, options, batch, draw(st.booleans())


@settings(max_examples=40, deadline=None)
@given(calls(), st.integers(0, 2**32))
def test_steps_are_those_of_torch(call: Any, seed: int) -> None:
    kind, options, batch, given_states = call
    theirs, ours = twins(kind, dtype=torch.float64, seed=seed, **options)
    x = torch.randn(*batch, options["input_size"], dtype=torch.float64)
    hx = None
    if given_states:
        count = 2 if kind == "LSTMCell" else 1
        size = (count, *batch, options["hidden_size"])
        hx = packed_up(torch.randn(size, dtype=torch.float64).unbind(0))
    assert_same(measured(ours, x, hx), measured(theirs, x, hx))


def test_example_of_rnn_cell() -> None:
    """The loop of PyTorch's documentation: 6 steps of 3 rows, 10 features to 20 units."""
    results = []
    for library in (nn, unrolled):
        torch.manual_seed(0)
        rnn = library.RNNCell(10, 20)
        input = torch.randn(6, 3, 10)
        hx = torch.randn(3, 20)
        output = []
        for i in range(6):
            hx = rnn(input[i], hx)
            output.append(hx)
        results.append(torch.stack(output))
    assert results[1].shape == (6, 3, 20)
    assert_same(results[1], results[0], 1e-6)


def test_example_of_lstm_cell() -> None:
    """The loop of PyTorch's documentation: 2 steps of 3 rows, 10 features to 20 units, stacked."""
    results = []
    for library in (nn, unrolled):
        torch.manual_seed(0)
        rnn = library.LSTMCell(10, 20)
        input = torch.randn(2, 3, 10)
        hx = torch.randn(3, 20)
        cx = torch.randn(3, 20)
        output = []
        for i in range(input.size()[0]):
            hx, cx = rnn(input[i], (hx, cx))
            output.append(hx)
        results.append((torch.stack(output, dim=0), hx, cx))
    assert results[1][0].shape == (2, 3, 20)
    assert_same(results[1], results[0], 1e-6)


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize(
    "shape", [(), (2, 2, I), (2, I + 1), (I + 1,)], ids=["0d", "3d", "features", "unbatched"]
)
def test_bad_inputs_raise_what_torch_raises(kind: str, shape: tuple[int, ...]) -> None:
    theirs, ours = twins(kind, I, H)
    expected = outcome(lambda: theirs(torch.zeros(shape)))
    assert expected[0]
    assert outcome(lambda: ours(torch.zeros(shape))) == expected


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize(
    ("batch", "shape"),
    [
        ((2,), (2, H + 1)),
        ((2,), (3, H)),
        ((2,), (1, H)),
        ((2,), (2, 2, H)),
        ((2,), ()),
        ((), (H + 1,)),
        ((), (1, 1, H)),
    ],
)
def test_bad_states_raise_what_torch_raises(kind: str, batch: Any, shape: Any) -> None:
    theirs, ours = twins(kind, I, H)
    hx = packed_up([torch.zeros(shape)] * (2 if kind == "LSTMCell" else 1))
    expected = outcome(lambda: theirs(torch.zeros(*batch, I), hx))
    assert expected[0]
    assert outcome(lambda: ours(torch.zeros(*batch, I), hx)) == expected


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize(
    ("batch", "shape", "words"),
    [
        ((2,), (H,), "to be 2D like the input, got 1D instead"),
        ((), (1, H), "to be 1D like the input, got 2D instead"),
    ],
)
def test_states_of_another_rank_are_named(kind: str, batch: Any, shape: Any, words: str) -> None:
    _, ours = twins(kind, I, H)
    hx = packed_up([torch.zeros(shape)] * (2 if kind == "LSTMCell" else 1))
    label = r"hx\[0\]" if kind == "LSTMCell" else "hidden"
    with pytest.raises(RuntimeError, match=f"{kind}: Expected {label} {words}"):
        ours(torch.zeros(*batch, I), hx)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_wants_its_states(name: str) -> None:
    module = step(name)
    x, hx = torch.zeros(B, I), states(initial(module, B))
    count = len(hx)
    for wrong in (
        hx[0] if count > 1 else (hx[0],),
        (*hx, hx[0]),
        (*hx[:-1], None),
        [0.0] * count,
        "h" * count,
    ):
        with pytest.raises(ValueError, match=r"RecurrentCell: Expected (hx|the state)"):
            module(x, wrong)
    with pytest.raises(ValueError, match=r"to have the input's dtype torch.float32, got torch.flo"):
        module(x, packed_up(state.double() for state in hx))
    with pytest.raises(RuntimeError, match="found input tensor at cpu and hidden tensor at meta"):
        module(x, packed_up(state.to("meta") for state in hx))
    with pytest.raises(ValueError, match=r"input dtype \(torch.float64\) does not match weight"):
        module(x.double())
    with pytest.raises(RuntimeError, match="found input tensor at meta and parameter tensor at cp"):
        module(x.to("meta"))


@pytest.mark.parametrize(
    ("name", "batch", "bias"), pairwise(CELLS, [(), (1,), (3,), (0,)], [True, False]), ids=str
)
def test_shapes_of_every_cell(name: str, batch: tuple[int, ...], bias: bool) -> None:
    cell, module = CELLS[name], step(name, bias=bias)
    hx = initial(module, *batch)
    for result in (module(torch.randn(*batch, I)), module(torch.randn(*batch, I), hx)):
        assert isinstance(result, tuple) == (len(cell.states) > 1)
        shapes = [tuple(state.shape) for state in states(result)]
        assert shapes == [(*batch, P if cell.projects and s == "h" else H) for s in cell.states]


@pytest.mark.parametrize("name", CELLS)
def test_states_left_out_are_zero(name: str) -> None:
    module, x = step(name), torch.randn(B, I)
    assert_same(module(x), module(x, zeros(initial(module, B))), 0, equal_nan=True)


@pytest.mark.parametrize("name", CELLS)
def test_a_row_is_computed_alone(name: str) -> None:
    module, x = step(name), torch.randn(3, I)
    hx = initial(module, 3)
    together = module(x, hx)
    for row in range(3):
        alone = module(x[row], packed_up(state[row] for state in states(hx)))
        assert_same(states(alone), tuple(state[row] for state in states(together)), 1e-6)


@pytest.mark.parametrize("name", reference.CELLS)
def test_every_cell_is_that_of_its_paper(name: str) -> None:
    rng = np.random.default_rng(0)
    p = reference.parameters(name, I, H, P, rng)
    module = step(name, dtype=torch.float64)
    module.load_state_dict({key: torch.tensor(value) for key, value in p.items()})
    hx = packed_up(state.double() for state in states(initial(module, B)))
    x = rng.standard_normal((T, B, I))
    before = dict(zip(CELLS[name].states, (s.numpy() for s in states(hx)), strict=True))
    outputs, last, _ = reference.forward(name, x, before, p)
    for t in range(T):
        hx = module(torch.tensor(x[t]), hx)
        output = states(hx)[CELLS[name].states.index(CELLS[name].output)]
        assert_same(output, torch.tensor(outputs[t]), 1e-12)
    after = [torch.tensor(last[state]) for state in CELLS[name].states]
    assert_same(flat(hx), after, 1e-12)


def test_states_may_be_a_list() -> None:
    module, x = step("lstm"), torch.randn(B, I)
    h, c = initial(module, B)
    assert_same(module(x, [h, c]), module(x, (h, c)), 0)


# Parameters that were put in place.


@pytest.mark.parametrize("kind", STEPS)
def test_biases_may_be_put_in_and_taken_away(kind: str) -> None:
    theirs, mine = getattr(nn, kind)(I, H, bias=False), getattr(unrolled, kind)(I, H, bias=False)
    mine.load_state_dict(theirs.state_dict())
    x, values = torch.randn(B, I), [torch.randn(len(theirs.weight_hh)) for _ in range(2)]
    for biases in (values, [None, None], values):
        for module in (theirs, mine):
            for name, value in zip(("bias_ih", "bias_hh"), biases, strict=True):
                setattr(module, name, None if value is None else nn.Parameter(value))
        for _ in range(3):
            assert_same(flat(mine(x)), flat(theirs(x)), 1e-6)
        assert mine.bias == (biases is values)


@pytest.mark.parametrize("kind", STEPS)
def test_a_bias_of_two_is_named(kind: str) -> None:
    module = getattr(unrolled, kind)(I, H)
    module.bias_ih = None
    with pytest.raises(RuntimeError, match="bias_ih should have shape"):
        module(torch.randn(B, I))


class Drawn(nn.Module):
    """A parametrization that gives another weight whenever it is read."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight * torch.rand(())


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("name", ["weight_ih", "weight_hh"])
def test_weights_are_read_once_a_call(kind: str, name: str) -> None:
    theirs, mine = getattr(nn, kind)(I, H), getattr(unrolled, kind)(I, H)
    mine.load_state_dict(theirs.state_dict())
    given = [torch.randn(B, I)] + [torch.randn(B, H)] * (kind != "LSTMCell")
    found = []
    for module in (theirs, mine):
        nn.utils.parametrize.register_parametrization(module, name, Drawn())
        torch.manual_seed(0)
        found.append([flat(module(*given)) for _ in range(4)])
    for expected, result in zip(*found, strict=True):
        assert_same(result, expected, 1e-6)
