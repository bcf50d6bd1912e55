from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from unrolled.cells import CELLS
from unrolled.structures import Kind, ManyToMany, Symbols, Vectors

from . import loops
from .test_many_to_one import LENGTHS, sequences


@pytest.mark.parametrize("cell", loops.CELLS)
@pytest.mark.parametrize("reads", [Symbols(9, 3), Vectors(3)])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}])
def test_a_plain_loop_gives_the_same(cell: str, reads: Kind, options: dict[str, Any]) -> None:
    model = ManyToMany(CELLS[cell], reads, 5, Symbols(4), **options)
    x = sequences(reads)
    logits, states = model(x, lengths=LENGTHS)
    read = [model.embedding(row) for row in loops.rows(x, LENGTHS)]
    outputs, finals = loops.read(model.recurrent, read)
    for row, output in enumerate(outputs):
        expected = output @ model.readout.weight.t() + model.readout.bias
        torch.testing.assert_close(logits[: len(output), row], expected)
        assert not logits[len(output) :, row].any()
        h = states if isinstance(states, torch.Tensor) else states[0]
        torch.testing.assert_close(h[:, row], torch.stack([last[0] for last in finals[row]]))


@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(0, 6), min_size=1, max_size=4).filter(any),
    bidirectional=st.booleans(),
    seed=st.integers(0, 99),
)
def test_padding_changes_neither_outputs_nor_loss_nor_gradients(
    lengths: list[int], bidirectional: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    model = ManyToMany(CELLS["lstm"], Symbols(5), 4, Symbols(3), bidirectional=bidirectional)
    x, y = torch.randint(5, (8, len(lengths))), torch.randint(3, (8, len(lengths)))
    losses, count = torch.zeros(()), sum(lengths)
    for row, length in enumerate(lengths):
        if length:
            logits = model(x[:length, row : row + 1])[0]
            losses = losses + functional.cross_entropy(
                logits[:, 0], y[:length, row], reduction="sum"
            )
    expected = losses / count
    gradients = torch.autograd.grad(expected, list(model.parameters()))
    for row, length in enumerate(lengths):
        x[length:, row], y[length:, row] = 99, -1
    loss = model.loss(model(x, lengths=lengths)[0], y, lengths)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, list(model.parameters())), gradients)


@pytest.mark.parametrize("cell", loops.SEVERAL)
def test_one_step_at_a_time_with_explicit_states(cell: str) -> None:
    model = ManyToMany(CELLS[cell], Vectors(2), 6, Vectors(3), num_layers=2)
    x = torch.randn(5, 3, 2)
    whole, ends = model(x)
    states, steps = None, []
    for step in x:
        output, states = model(step[None], states)
        steps.append(output)
    torch.testing.assert_close((torch.cat(steps), states), (whole, ends))


def test_a_batch_without_a_single_step_has_no_loss() -> None:
    model = ManyToMany(CELLS["gru"], Vectors(2), 4, Vectors(3))
    outputs, _ = model(torch.randn(3, 2, 2), lengths=[0, 0])
    assert model.loss(outputs, torch.randn(3, 2, 3), [0, 0]).item() == 0


def test_dropout_acts_in_training_alone() -> None:
    model = ManyToMany(CELLS["gru"], Vectors(2), 8, Vectors(3), dropout=0.5)
    x = torch.randn(3, 2, 2)
    assert not torch.equal(model(x)[0], model(x)[0])
    model.eval()
    assert torch.equal(model(x)[0], model(x)[0])


def test_a_bidirectional_network_takes_no_states() -> None:
    model = ManyToMany(CELLS["gru"], Vectors(2), 4, Vectors(3), bidirectional=True)
    _, states = model(torch.randn(3, 2, 2))
    with pytest.raises(ValueError, match="bidirectional network reads whole sequences"):
        model(torch.randn(3, 2, 2), states)
