import math

import pytest
import torch
from torch.nn import functional

from unrolled.apps.train import evaluation
from unrolled.apps.train.evaluation import held_out_bits
from unrolled.apps.train.model import CharacterModel
from unrolled.apps.train.text import Corpus
from unrolled.cells import CELLS, find

WORDS = "to be or not to be, that is the question. " * 8


def in_one_piece(model: CharacterModel, corpus: Corpus) -> float:
    """The definition: read the whole text, count the predictions of the held-out part."""
    logits, _ = model.eval()(corpus.ids[:-1, None])
    predictions = logits[corpus.start - 1 :, 0]
    return functional.cross_entropy(predictions, corpus.held_out.long()).item() / math.log(2)


@pytest.mark.parametrize("held_out", [0.02, 0.3, 0.9])
def test_one_stream_equals_the_definition(held_out: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "WARM_UP", 10_000)
    monkeypatch.setattr(evaluation, "CHUNK", 17)
    corpus = Corpus.of(WORDS, held_out)
    model = CharacterModel(find("lstm"), len(corpus.vocabulary), hidden=8)
    with torch.no_grad():
        expected = in_one_piece(model, corpus)
    assert held_out_bits(model, corpus) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("stream", [1, 7, 20])
def test_streams_count_every_symbol_once(stream: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "STREAM", stream)
    monkeypatch.setattr(evaluation, "WARM_UP", 60)
    corpus = Corpus.of(WORDS, 0.3)
    model = CharacterModel(find("lstm"), len(corpus.vocabulary), hidden=8)
    with torch.no_grad():
        expected = in_one_piece(model, corpus)
    # An untrained LSTM forgets by half a step, so 60 steps of warm-up are as good as all.
    assert held_out_bits(model, corpus) == pytest.approx(expected, rel=1e-5)


def test_the_shortest_parts_can_be_evaluated() -> None:
    corpus = Corpus.of("ab", 0.5)
    model = CharacterModel(CELLS["lstm"], 2, hidden=4)
    assert 0 < held_out_bits(model, corpus) < 4


def test_the_mode_is_left_as_it_was_and_dropout_is_off() -> None:
    corpus = Corpus.of(WORDS, 0.3)
    model = CharacterModel(find("lstm"), len(corpus.vocabulary), hidden=8, dropout=0.5)
    assert held_out_bits(model, corpus) == held_out_bits(model, corpus)
    assert model.training
