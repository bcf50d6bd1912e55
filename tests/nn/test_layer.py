"""Layers over sequences: the numbers and errors of torch.nn, and every known cell."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import unrolled
from pairs import in_turn, pairwise
from unrolled.cells import CELLS
from unrolled.kernels.runtime.torch_state import eager_only

from .twins import (
    LAYERS,
    STEPS,
    B,
    H,
    I,
    P,
    T,
    assert_same,
    flat,
    initial,
    layer,
    measured,
    outcome,
    packed,
    packed_up,
    states,
    step,
    twins,
    zeros,
)

VARIANTS = [
    ("RNN", {"nonlinearity": "tanh"}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": P}),
    ("GRU", {}),
]


def hidden(module: Any, *leading: int, dtype: torch.dtype = torch.float64) -> Any:
    """Random states of a layer of torch.nn or ours."""
    sizes = [module.proj_size or module.hidden_size]
    sizes += [module.hidden_size] * isinstance(module, (nn.LSTM, unrolled.LSTM))
    count = module.num_layers * (1 + module.bidirectional)
    return packed_up(torch.randn(count, *leading, size, dtype=dtype) for size in sizes)


@st.composite
def calls(draw: Any) -> tuple[str, dict[str, Any], Any, bool]:
    kind = draw(st.sampled_from(LAYERS))
    hidden_size = draw(st.sampled_from([1, H]))  # few sizes, for each is compiled
    options = {
        "input_size": draw(st.sampled_from([1, I])),
        "hidden_size": hidden_size,
        "num_layers": draw(st.integers(1, 3)),
        "bias": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
    }
    if kind == "LSTM":
        options["proj_size"] = draw(st.sampled_from([0, P])) if hidden_size > P else 0
    if kind == "RNN":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    form = draw(st.sampled_from(["batched", "unbatched", "sorted", "unsorted"]))
    steps, batch = draw(st.integers(1, 5)), draw(st.integers(0, 4))
    lengths = draw(st.lists(st.integers(1, steps), min_size=1, max_size=4))
    size = {"batched": (steps, batch), "unbatched": (steps,)}.get(form, tuple(lengths))
    return kind, options, (form, size), draw(st.booleans())


def made(form: str, size: tuple[int, ...], features: int, batch_first: bool) -> tuple[Any, Any]:
    """The input of a drawn call, and the batch of its states."""
    if form == "unbatched":
        return torch.randn(*size, features, dtype=torch.float64), ()
    if form == "batched":
        shape = size[::-1] if batch_first else size
        return torch.randn(*shape, features, dtype=torch.float64), (size[1],)
    lengths = torch.tensor(sorted(size, reverse=True) if form == "sorted" else size)
    x = torch.randn(int(lengths.max()), len(size), features, dtype=torch.float64)
    return pack_padded_sequence(x, lengths, enforce_sorted=form == "sorted"), (len(size),)


@settings(max_examples=120, deadline=None)
@given(calls(), st.integers(0, 2**32))
def test_layers_are_those_of_torch(call: Any, seed: int) -> None:
    kind, options, (form, size), given_states = call
    theirs, ours = twins(kind, dtype=torch.float64, seed=seed, **options)
    x, batch = made(form, size, options["input_size"], options["batch_first"])
    hx = hidden(theirs, *batch) if given_states else None
    expected = measured(theirs, x, hx)
    assert_same(measured(ours, x, hx), expected)
    with eager_only():
        assert_same(measured(ours, x, hx), expected)


@pytest.mark.parametrize(
    ("variant", "size", "shape"), pairwise(VARIANTS, [1, 17, 33], [(1, 1), (1, 3), (7, 5)]), ids=str
)
def test_odd_sizes(variant: tuple[str, Any], size: int, shape: tuple[int, int]) -> None:
    (kind, options), (features, batch) = variant, shape
    if options.get("proj_size", 0) >= size:
        options = {}
    theirs, ours = twins(kind, features, size, 2, dtype=torch.float64, **options)
    x = torch.randn(3, batch, features, dtype=torch.float64)
    hx = hidden(theirs, batch)
    assert_same(measured(ours, x, hx), measured(theirs, x, hx))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("kind", "options"), VARIANTS)
def test_single_precision(kind: str, options: Any) -> None:
    theirs, ours = twins(kind, 9, 33, 2, bidirectional=True, **options)
    x, hx = torch.randn(12, 4, 9), hidden(theirs, 4, dtype=torch.float32)
    assert_same(measured(ours, x, hx), measured(theirs, x, hx), 1e-4)
    assert_same(flat(ours(x, hx)), flat(theirs(x, hx)), 1e-5)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(
    ("variant", "form", "dtype"),
    pairwise(
        VARIANTS,
        ["batched", "batch_first", "unbatched", "packed"],
        [torch.float32, torch.float64],
    ),
    ids=str,
)
def test_one_seed_drops_the_same_units(variant: tuple[str, Any], form: str, dtype: Any) -> None:
    kind, options = variant
    torch.manual_seed(1)
    theirs, ours = twins(
        kind,
        I,
        H,
        3,
        dropout=0.4,
        bidirectional=True,
        batch_first=form == "batch_first",
        dtype=dtype,
        **options,
    )
    x = torch.randn(T, 3, I, dtype=dtype)
    x = {"unbatched": x[:, 0], "packed": packed(x, [2, 4, 1])}.get(form, x)
    found = []
    for module in (theirs, ours):
        torch.manual_seed(5)
        found.append(measured(module, x))
    assert_same(found[1], found[0], 1e-10 if dtype is torch.float64 else 1e-5)
    torch.manual_seed(6)
    assert not torch.equal(flat(ours(x))[0], found[1]["result 0"])
    ours.eval()
    assert torch.equal(flat(ours(x))[0], flat(ours(x))[0])
    assert_same(flat(ours(x)), flat(theirs.eval()(x)), 1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_everything_dropped(kind: str) -> None:
    theirs, ours = twins(kind, I, H, 2, dropout=1.0)
    x = torch.randn(T, B, I)
    assert_same(measured(ours, x), measured(theirs, x), 1e-5)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_no_rows(kind: str, batch_first: bool) -> None:
    theirs, ours = twins(kind, I, H, 2, bidirectional=True, batch_first=batch_first)
    x = torch.zeros((0, T, I) if batch_first else (T, 0, I))
    assert_same(measured(ours, x), measured(theirs, x), 0)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((2, B, I + 1), {}),
        ((2, I + 1), {}),
        ((0, B, I), {}),
        ((B, 0, I), {"batch_first": True}),
        ((0, I), {}),
        ((0, I), {"batch_first": True}),
        ((0, 0, I), {}),
    ],
    ids=str,
)
def test_bad_inputs_raise_what_torch_raises(kind: str, shape: Any, options: Any) -> None:
    theirs, ours = twins(kind, I, H, **options)
    expected = outcome(lambda: theirs(torch.zeros(shape)))
    assert expected[0]
    assert outcome(lambda: ours(torch.zeros(shape))) == expected


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("shape", [(), (I,), (2, 2, B, I)], ids=str)
def test_bad_ranks_raise_what_torch_raises(kind: str, shape: Any) -> None:
    theirs, ours = twins(kind, I, H)
    expected, words = outcome(lambda: theirs(torch.zeros(shape)))
    words = words.replace("D tensor instead", "D instead")  # which only nn.RNN says
    assert outcome(lambda: ours(torch.zeros(shape))) == (expected, words)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    "input_like", [{"dtype": torch.float64}, {"dtype": int}, {"device": "meta"}]
)
@pytest.mark.parametrize("weight_like", [{}, {"device": "meta"}, {"dtype": torch.bfloat16}])
def test_dtypes_and_devices_have_to_agree(kind: str, input_like: Any, weight_like: Any) -> None:
    theirs, ours = twins(kind, I, H, **weight_like)
    x = torch.zeros(T, B, I, **input_like)
    assert outcome(lambda: ours(x)) == outcome(lambda: theirs(x))


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    "shape", [(1, B, H + 1), (1, B + 1, H), (2, B, H), (1, B, 1), (0, B, H)], ids=str
)
@pytest.mark.parametrize("form", ["dense", "sorted", "unsorted"])
def test_bad_states_raise_what_torch_raises(kind: str, shape: Any, form: str) -> None:
    theirs, ours = twins(kind, I, H)
    x: Any = torch.zeros(T, B, I)
    if form != "dense":
        x = packed(x, [4, 1] if form == "sorted" else [1, 4])
    hx = packed_up([torch.zeros(shape)] * (2 if kind == "LSTM" else 1))
    expected = outcome(lambda: theirs(x, hx))
    if form != "dense" and (kind == "LSTM" or shape[1] > B):
        # Here torch.nn says nothing, or something of mat1 and mat2: ours are its words elsewhere.
        label = "hidden[0]" if kind == "LSTM" else "hidden"
        expected = "RuntimeError", f"Expected {label} size (1, {B}, {H}), got {list(shape)}"
    assert outcome(lambda: ours(x, hx)) == expected


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("x_shape", "shape"),
    [((T, B, I), s) for s in [(1, H), (H,), (1, 1, B, H), ()]]
    + [((T, I), s) for s in [(1, 1, H), (H,), (), (1, H + 1), (2, H)]],
    ids=str,
)
def test_bad_ranks_of_states_raise_like_torch(kind: str, x_shape: Any, shape: Any) -> None:
    theirs, ours = twins(kind, I, H)
    hx = packed_up([torch.zeros(shape)] * (2 if kind == "LSTM" else 1))
    (error, expected), (ours_error, words) = (
        outcome(lambda module=module: module(torch.zeros(x_shape), hx)) for module in (theirs, ours)
    )
    assert ours_error == error == "RuntimeError"
    if len(x_shape) == 2 and len(shape) == 2:  # torch.nn tells the sizes with a batch of 1
        expected = expected.replace(f"(1, 1, {H})", f"(1, {H})").replace(", 1, ", ", ")
    # For an LSTM torch.nn tells the ranks of both states.
    expected = expected.replace("hx and cx should", "hx should")
    expected = expected.replace(
        f"({len(shape)}-D, {len(shape)}-D) tensors", f"{len(shape)}-D tensor"
    )
    assert words == expected


def test_the_second_state_of_an_lstm_is_checked() -> None:
    theirs, ours = twins("LSTM", I, H, proj_size=2)
    x, h, c = torch.zeros(T, B, I), torch.zeros(1, B, 2), torch.zeros(1, B, H)
    for hx in [(h, h), (c, c), (c, h), (h, c[:, :1])]:
        expected = outcome(lambda hx=hx: theirs(x, hx))
        assert expected[1].startswith("Expected hidden[")
        assert outcome(lambda hx=hx: ours(x, hx)) == expected
    with pytest.raises(RuntimeError, match="hx should also be 3-D but got 2-D"):
        ours(x, (h, c[0]))


@pytest.mark.parametrize("kind", LAYERS)
def test_packed_data_has_two_dimensions(kind: str) -> None:
    theirs, ours = twins(kind, I, H)
    for shape in [(4, B), (I, B), (4, B, 2, I)]:
        x = pack_padded_sequence(torch.zeros(shape), [shape[0], 1])
        with pytest.raises(RuntimeError, match=r"input must have 2 dimensions, got [13]"):
            ours(x)
        assert outcome(lambda x=x: theirs(x))[0] == "RuntimeError"
    x = pack_padded_sequence(torch.zeros(4, B, I + 1), [4, 1])
    with pytest.raises(RuntimeError, match="Expected 3, got 4"):
        ours(x)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("x", [None, [[1.0]], 3.0])
def test_no_tensor_as_input(kind: str, x: Any) -> None:
    with pytest.raises(TypeError, match=f"{kind}: Expected input to be a Tensor or PackedSequence"):
        getattr(unrolled, kind)(I, H)(x)


@pytest.mark.parametrize("kind", [*LAYERS, *STEPS])
def test_forms_of_states_that_torch_is_unclear_about(kind: str) -> None:
    leading = (T,) if kind in LAYERS else ()
    x, h = torch.zeros(*leading, B, I), torch.zeros(*leading, B, H)
    module = getattr(unrolled, kind)(I, H)
    if kind.startswith("LSTM"):
        words = rf"{kind}: Expected hx to be a tuple of 2 tensors \(h, c\), got "
        cases = [(h, "Tensor"), ((h,), "tuple of 1"), ((h, h, h), "tuple of 3"), ([], "list of 0")]
    else:
        words = f"{kind}: Expected hx to be a tensor, got "
        cases = [((h,), "tuple of 1"), ((h, h), "tuple of 2"), ([h], "list of 1")]
    for hx, got in cases:
        with pytest.raises(ValueError, match=words + got):
            module(x, hx)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_wants_its_states(name: str) -> None:
    module = layer(name)
    x, hx = torch.zeros(T, B, I), states(initial(module, 1, B))
    count = len(hx)
    expected = (
        "a tensor"
        if count == 1
        else rf"a tuple of {count} tensors \({', '.join(module.cell.states)}\)"
    )
    for wrong, got in (
        (hx[0] if count > 1 else (hx[0],), "Tensor" if count > 1 else "tuple of 1"),
        ((*hx, hx[0]), f"tuple of {count + 1}"),
        ([], "list of 0"),
        (0.0, "float"),
    ):
        with pytest.raises(ValueError, match=f"Recurrent: Expected hx to be {expected}, got {got}"):
            module(x, wrong)
    if count > 1:
        with pytest.raises(ValueError, match=r"Expected the state \w to be a Tensor, got NoneType"):
            module(x, (*hx[:-1], None))
    with pytest.raises(ValueError, match=r"to have the input's dtype torch.float32, got torc"):
        module(x, packed_up(state.double() for state in hx))
    with pytest.raises(RuntimeError, match="found input tensor at cpu and hidden tensor at meta"):
        module(x, packed_up(state.to("meta") for state in hx))


@pytest.mark.parametrize("name", CELLS)
def test_shapes_of_every_cell(name: str) -> None:
    cell = CELLS[name]
    module = layer(name, num_layers=2, bidirectional=True, batch_first=True, bias=False)
    width = P if cell.projects else H
    sizes = [P if cell.projects and state == "h" else H for state in cell.states]
    assert module.output_size == width
    for x, batch in ((torch.randn(B, T, I), (B,)), (torch.randn(T, I), ())):
        for hx in (None, initial(module, 4, *batch)):
            output, last = module(x, hx)
            assert output.shape == (*x.shape[:-1], 2 * width)
            assert isinstance(last, tuple) == (len(cell.states) > 1)
            assert [tuple(s.shape) for s in states(last)] == [(4, *batch, size) for size in sizes]
    output, last = module(packed(torch.randn(T, B, I), [1, 4]))
    assert isinstance(output, PackedSequence)
    assert output.data.shape == (5, 2 * width)


def by_hand(module: unrolled.Recurrent, x: Tensor, hx: Any, lengths: list[int]) -> tuple[Any, Any]:
    """The layer as a loop over rows, layers, directions and steps."""
    cell = module.cell
    suffixes = ("", "_reverse") if module.bidirectional else ("",)
    outputs, finals = [], []
    for row, length in enumerate(lengths):
        data, last = x[:length, row], []
        for number in range(module.num_layers):
            directions = []
            for reverse, suffix in enumerate(suffixes):
                one = unrolled.RecurrentCell(
                    cell, data.shape[-1], module.hidden_size, proj_size=module.proj_size
                ).to(x.dtype)
                one.load_state_dict(
                    {
                        name: getattr(module, f"{name}_l{number}{suffix}")
                        for name, _ in one.named_parameters()
                    }
                )
                place = number * len(suffixes) + reverse
                state = packed_up(value[place, row] for value in states(hx))
                found = []
                for t in range(length)[:: -1 if reverse else 1]:
                    state = one(data[t], state)
                    found.append(states(state)[cell.states.index(cell.output)])
                last.append(states(state))
                found = found[:: -1 if reverse else 1]
                directions.append(
                    torch.stack(found) if found else x.new_zeros(0, module.output_size)
                )
            data = torch.cat(directions, -1)
        padding = x.new_zeros(x.shape[0] - length, data.shape[-1])
        outputs.append(torch.cat([data, padding]))
        finals.append([torch.stack(parts) for parts in zip(*last, strict=True)])
    return torch.stack(outputs, 1), packed_up(torch.stack(s, 1) for s in zip(*finals, strict=True))


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("lengths", [None, [4, 0, 2]], ids=["dense", "ragged"])
def test_every_layer_is_a_loop_over_its_cell(name: str, lengths: Any) -> None:
    module = layer(name, num_layers=2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(T, 3, I, dtype=torch.float64)
    hx = packed_up(state.double() for state in states(initial(module, 4, 3)))
    expected = by_hand(module, x, hx, lengths or [T] * 3)
    options = {} if lengths is None else {"lengths": lengths}
    assert_same(module(x, hx, **options), expected, 1e-12)
    if lengths is None:
        assert_same(module(x), by_hand(module, x, zeros(hx), [T] * 3), 1e-12, equal_nan=True)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("lengths", [None, [4, 0, 2]], ids=["dense", "ragged"])
def test_gradients_of_every_cell_are_those_of_differences(name: str, lengths: Any) -> None:
    module = layer(name, num_layers=2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(T, 3, I, dtype=torch.float64, requires_grad=True)
    hx = [state.double().requires_grad_() for state in states(initial(module, 4, 3))]
    names = [name for name, _ in module.named_parameters()]

    def call(x: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
        given, parameters = values[: len(hx)], values[len(hx) :]
        output, last = torch.func.functional_call(
            module,
            dict(zip(names, parameters, strict=True)),
            (x, packed_up(given)),
            {} if lengths is None else {"lengths": lengths},
        )
        return output, *states(last)

    assert torch.autograd.gradcheck(call, (x, *hx, *module.parameters()), fast_mode=True)


def test_pieces_of_a_sequence_join() -> None:
    module = layer("slstm", num_layers=2)
    x, hx = torch.randn(6, B, I), initial(module, 2, B)
    whole, last = module(x, hx)
    first, hx = module(x[:2], hx)
    second, hx = module(x[2:], hx)
    assert_same(torch.cat([first, second]), whole, 1e-6)
    assert_same(hx, last, 1e-6)


def test_packed_output_can_be_padded() -> None:
    theirs, ours = twins("GRU", I, H, bidirectional=True)
    x = packed(torch.randn(T, 3, I), [2, 4, 1])
    padded, lengths = pad_packed_sequence(ours(x)[0])
    expected, _ = pad_packed_sequence(theirs(x)[0])
    assert_same(padded, expected, 1e-6)
    assert lengths.tolist() == [2, 4, 1]


# Initial states that are learned


def test_initial_states_are_parameters_that_start_at_zero() -> None:
    module = unrolled.LSTM(I, H, 2, bidirectional=True, proj_size=P, learn_initial_states=True)
    shapes = {n: tuple(p.shape) for n, p in module.named_parameters() if n.startswith("initial_")}
    suffixes = ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert shapes == {
        f"initial_{s}_{suffix}": (P if s == "h" else H,) for suffix in suffixes for s in "hc"
    }
    for name in shapes:
        assert not getattr(module, name).any()
    assert set(shapes) < set(module.state_dict())
    theirs, _ = twins("LSTM", I, H, 2, bidirectional=True, proj_size=P)
    torch.manual_seed(0)
    module.reset_parameters()
    kept = {name: value for name, value in module.state_dict().items() if name not in shapes}
    assert_same(kept, theirs.state_dict(), 0)


@pytest.mark.parametrize(
    ("name", "form"), in_turn(CELLS, ["dense", "packed", "lengths", "unbatched"])
)
def test_learned_states_stand_in_for_those_left_out(name: str, form: str) -> None:
    module = layer(name, num_layers=2, bidirectional=True, learn_initial_states=True)
    with torch.no_grad():
        for key, value in module.named_parameters():
            if key.startswith("initial_"):
                value.uniform_()
    x: Any = torch.randn(T, 3, I)
    options: Any = {}
    if form == "packed":
        x = packed(x, [1, 4, 2])
    elif form == "lengths":
        options["lengths"] = [0, 4, 2]
    elif form == "unbatched":
        x = x[:, 0]
    suffixes = ["l0", "l0_reverse", "l1", "l1_reverse"]
    hx = [
        torch.stack([getattr(module, f"initial_{state}_{suffix}") for suffix in suffixes])
        for state in module.cell.states
    ]
    if form != "unbatched":
        hx = [state.unsqueeze(1).repeat(1, 3, 1) for state in hx]
    assert_same(module(x, **options), module(x, packed_up(hx), **options), 0)


def test_learned_states_are_trained_where_they_are_used() -> None:
    module = unrolled.GRU(I, H, learn_initial_states=True)
    x = torch.randn(T, B, I)
    module(x, torch.zeros(1, B, H))[0].sum().backward()
    assert module.initial_h_l0.grad is None
    module(x)[0].sum().backward()
    assert module.initial_h_l0.grad.abs().min() > 0
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    optimizer.step()
    assert module.initial_h_l0.abs().min() > 0
    _, last = module(x, lengths=[0, 1])
    assert torch.equal(last[0, 0], module.initial_h_l0)


# Numbers that are none, and memory that nobody filled


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(
    ("variant", "place", "value", "dtype"),
    pairwise(
        VARIANTS,
        ["input", "weight_ih_l0", "weight_hh_l0", "state"],
        [torch.nan, torch.inf, -torch.inf],
        [torch.float32, torch.float64],
    ),
    ids=str,
)
def test_nan_and_inf_come_out_as_in_torch(
    variant: tuple[str, Any], place: str, value: float, dtype: Any
) -> None:
    kind, options = variant
    theirs, ours = twins(kind, I, H, 2, dtype=dtype, **options)
    x, hx = torch.randn(T, 3, I, dtype=dtype), hidden(theirs, 3, dtype=dtype)
    if place == "input":
        x[1, 2, 0] = value
    elif place == "state":
        states(hx)[-1][0, 1, 0] = value
    else:
        with torch.no_grad():
            for module in (theirs, ours):
                getattr(module, place)[2, 1] = value
    for x_, hx_ in ((x, hx), (packed(x, [2, 4, 3]), hx)):
        expected = flat(theirs(x_, hx_))
        assert not all(result.isfinite().all() for result in expected) or abs(value) == torch.inf
        assert_same(flat(ours(x_, hx_)), expected, 1e-5, equal_nan=True)
        with torch.no_grad():
            assert_same(flat(ours(x_, hx_)), expected, 1e-5, equal_nan=True)
        with eager_only():
            assert_same(flat(ours(x_, hx_)), expected, 1e-5, equal_nan=True)


@pytest.fixture
def _poison(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Memory that is handed out unfilled holds NaN, from Python and from PyTorch's own code."""

    def poisoned(function: Any) -> Any:
        def fill(*args: Any, **options: Any) -> Tensor:
            with torch.no_grad():
                made = function(*args, **options)
                return made.fill_(torch.nan) if made.is_floating_point() else made

        return fill

    for owner, name in (
        (torch, "empty"),
        (torch, "empty_like"),
        (Tensor, "new_empty"),
        (torch, "empty_strided"),
    ):
        monkeypatch.setattr(owner, name, poisoned(getattr(owner, name)))
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("_poison")
@pytest.mark.parametrize("name", list(CELLS)[::2])
def test_nothing_is_read_before_it_is_written(name: str) -> None:
    assert torch.empty(3).isnan().all()
    assert torch.ops.aten.empty.memory_format([3]).isnan().all()
    module = layer(name, num_layers=2, bidirectional=True, zoneout=0.1, learn_initial_states=True)
    for value in module.parameters():
        assert value.isfinite().all()
    single = step(name)
    x = torch.randn(T, 3, I)
    hx = initial(module, 4, 3)
    for training in (True, False):
        module.train(training)
        for input, options in (
            (x, {}),
            (x, {"lengths": [0, 4, 2]}),
            (packed(x, [2, 4, 1]), {}),
            (x, {"lengths": [0, 0, 0]}),
        ):
            for key, value in measured(module, input, hx, **options).items():
                assert value.isfinite().all(), key
    for key, value in measured(single, x[0], initial(single, 3)).items():
        assert value.isfinite().all(), key


# Memory.


@pytest.mark.parametrize("name", ["lstm", "gru", "lstm_layernorm"])
def test_recompute_stores_no_gates(name: str) -> None:
    """The same gradients, from less memory than even one gate of all steps takes."""
    torch.manual_seed(0)
    steps, rows = 30, 20
    plain = unrolled.Recurrent(unrolled.cells.CELLS[name], I, H, dtype=torch.float64)
    thrifty = unrolled.Recurrent(plain.cell, I, H, dtype=torch.float64, recompute=True)
    thrifty.load_state_dict(plain.state_dict())
    x = torch.randn(steps, rows, I, dtype=torch.float64)
    found, saved = [], []
    for module in (plain, thrifty, plain, thrifty):  # the second time the quick way
        numbers: dict[int, int] = {}

        def pack(tensor: Tensor, numbers: dict[int, int] = numbers) -> Tensor:
            numbers[tensor.data_ptr()] = tensor.numel()
            return tensor

        given = x.clone().requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            output, _ = module(given)
        weights = [*module.parameters(), given]
        found.append(torch.autograd.grad(output.square().sum(), weights))
        saved.append(sum(numbers.values()))
    for gradients in found[1:]:
        torch.testing.assert_close(gradients, found[0])
    states = len(plain.graph.states)
    parameters = sum(parameter.numel() for parameter in plain.parameters())
    assert saved[1] <= (steps + 2) * rows * (H * states + I) + parameters + 200
    assert saved[1] < saved[0] - steps * rows * H
    assert saved[2:] == saved[:2]


def test_recompute_is_seen() -> None:
    assert repr(unrolled.GRU(I, H, recompute=True)) == f"GRU({I}, {H}, recompute=True)"
