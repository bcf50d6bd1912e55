from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from unrolled.cells import CELLS
from unrolled.structures import Kind, ManyToOne, Symbols, Vectors

from . import loops

LENGTHS = [5, 0, 7, 1]


def sequences(kind: Kind, steps: int = 7, batch: int = 4) -> Tensor:
    if isinstance(kind, Symbols):
        return torch.randint(kind.count, (steps, batch))
    return torch.randn(steps, batch, kind.units)


@pytest.mark.parametrize("cell", loops.CELLS)
@pytest.mark.parametrize("reads", [Symbols(9, 3), Vectors(3)])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}])
def test_a_plain_loop_gives_the_same(cell: str, reads: Kind, options: dict[str, Any]) -> None:
    model = ManyToOne(CELLS[cell], reads, 5, Symbols(4), **options)
    x = sequences(reads)
    logits, _ = model(x, lengths=LENGTHS)
    read = [model.embedding(row) for row in loops.rows(x, LENGTHS)]
    _, states = loops.read(model.recurrent, read)
    sides = 2 if options.get("bidirectional") else 1
    for row, last in enumerate(states):
        answer = torch.cat([state[0] for state in last[-sides:]])
        expected = model.readout.weight @ answer + model.readout.bias
        torch.testing.assert_close(logits[row], expected)


@pytest.mark.parametrize("cell", loops.SEVERAL)
@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4),
    padding=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_padding_changes_nothing(cell: str, lengths: list[int], padding: int, seed: int) -> None:
    torch.manual_seed(seed)
    model = ManyToOne(CELLS[cell], Vectors(2), 4, Vectors(3))
    x = torch.randn(6 + padding, len(lengths), 2)
    spoiled = x.clone()
    for row, length in enumerate(lengths):
        spoiled[length:, row] = torch.nan
    together, _ = model(spoiled, lengths=lengths)
    for row, length in enumerate(lengths):
        if length == 0:
            continue
        alone, _ = model(x[:length, row : row + 1])
        torch.testing.assert_close(together[row], alone[0])


def test_padding_gets_no_gradient_and_gives_none() -> None:
    model = ManyToOne(CELLS["gru"], Vectors(2), 4, Vectors(3))
    x = torch.randn(5, 2, 2)
    x[2:, 1] = torch.nan
    x.requires_grad_()
    outputs, _ = model(x, lengths=[5, 2])
    outputs.square().sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad[2:, 1], torch.zeros(3, 2))
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_symbols_after_the_end_may_be_anything() -> None:
    model = ManyToOne(CELLS["gru"], Symbols(5), 4, Symbols(3))
    x = torch.randint(5, (4, 2))
    expected, _ = model(x, lengths=[4, 2])
    x[2:, 1] = -100
    assert torch.equal(model(x, lengths=[4, 2])[0], expected)


@pytest.mark.parametrize("cell", loops.SEVERAL)
def test_a_sequence_may_come_in_parts(cell: str) -> None:
    model = ManyToOne(CELLS[cell], Symbols(9), 6, Symbols(4), num_layers=2)
    x = sequences(Symbols(9))
    whole, ends = model(x)
    _, states = model(x[:3])
    answer, states = model(x[3:], states)
    torch.testing.assert_close((answer, states), (whole, ends))


def test_a_bidirectional_network_takes_no_states() -> None:
    model = ManyToOne(CELLS["gru"], Vectors(2), 4, Vectors(3), bidirectional=True)
    _, states = model(torch.randn(3, 2, 2))
    with pytest.raises(ValueError, match="bidirectional network reads whole sequences"):
        model(torch.randn(3, 2, 2), states)


def test_losses_are_those_of_torch() -> None:
    classify = ManyToOne(CELLS["gru"], Vectors(2), 4, Symbols(3))
    regress = ManyToOne(CELLS["gru"], Vectors(2), 4, Vectors(3))
    x, classes, values = torch.randn(5, 4, 2), torch.tensor([0, 2, 1, 1]), torch.randn(4, 3)
    logits, numbers = classify(x)[0], regress(x)[0]
    expected = functional.cross_entropy(logits, classes)
    torch.testing.assert_close(classify.loss(logits, classes), expected)
    expected = functional.mse_loss(numbers, values)
    torch.testing.assert_close(regress.loss(numbers, values), expected)
    torch.testing.assert_close(classify.probabilities(logits), logits.softmax(-1))
    assert torch.equal(classify.choose(logits), logits.argmax(-1))
    assert torch.equal(regress.choose(numbers), numbers)


def test_only_symbols_have_probabilities() -> None:
    model = ManyToOne(CELLS["gru"], Vectors(2), 4, Vectors(3))
    with pytest.raises(TypeError, match="probabilities"):
        model.probabilities(torch.zeros(1, 3))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(TypeError, match="no batch_first"):
        ManyToOne(CELLS["gru"], Vectors(2), 4, Vectors(3), batch_first=True)
    with pytest.raises(ValueError, match="count has to be at least 1, got 0"):
        Symbols(0)
    with pytest.raises(ValueError, match="embedding has to be at least 1, got 0"):
        Symbols(3, 0)
    with pytest.raises(ValueError, match="size has to be at least 1, got -1"):
        Vectors(-1)


@pytest.mark.slow
def test_it_learns_which_symbol_came_first() -> None:
    model = ManyToOne(CELLS["gru"], Symbols(4), 16, Symbols(4))
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(80):
        x = torch.randint(4, (6, 32))
        optimizer.zero_grad()
        model.loss(model(x)[0], x[0]).backward()
        optimizer.step()
    x = torch.randint(4, (6, 200))
    assert (model.choose(model(x)[0]) == x[0]).double().mean() > 0.95


def test_embedding_and_readout_follow_device_and_dtype() -> None:
    model = ManyToOne(CELLS["gru"], Symbols(4), 16, Symbols(4), dtype=torch.float32, device="meta")
    assert {(p.dtype, p.device.type) for p in model.parameters()} == {(torch.float32, "meta")}
