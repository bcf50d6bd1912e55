import itertools
import math
from pathlib import Path

import pytest
import torch

from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.model import CharacterModel
from unrolled.apps.train.sample import sample
from unrolled.errors import UserError


@pytest.fixture
def model(trained: Path) -> CharacterModel:
    return checkpoints.load(trained).model()


@pytest.fixture
def vocabulary(trained: Path) -> str:
    return checkpoints.load(trained).vocabulary


def test_the_seed_decides(model: CharacterModel, vocabulary: str) -> None:
    def write(seed: int) -> str:
        return "".join(sample(model, vocabulary, "the ", 60, 1.0, seed))

    assert write(0) == write(0) != write(1)
    assert len(write(0)) == 60
    assert set(write(0)) <= set(vocabulary)


def test_temperature_zero_takes_the_likeliest(model: CharacterModel, vocabulary: str) -> None:
    written = "".join(sample(model, vocabulary, "fox", 8, temperature=0))
    ids = torch.tensor([[vocabulary.index(each)] for each in "fox" + written])
    with torch.no_grad():
        logits, _ = model(ids)
    expected = "".join(vocabulary[i] for i in logits[2:-1, 0].argmax(-1))
    assert written == expected
    for cold in (5e-324, 1e-300, 1e-9):
        assert "".join(sample(model, vocabulary, "fox", 8, cold)) == written


def test_a_higher_temperature_is_more_varied(model: CharacterModel, vocabulary: str) -> None:
    cold, hot = (
        len(set(sample(model, vocabulary, "", 200, temperature))) for temperature in (0.01, 1e30)
    )
    assert cold < hot


def test_characters_come_one_at_a_time(model: CharacterModel, vocabulary: str) -> None:
    endless = sample(model, vocabulary, "", 10**12)
    assert len(list(itertools.islice(endless, 3))) == 3
    assert list(sample(model, vocabulary, "", 0)) == []


def test_an_empty_prompt_needs_no_newline(model: CharacterModel, vocabulary: str) -> None:
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
    model: CharacterModel, vocabulary: str, arguments: dict[str, float], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        sample(model, vocabulary, **arguments)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_scores_that_are_not_finite_are_named(
    model: CharacterModel, vocabulary: str, temperature: float
) -> None:
    with torch.no_grad():
        model.readout.weight.fill_(3e38)
        model.readout.bias.fill_(torch.inf)
    with pytest.raises(UserError, match="scores are not finite"):
        list(sample(model, vocabulary, "the", 3, temperature))
