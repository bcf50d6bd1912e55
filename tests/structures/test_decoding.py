import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.cells import CELLS
from unrolled.structures import EncoderDecoder, OneToMany, Symbols, Vectors

STEPS, V = 3, 3


def network(seed: int) -> OneToMany:
    torch.manual_seed(seed)
    model = OneToMany(CELLS["gru"], Vectors(2), 6, Symbols(V))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)  # far from uniform
    return model


def score(model: OneToMany, start: torch.Tensor, symbols: tuple[int, ...]) -> float:
    targets = torch.tensor(symbols)[:, None]
    logits = model(start, targets).log_softmax(-1)
    return logits.gather(2, targets[..., None]).sum().item()


def sentences(end: int | None) -> list[tuple[int, ...]]:
    """All that can be written in so many steps, the end symbol included."""
    found = {
        row[: row.index(end) + 1] if end in row else row
        for row in itertools.product(range(V), repeat=STEPS)
    }
    return sorted(found)


@settings(max_examples=10)
@given(
    seed=st.integers(0, 999),
    end=st.sampled_from([None, 0]),
    normalise=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_a_beam_wide_enough_finds_the_best_of_all(
    seed: int, end: int | None, normalise: float
) -> None:
    model = network(seed)
    start = torch.randn(2, 2)
    written = model.beam(start, STEPS, end, width=V**STEPS, normalise=normalise)
    for row in range(2):
        scores = {s: score(model, start[row : row + 1], s) for s in sentences(end)}
        best = max(scores, key=lambda s: scores[s] / len(s) ** normalise)
        length = len(best) - (best[-1] == end)
        assert written.lengths[row] == length
        assert written.symbols[:length, row].tolist() == list(best[:length])
        assert written.scores[row].item() == pytest.approx(scores[best], abs=1e-9)


@settings(max_examples=10)
@given(seed=st.integers(0, 999), end=st.sampled_from([None, 0]))
def test_a_beam_of_one_is_greedy(seed: int, end: int | None) -> None:
    model = network(seed)
    start = torch.randn(5, 2)
    greedy, beam = model.greedy(start, 6, end), model.beam(start, 6, end, width=1)
    torch.testing.assert_close(beam, greedy)


@settings(max_examples=10)
@given(seed=st.integers(0, 999), width=st.integers(1, 5))
def test_rows_do_not_touch_each_other(seed: int, width: int) -> None:
    model = network(seed)
    start = torch.randn(4, 2)
    together = model.beam(start, 5, 0, width=width)
    for row in range(4):
        alone = model.beam(start[row : row + 1], 5, 0, width=width)
        assert together.lengths[row] == alone.lengths[0]
        length = int(alone.lengths[0])
        assert torch.equal(together.symbols[:length, row], alone.symbols[:, 0])
        torch.testing.assert_close(together.scores[row], alone.scores[0])


@settings(max_examples=10)
@given(seed=st.integers(0, 999), end=st.sampled_from([None, 1]))
def test_scores_are_those_of_teaching(seed: int, end: int | None) -> None:
    model = network(seed)
    start = torch.randn(3, 2)
    generator = torch.Generator().manual_seed(seed)
    for written in (
        model.greedy(start, STEPS, end),
        model.sample(start, STEPS, end, generator=generator),
        model.beam(start, STEPS, end, width=2),
    ):
        for row in range(3):
            length = int(written.lengths[row])
            symbols = written.symbols[:length, row].tolist() + [end] * (length < STEPS)
            expected = score(model, start[row : row + 1], tuple(symbols))
            assert written.scores[row].item() == pytest.approx(expected, abs=1e-9)


def test_what_is_drawn_has_the_chances_of_the_model() -> None:
    model = network(1)
    start = torch.randn(1, 2).expand(4000, 2)
    chances = model.begin(start[:1])[0].softmax(-1)[0]
    drawn = model.sample(start, 1, generator=torch.Generator().manual_seed(0)).symbols[0]
    shares = torch.bincount(drawn, minlength=V) / 4000
    torch.testing.assert_close(shares, chances.detach(), atol=0.03, rtol=0)


def test_a_low_temperature_is_greedy() -> None:
    model = network(2)
    start = torch.randn(5, 2)
    cold = model.sample(start, 5, 0, temperature=1e-300)
    torch.testing.assert_close(cold, model.greedy(start, 5, 0))


def test_a_beam_carries_the_memory_of_its_rows() -> None:
    torch.manual_seed(0)
    model = EncoderDecoder(CELLS["lstm"], Symbols(5), 6, Symbols(4), attention=True)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    sources, lengths = torch.randint(5, (6, 3)), [6, 2, 4]
    together = model.beam(sources, 5, 0, lengths, width=3)
    for row, length in enumerate(lengths):
        alone = model.beam(sources[:length, row : row + 1], 5, 0, width=3)
        torch.testing.assert_close(together.scores[row], alone.scores[0])
        written = int(alone.lengths[0])
        assert torch.equal(together.symbols[:written, row], alone.symbols[:, 0])
