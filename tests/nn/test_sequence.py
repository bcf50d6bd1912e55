"""Sequences of several lengths: `lengths=` beside packing, and what is left out of the sums."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_packed_sequence

import unrolled
from pairs import in_turn
from unrolled.cells import CELLS

from .twins import (
    LAYERS,
    B,
    H,
    I,
    T,
    assert_same,
    flat,
    initial,
    layer,
    measured,
    packed,
    packed_up,
    states,
    twins,
)

DEEP = {"num_layers": 2, "bidirectional": True}


@pytest.mark.parametrize(
    ("name", "batch_first", "given"), in_turn(CELLS, [False, True], [False, False, True])
)
def test_positive_lengths_are_packing(name: str, batch_first: bool, given: bool) -> None:
    module = layer(name, **DEEP, batch_first=batch_first, dtype=torch.float64)
    x, lengths = torch.randn(T, 4, I, dtype=torch.float64), [2, 4, 1, 2]
    hx = [s.double() for s in states(initial(module, 4, 4))]
    hx = packed_up(hx) if given else None
    output, last = module(packed(x, lengths), hx)
    expected, _ = pad_packed_sequence(output, batch_first=batch_first)
    x = x.transpose(0, 1) if batch_first else x
    assert_same(module(x, hx, lengths=lengths), (expected, last), 1e-12)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_gradients_are_those_of_packing_in_torch(kind: str, batch_first: bool) -> None:
    theirs, ours = twins(kind, I, H, **DEEP, batch_first=batch_first, dtype=torch.float64)
    x, lengths = torch.randn(T, 4, I, dtype=torch.float64), [2, 4, 1, 2]
    x = (x.transpose(0, 1) if batch_first else x).contiguous()
    hx = packed_up(torch.randn(4, 4, H).double() for _ in range(2 if kind == "LSTM" else 1))

    class Packing(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = theirs

        def forward(self, x: Tensor, hx: Any) -> Any:
            output, last = self.layer(packed(x, lengths, batch_first=batch_first), hx)
            return pad_packed_sequence(output, batch_first=batch_first)[0], last

    expected = {n.removeprefix("layer."): v for n, v in measured(Packing(), x, hx).items()}
    assert_same(measured(ours, x, hx, lengths=lengths), expected)


@pytest.mark.parametrize(
    ("name", "lengths"),
    in_turn(CELLS, [[0, 3, 0, 4], [4, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]),
)
def test_rows_without_a_step_keep_their_states(name: str, lengths: list[int]) -> None:
    module = layer(name, **DEEP)
    x, hx = torch.randn(T, 4, I), initial(module, 4, 4)
    output, last = module(x, hx, lengths=lengths)
    assert output.shape == (T, 4, 2 * module.output_size)
    for row, length in enumerate(lengths):
        assert not output[length:, row].any()
        alone = packed_up(state[:, row : row + 1] for state in states(hx))
        if length:
            found = module(x[:length, row : row + 1], alone)
            assert_same(output[:length, row], found[0][:, 0], 1e-6)
            alone = found[1]
        for state, expected in zip(states(last), states(alone), strict=True):
            assert_same(state[:, row], expected[:, 0], 1e-6 if length else 0)


def test_a_row_without_a_step_has_the_gradient_of_its_state() -> None:
    module = layer("lstm", **DEEP)
    x, hx = torch.randn(T, 3, I), initial(module, 4, 3)
    found = measured(module, x, hx, lengths=[0, 4, 0])
    for index in (1, 2):
        assert found[f"gradient {index}"][:, [0, 2]].all()
    assert not found["gradient 0"][:, [0, 2]].any()
    found = measured(module, x, hx, lengths=[0, 0, 0])
    assert not found["result 0"].any()
    assert_same((found["result 1"], found["result 2"]), hx, 0)
    assert not found["gradient 0"].any()


class Column:
    """Numbers of a table, as those of pandas: no sequence, but made an array by NumPy."""

    def __init__(self, values: list[int]) -> None:
        self.values = values

    def __array__(self, *_: Any, **__: Any) -> Any:
        return np.array(self.values)

    def __iter__(self) -> Any:
        return iter(self.values)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        torch.tensor,
        lambda lengths: torch.tensor(lengths, dtype=torch.int32),
        lambda lengths: torch.tensor(lengths, dtype=torch.uint8),
        lambda lengths: Column(lengths),
    ],
    ids=["list", "tuple", "int64", "int32", "uint8", "column"],
)
def test_forms_of_lengths(form: Any, batch_first: bool) -> None:
    module = unrolled.GRU(I, H, **DEEP, batch_first=batch_first)
    x = torch.randn(3, T, I) if batch_first else torch.randn(T, 3, I)
    given = form([3, 0, 4])
    expected = module(x, lengths=[3, 0, 4])
    assert_same(module(x, lengths=given), expected, 0)
    assert list(given) == [3, 0, 4]


def test_lengths_are_not_changed() -> None:
    lengths = [1, 4, 0]
    unrolled.GRU(I, H)(torch.randn(T, 3, I), lengths=lengths)
    assert lengths == [1, 4, 0]


@pytest.mark.parametrize("name", CELLS)
def test_full_lengths_change_nothing(name: str) -> None:
    module, x = layer(name, **DEEP), torch.randn(T, B, I)
    assert_same(module(x, lengths=[T, T]), module(x), 1e-6)


def test_no_rows() -> None:
    module = unrolled.LSTM(I, H, **DEEP)
    output, (h, c) = module(torch.zeros(T, 0, I), lengths=[])
    assert output.shape == (T, 0, 2 * H)
    assert h.shape == c.shape == (4, 0, H)


@pytest.mark.parametrize(("name", "value"), in_turn(CELLS, [torch.nan, torch.inf]))
def test_padding_changes_nothing(name: str, value: float) -> None:
    module = layer(name, **DEEP)
    lengths, x, hx = [3, 0, 4, 1], torch.randn(T, 4, I), initial(module, 4, 4)
    expected = measured(module, x, hx, lengths=lengths)
    for row, length in enumerate(lengths):
        x[length:, row] = value
    found = measured(module, x, hx, lengths=lengths)
    assert_same(found, expected, 0)
    for row, length in enumerate(lengths):
        assert not found["gradient 0"][length:, row].any()


@pytest.mark.parametrize("cut", [1, 3])
def test_rows_are_independent(cut: int) -> None:
    module, lengths = unrolled.LSTM(I, H, **DEEP), [2, 0, 4, 1]
    x = torch.randn(T, 4, I)
    output, (h, c) = module(x, lengths=lengths)
    order = torch.tensor([3, 1, 0, 2])
    shuffled = module(x[:, order], lengths=[lengths[row] for row in order])
    assert_same(flat(shuffled), [output[:, order], h[:, order], c[:, order]], 1e-6)
    part = module(x[:, :cut], lengths=lengths[:cut])
    assert_same(flat(part), [output[:, :cut], h[:, :cut], c[:, :cut]], 1e-6)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(
    ("lengths", "error", "words"),
    [
        ([5, 1, 1], ValueError, r"lengths\[0\] should be between 0 and the input's 4 steps, got 5"),
        (
            [1, 1, -1],
            ValueError,
            r"lengths\[2\] should be between 0 and the input's 4 steps, got",
        ),
        ([1, 2], ValueError, r"Expected a length for each of the 3 rows, got 2 lengths"),
        ([1, 2, 3, 4], ValueError, r"Expected a length for each of the 3 rows, got 4 lengths"),
        ([], ValueError, r"Expected a length for each of the 3 rows, got 0 lengths"),
        ([1, 2.0, 3], TypeError, r"lengths\[1\] should be an int, got 2.0"),
        ([1, True, 3], TypeError, r"lengths\[1\] should be an int, got True"),
        ([1, None, 3], TypeError, r"lengths\[1\] should be an int, got None"),
        ("123", TypeError, "sequence of integers, got str"),
        (torch.tensor([1.0, 2, 3]), TypeError, r"1-D tensor of integers, got 1-D torch.float32"),
        (torch.tensor([True] * 3), TypeError, r"1-D tensor of integers, got 1-D torch.bool"),
        (torch.tensor([[1, 2, 3]]), TypeError, r"1-D tensor of integers, got 2-D torch.int64"),
        (torch.tensor(3), TypeError, r"1-D tensor of integers, got 0-D torch.int64"),
        (torch.tensor([1, 2, 5]), ValueError, r"lengths\[2\] should be between 0 and the input's"),
        (torch.tensor([1, 2]), ValueError, r"Expected a length for each of the 3 rows, got 2"),
        (np.array([1.0, 2, 3]), TypeError, "1-D array of integers, got 1-D float64"),
        (np.array([[1, 2, 3]]), TypeError, "1-D array of integers, got 2-D int64"),
        ({1: 1, 2: 2, 3: 3}, TypeError, "sequence of integers, got dict"),
        (3, TypeError, "sequence of integers, got int"),
    ],
    ids=repr,
)
def test_bad_lengths_are_named(kind: str, lengths: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        getattr(unrolled, kind)(I, H)(torch.zeros(T, 3, I), lengths=lengths)
    assert str(caught.value).startswith(f"{kind}: ")


def test_lengths_count_the_rows_of_a_batch_first_input() -> None:
    module = unrolled.LSTM(I, H, batch_first=True)
    with pytest.raises(ValueError, match="each of the 2 rows, got 4 lengths"):
        module(torch.zeros(2, 4, I), lengths=[1, 1, 1, 1])
    with pytest.raises(ValueError, match="the input's 4 steps, got 5"):
        module(torch.zeros(2, 4, I), lengths=[5, 1])


@pytest.mark.parametrize("kind", LAYERS)
def test_lengths_go_with_padded_input(kind: str) -> None:
    module = getattr(unrolled, kind)(I, H)
    with pytest.raises(ValueError, match=f"{kind}: lengths= needs a batch"):
        module(torch.zeros(T, I), lengths=[T])
    with pytest.raises(ValueError, match=f"{kind}: a PackedSequence has lengths of its own"):
        module(packed(torch.zeros(T, 1, I), [T]), lengths=[T])
    with pytest.raises(RuntimeError, match="Expected sequence length to be larger than 0"):
        module(torch.zeros(0, B, I), lengths=[0, 0])
    with pytest.raises(TypeError, match="positional argument"):
        module(torch.zeros(T, 1, I), None, [T])


@pytest.mark.parametrize("kind", LAYERS)
def test_packed_output_is_packed_like_the_input(kind: str) -> None:
    _, ours = twins(kind, I, H)
    for order in ([4, 2, 1], [1, 4, 2]):
        x = packed(torch.randn(T, 3, I), order)
        output, _ = ours(x)
        assert_same(flat(output)[1:], flat(x)[1:], 0)
