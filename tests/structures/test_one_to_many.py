import pytest
import torch
from torch import Tensor

from unrolled.cells import CELLS
from unrolled.structures import Kind, OneToMany, Symbols, Vectors

from . import loops
from .test_many_to_one import LENGTHS, sequences


def start(kind: Kind, batch: int = 4) -> Tensor:
    return sequences(kind, 1, batch)[0]


@pytest.mark.parametrize("cell", loops.CELLS)
@pytest.mark.parametrize("reads", [Symbols(9, 3), Vectors(3)])
@pytest.mark.parametrize("writes", [Symbols(6, 3), Vectors(2)])
def test_a_plain_loop_gives_the_same(cell: str, reads: Kind, writes: Kind) -> None:
    model = OneToMany(CELLS[cell], reads, 5, writes, num_layers=2)
    begin, targets = start(reads), sequences(writes)
    outputs = model(begin, targets, lengths=LENGTHS)
    for row, target in enumerate(loops.rows(targets, LENGTHS)):
        steps = [model.opening(begin[row]), *model.previous(target[:-1])][: len(target)]
        read = torch.stack(steps) if steps else torch.zeros(0, writes.width)
        (expected,), _ = loops.read(model.decoder, [read])
        expected = expected @ model.readout.weight.t() + model.readout.bias
        torch.testing.assert_close(outputs[: len(target), row], expected)
        assert not outputs[len(target) :, row].any()


def test_padding_of_targets_changes_nothing() -> None:
    model = OneToMany(CELLS["lstm"], Vectors(3), 5, Symbols(6))
    begin, targets = start(Vectors(3)), sequences(Symbols(6))
    outputs = model(begin, targets, lengths=LENGTHS)
    loss = model.loss(outputs, targets, LENGTHS)
    for row, length in enumerate(LENGTHS):
        targets[length:, row] = -100
    again = model(begin, targets, lengths=LENGTHS)
    assert torch.equal(again, outputs)
    assert torch.equal(model.loss(again, targets, LENGTHS), loss)


@pytest.mark.parametrize("cell", loops.SEVERAL)
def test_steps_with_explicit_states_give_what_teaching_gives(cell: str) -> None:
    model = OneToMany(CELLS[cell], Vectors(3), 6, Symbols(6), num_layers=2)
    begin, targets = start(Vectors(3)), sequences(Symbols(6))
    taught = model(begin, targets)
    outputs, carried = model.begin(begin)
    steps = [outputs]
    for written in targets[:-1]:
        outputs, carried = model.step(written, carried)
        steps.append(outputs)
    torch.testing.assert_close(torch.stack(steps), taught)


def test_rolled_vectors_are_read_back() -> None:
    model = OneToMany(CELLS["gru"], Vectors(3), 5, Vectors(2))
    begin = start(Vectors(3))
    rolled = model.roll(begin, 6)
    torch.testing.assert_close(model(begin, rolled).detach(), rolled)


@pytest.mark.slow
def test_it_learns_to_spell() -> None:
    words = torch.tensor([[1, 2, 3, 0], [3, 1, 0, 0], [2, 2, 2, 0]]).t()
    model = OneToMany(CELLS["gru"], Symbols(3), 16, Symbols(4))
    optimizer = torch.optim.Adam(model.parameters(), 0.03)
    for _ in range(60):
        optimizer.zero_grad()
        outputs = model(torch.arange(3), words, lengths=[4, 3, 4])
        model.loss(outputs, words, [4, 3, 4]).backward()
        optimizer.step()
    written = model.greedy(torch.arange(3), steps=9, end=0)
    assert written.lengths.tolist() == [3, 2, 3]
    assert written.symbols.tolist() == words[:3].tolist()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be bidirectional"):
        OneToMany(CELLS["gru"], Vectors(2), 4, Vectors(3), bidirectional=True)
    with pytest.raises(TypeError, match="no batch_first"):
        OneToMany(CELLS["gru"], Vectors(2), 4, Vectors(3), batch_first=True)
    numbers = OneToMany(CELLS["gru"], Vectors(2), 4, Vectors(3))
    letters = OneToMany(CELLS["gru"], Vectors(2), 4, Symbols(3))
    for method in (numbers.greedy, numbers.sample, numbers.beam):
        with pytest.raises(TypeError, match="only symbols have it"):
            method(torch.randn(1, 2), 3)
    with pytest.raises(TypeError, match="this structure writes symbols"):
        letters.roll(torch.randn(1, 2), 3)
    with pytest.raises(ValueError, match="it takes no source_lengths"):
        letters.greedy(torch.randn(1, 2), 3, source_lengths=[1])
    with pytest.raises(ValueError, match="steps has to be at least 1, got 0"):
        letters.greedy(torch.randn(1, 2), 0)
    with pytest.raises(ValueError, match="steps has to be at least 1, got 0"):
        letters.beam(torch.randn(1, 2), 0)
    with pytest.raises(ValueError, match="width has to be at least 1, got 0"):
        letters.beam(torch.randn(1, 2), 3, width=0)
    with pytest.raises(ValueError, match="temperature has to be above 0, got 0"):
        letters.sample(torch.randn(1, 2), 3, temperature=0)
    with pytest.raises(ValueError, match="steps has to be at least 1, got 0"):
        numbers.roll(torch.randn(1, 2), 0)
