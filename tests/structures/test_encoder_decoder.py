from typing import Any

import pytest
import torch

from unrolled.cells import CELLS
from unrolled.structures import EncoderDecoder, Symbols

from . import loops
from .test_many_to_one import sequences

SOURCES, TARGETS = [5, 0, 7, 1], [2, 4, 0, 6]


def network(cell: str = "gru", **options: Any) -> EncoderDecoder:
    torch.manual_seed(3)
    model = EncoderDecoder(CELLS[cell], Symbols(9, 3), 5, Symbols(6, 4), **options)
    torch.nn.init.normal_(model.first)
    return model


@pytest.mark.parametrize("cell", loops.CELLS)
@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bidirectional": True}])
def test_a_plain_loop_gives_the_same(cell: str, attention: bool, options: dict[str, Any]) -> None:
    model = network(cell, attention=attention, **options)
    sources, targets = sequences(Symbols(9)), sequences(Symbols(6), 6)
    outputs = model(sources, targets, source_lengths=SOURCES, target_lengths=TARGETS)
    for row, target in enumerate(loops.rows(targets, TARGETS)):
        source = sources[: SOURCES[row], row]
        (memory,), (states,) = loops.read(model.encoder, [model.embedding(source)])
        states = states[1::2] if options.get("bidirectional") else states
        steps = [model.first, *model.previous(target[:-1])][: len(target)]
        read = torch.stack(steps) if steps else torch.zeros(0, 4)
        (expected,), _ = loops.read(model.decoder, [read], [states])
        if model.attention is not None and len(target):
            looked = [loops.attend(model.attention, query, memory) for query in expected]
            expected = torch.stack(looked)
        expected = expected @ model.readout.weight.t() + model.readout.bias
        torch.testing.assert_close(outputs[: len(target), row], expected)
        assert not outputs[len(target) :, row].any()


@pytest.mark.parametrize("attention", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_nothing(attention: bool, bidirectional: bool) -> None:
    model = network("lstm", attention=attention, bidirectional=bidirectional)
    sources, targets = sequences(Symbols(9)), sequences(Symbols(6), 6)
    outputs = model(sources, targets, source_lengths=SOURCES, target_lengths=TARGETS)
    written = model.beam(sources, 4, end=0, source_lengths=SOURCES)
    more = torch.full((3, 4), 77)
    for row in range(4):
        sources[SOURCES[row] :, row] = targets[TARGETS[row] :, row] = -1
    sources, targets = torch.cat([sources, more]), torch.cat([targets, more])
    padded = model(sources, targets, source_lengths=SOURCES, target_lengths=TARGETS)
    torch.testing.assert_close(padded[:6], outputs)
    torch.testing.assert_close(model.beam(sources, 4, end=0, source_lengths=SOURCES), written)


@pytest.mark.parametrize("cell", loops.SEVERAL)
def test_steps_with_explicit_states_give_what_teaching_gives(cell: str) -> None:
    model = network(cell, attention=True, bidirectional=True, num_layers=2)
    sources, targets = sequences(Symbols(9)), sequences(Symbols(6), 5)
    taught = model(sources, targets, source_lengths=SOURCES)
    outputs, carried = model.begin(sources, SOURCES)
    steps = [outputs]
    for written in targets[:-1]:
        outputs, carried = model.step(written, carried)
        steps.append(outputs)
    torch.testing.assert_close(torch.stack(steps), taught)


def test_weights_of_attention_are_shares_of_what_there_is() -> None:
    model = network(attention=True)
    _, carried = model.begin(sequences(Symbols(9)), SOURCES)
    assert carried.weights is not None
    for row, length in enumerate(SOURCES):
        weights = carried.weights[row]
        assert not weights[length:].any()
        torch.testing.assert_close(weights.sum(), torch.tensor(float(length > 0)))


@pytest.mark.slow
def test_it_learns_to_reverse() -> None:
    torch.manual_seed(0)
    model = EncoderDecoder(CELLS["gru"], Symbols(5), 32, Symbols(6), attention=True)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        sources = torch.randint(5, (4, 64))
        targets = torch.cat([sources.flip(0), torch.full((1, 64), 5)])
        optimizer.zero_grad()
        model.loss(model(sources, targets), targets).backward()
        optimizer.step()
    sources = torch.randint(5, (4, 100))
    written = model.greedy(sources, 6, end=5)
    right = [
        written.lengths[row] == 4 and torch.equal(written.symbols[:4, row], sources[:, row].flip(0))
        for row in range(100)
    ]
    assert sum(right) > 90
