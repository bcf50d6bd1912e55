import itertools
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train import language
from unrolled.apps.train import language as evaluation
from unrolled.apps.train.batch import Shard, detach
from unrolled.apps.train.language import (
    Characters,
    held_out_bits,
    ngram,
    sample,
    uniform,
)
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.text import Corpus
from unrolled.apps.train.training import Training
from unrolled.cells import CELLS, find
from unrolled.equations import Cell
from unrolled.errors import UserError
from unrolled.structures import ManyToMany

from .conftest import TEXT, TINY, reading


def network(
    cell: Cell, symbols: int, hidden: int, layers: int = 1, dropout: float = 0.0
) -> ManyToMany:
    vocabulary = "".join(map(chr, range(65, 65 + symbols)))
    settings = Settings(hidden=hidden, layers=layers, dropout=dropout)
    return Characters(vocabulary).model(settings, cell)


@pytest.mark.parametrize("name", CELLS)
def test_states_carry_a_text_cut_anywhere(name: str) -> None:
    torch.manual_seed(0)
    model = network(CELLS[name], symbols=7, hidden=6, layers=2)
    ids = torch.randint(7, (9, 3))
    whole, _ = model(ids)
    first, states = model(ids[:4])
    second, _ = model(ids[4:], detach(states))
    assert whole.shape == (9, 3, 7)
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_dropout_acts_in_training_alone() -> None:
    model = network(find("lstm"), symbols=7, hidden=16, layers=1, dropout=0.5)
    ids = torch.randint(7, (5, 2))
    assert not torch.equal(model(ids)[0], model(ids)[0])
    model.eval()
    assert torch.equal(model(ids)[0], model(ids)[0])


def test_detached_states_have_no_history() -> None:
    _, states = network(find("lstm"), symbols=3, hidden=4)(torch.zeros(2, 1).long())
    assert not any(state.requires_grad for state in detach(states))


def test_a_model_beyond_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(language, "ManyToMany", fail)
    with pytest.raises(UserError, match=r"model of --hidden 9 --layers 2: can't allocate memory"):
        Characters("ab").model(Settings(hidden=9, layers=2), find("lstm"))


WORDS = "she sells sea shells by the sea shore; the shells she sells are sea shells, sure! " * 3


def witten_bell(words: str, symbols: int, context: str, symbol: str, order: int) -> float:
    """The recursion as it stands in the docstring, on strings."""
    if order == 0:
        return 1 / symbols
    context = context[len(context) - order + 1 :] if order > 1 else ""
    after = Counter(
        words[i + len(context)]
        for i in range(len(words) - len(context))
        if words.startswith(context, i)
    )
    shorter = witten_bell(words, symbols, context, symbol, order - 1)
    if not after:
        return shorter
    return (after[symbol] + len(after) * shorter) / (after.total() + len(after))


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_ngram_equals_the_recursion(order: int) -> None:
    corpus = Corpus.of(WORDS, 0.2)
    train = WORDS[: corpus.start]
    bits = [
        -math.log2(witten_bell(train, len(corpus.vocabulary), WORDS[:place], WORDS[place], order))
        for place in range(corpus.start, len(WORDS))
    ]
    assert ngram(corpus, order) == pytest.approx(sum(bits) / len(bits))


def test_a_symbol_unseen_in_training_costs_a_finite_number_of_bits() -> None:
    corpus = Corpus.of("a" * 90 + "b" * 10, 0.1)
    assert uniform(corpus) == 1.0
    assert 1 < ngram(corpus, 3) < 20


TWICE = "to be or not to be, that is the question. " * 8


def in_one_piece(model: ManyToMany, corpus: Corpus) -> float:
    """The definition: read the whole text, count the predictions of the held-out part."""
    logits, _ = model.eval()(corpus.ids[:-1, None])
    predictions = logits[corpus.start - 1 :, 0]
    return functional.cross_entropy(predictions, corpus.held_out.long()).item() / math.log(2)


@pytest.mark.parametrize("held_out", [0.02, 0.3, 0.9])
def test_one_stream_equals_the_definition(held_out: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "WARM_UP", 10_000)
    monkeypatch.setattr(evaluation, "CHUNK", 17)
    corpus = Corpus.of(TWICE, held_out)
    model = network(find("lstm"), len(corpus.vocabulary), hidden=8)
    with torch.no_grad():
        expected = in_one_piece(model, corpus)
    assert held_out_bits(model, corpus) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("stream", [1, 7, 20])
def test_streams_count_every_symbol_once(stream: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "STREAM", stream)
    monkeypatch.setattr(evaluation, "WARM_UP", 60)
    corpus = Corpus.of(TWICE, 0.3)
    model = network(find("lstm"), len(corpus.vocabulary), hidden=8)
    with torch.no_grad():
        expected = in_one_piece(model, corpus)
    # An untrained LSTM forgets by half a step, so 60 steps of warm-up are as good as all.
    assert held_out_bits(model, corpus) == pytest.approx(expected, rel=1e-5)


def test_the_shortest_parts_can_be_evaluated() -> None:
    corpus = Corpus.of("ab", 0.5)
    model = network(CELLS["lstm"], 2, hidden=4)
    assert 0 < held_out_bits(model, corpus) < 4


def test_the_mode_is_left_as_it_was_and_dropout_is_off() -> None:
    corpus = Corpus.of(TWICE, 0.3)
    model = network(find("lstm"), len(corpus.vocabulary), hidden=8, dropout=0.5)
    assert held_out_bits(model, corpus) == held_out_bits(model, corpus)
    assert model.training


def test_streams_walk_through_the_whole_training_part() -> None:
    settings = replace(TINY, batch=2, window=3)
    task = reading(settings, "abcdefghijklmnopqrstuvwxyz")
    seen = []
    for step in range(4):
        batch = task.batch(step, Shard())
        (x,), (y,) = batch.inputs, batch.targets
        seen.append(["".join(task.source.vocabulary[i] for i in stream) for stream in x.t()])
        assert torch.equal(y, x.long() + 1)
        assert batch.count == 6
        assert batch.fresh == (step in (0, 3))
    assert seen == [["abc", "jkl"], ["def", "mno"], ["ghi", "pqr"], ["abc", "jkl"]]


def test_shares_make_up_the_batch() -> None:
    task = reading(replace(TINY, batch=6, window=5))
    whole = task.batch(3, Shard())
    parts = [task.batch(3, Shard(index, 3)) for index in range(3)]
    assert all(part.count == whole.count == 30 for part in parts)
    for kind in ("inputs", "targets"):
        (expected,) = getattr(whole, kind)
        assert torch.equal(torch.cat([getattr(part, kind)[0] for part in parts], 1), expected)


def test_states_are_carried_and_start_anew_with_the_text() -> None:
    task = reading(replace(TINY, window=50))
    model = task.problem.model(task.settings, find("lstm"))
    training = Training(task, find("lstm"))
    training.model.load_state_dict(model.state_dict())
    with torch.no_grad():
        first = task.batch(0, Shard())
        carried = task.loss(model, first, None).states
        second = task.batch(1, Shard())
        expected = task.loss(model, second, carried).total.item()
        anew = task.loss(model, second, None).total.item()
    assert [first.fresh, second.fresh, task.batch(2, Shard()).fresh] == [True, False, True]
    task.settings = replace(TINY, window=50, lr=1e-12)  # the weights stay
    training.advance()
    loss = training.advance().loss
    assert loss == pytest.approx(expected / second.count / math.log(2), rel=1e-5)
    assert loss != pytest.approx(anew / second.count / math.log(2), rel=1e-5)


@pytest.mark.parametrize(("batch", "window"), [(4, 108), (108, 4), (433, 1), (2**20, 2**20)])
def test_a_text_shorter_than_a_window_of_every_stream_is_refused(batch: int, window: int) -> None:
    assert len(reading().source) - reading().source.start == len(TEXT) - 432
    with pytest.raises(UserError, match=f"432 characters.*--batch {batch} times --window {window}"):
        reading(replace(TINY, batch=batch, window=window))


def test_the_longest_window_that_fits_is_taken() -> None:
    training = Training(reading(replace(TINY, batch=1, window=431)), find("lstm"))
    assert math.isfinite(training.advance().loss)


def test_an_evaluation_can_be_cut_short() -> None:
    task, short = reading(), reading(replace(TINY, evaluate_at_most=20))
    model = task.problem.model(TINY, find("lstm"))
    exact = reading(replace(TINY, held_out=0.2), TEXT[: short.source.start + 20])
    exact.source = replace(exact.source, start=short.source.start)
    assert short.evaluate(model) != task.evaluate(model)
    assert short.evaluate(model)["loss"] == pytest.approx(exact.evaluate(model)["loss"])


def test_baselines_stand_in_order() -> None:
    assert sorted(reading().baselines().values(), reverse=True) == list(
        reading().baselines().values()
    )
    assert list(reading().baselines())[-1] == "interpolated 5-gram"


@pytest.fixture
def model(trained: Path) -> ManyToMany:
    return checkpoints.load(trained).model()


@pytest.fixture
def vocabulary(trained: Path) -> str:
    return checkpoints.load(trained).vocabulary


def test_the_seed_decides(model: ManyToMany, vocabulary: str) -> None:
    def write(seed: int) -> str:
        return "".join(sample(model, vocabulary, "the ", 60, 1.0, seed))

    assert write(0) == write(0) != write(1)
    assert len(write(0)) == 60
    assert set(write(0)) <= set(vocabulary)


def test_temperature_zero_takes_the_likeliest(model: ManyToMany, vocabulary: str) -> None:
    written = "".join(sample(model, vocabulary, "fox", 8, temperature=0))
    ids = torch.tensor([[vocabulary.index(each)] for each in "fox" + written])
    with torch.no_grad():
        logits, _ = model(ids)
    expected = "".join(vocabulary[i] for i in logits[2:-1, 0].argmax(-1))
    assert written == expected
    for cold in (5e-324, 1e-300, 1e-9):
        assert "".join(sample(model, vocabulary, "fox", 8, cold)) == written


def test_a_higher_temperature_is_more_varied(model: ManyToMany, vocabulary: str) -> None:
    cold, hot = (
        len(set(sample(model, vocabulary, "", 200, temperature))) for temperature in (0.01, 1e30)
    )
    assert cold < hot


def test_characters_come_one_at_a_time(model: ManyToMany, vocabulary: str) -> None:
    endless = sample(model, vocabulary, "", 10**12)
    assert len(list(itertools.islice(endless, 3))) == 3
    assert list(sample(model, vocabulary, "", 0)) == []


def test_an_empty_prompt_needs_no_newline(model: ManyToMany, vocabulary: str) -> None:
    assert "\n" in vocabulary
    assert len(list(sample(model, "".join(map(chr, range(65, 65 + len(vocabulary)))), "", 3))) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"temperature": -0.5}, "--temperature must be at least 0 and finite, not -0.5"),
        ({"temperature": math.nan}, "--temperature .* not nan"),
        ({"temperature": math.inf}, "--temperature .* not inf"),
        ({"length": -1}, "--length must be at least 0, not -1"),
        ({"seed": -1}, "--seed .* not -1"),
        ({"seed": 2**64}, "--seed .* not 18446744073709551616"),
        ({"prompt": "the É"}, "'É' at position 4"),
    ],
)
def test_what_cannot_be_sampled_is_refused_at_the_call(
    model: ManyToMany, vocabulary: str, arguments: dict[str, float], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        sample(model, vocabulary, **arguments)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_scores_that_are_not_finite_are_named(
    model: ManyToMany, vocabulary: str, temperature: float
) -> None:
    with torch.no_grad():
        model.readout.weight.fill_(3e38)
        model.readout.bias.fill_(torch.inf)
    with pytest.raises(UserError, match="scores are not finite"):
        list(sample(model, vocabulary, "the", 3, temperature))
