"""Units that track a feature, and features that none tracks."""

import json

import pytest
import torch
from torch import Tensor

import unrolled
from unrolled import features


def smooth(steps: int, *more: int, seed: int = 0) -> Tensor:
    """Noise that changes slowly, as states do."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(steps + 40, *more, generator=generator)
    window = torch.hann_window(40)
    return torch.stack([(noise[t : t + 40].movedim(0, -1) * window).sum(-1) for t in range(steps)])


def planted(steps: int = 600, rows: int = 2) -> tuple[dict[str, Tensor], Tensor]:
    """Values of which unit 3 of l0.h rises with a 0/1 feature, and unit 1 of l0.c falls."""
    feature = (smooth(steps, rows, seed=1) > 0).float()
    h, c = smooth(steps, rows, 6, seed=2), smooth(steps, rows, 4, seed=3)
    h[:, :, 3] = 3 * feature + 0.1 * h[:, :, 3]
    c[:, :, 1] = -2 * feature + 0.1 * c[:, :, 1]
    return {"l0.h": h, "l0.c": c}, feature


def test_planted_units_are_found() -> None:
    values, feature = planted()
    search = unrolled.find_units(values, feature)
    assert {(unit.name, unit.unit) for unit in search.found} == {("l0.h", 3), ("l0.c", 1)}
    best = {unit.name: unit for unit in search[:2]}
    assert best["l0.h"].rising
    assert not best["l0.c"].rising
    assert all(unit.score > 0.9 and unit.p < 0.01 for unit in search[:2])
    assert all(unit.auc > 0.95 and unit.accuracy > 0.9 for unit in search[:2])  # pyright: ignore
    assert best["l0.h"].threshold == pytest.approx(1.5, abs=0.5)
    assert len(search) == 10
    assert "2 of 10 units track the feature" in str(search)
    json.dumps(search.to_json())
    assert repr(search) == "UnitSearch(2 of 10 units)"


def test_the_score_is_the_correlation_on_held_out_steps() -> None:
    values, _ = planted()
    feature = smooth(600, 2, seed=9)
    search = unrolled.find_units(values, feature, split=0.6)
    for unit in search:
        late = values[unit.name][360:, :, unit.unit].flatten()
        pair = torch.stack([late, feature[360:].flatten()]).double()
        expected = torch.corrcoef(pair)[0, 1].item() * (1 if unit.rising else -1)
        assert unit.score == pytest.approx(expected, abs=1e-6)
    assert search[0].auc is None


@pytest.mark.broad
@pytest.mark.parametrize("binary", [False, True])
def test_chance_is_rarely_reported(binary: bool) -> None:
    wrong = 0
    for seed in range(40):
        values = {"h": smooth(600, 1, 12, seed=100 + seed)}
        feature = smooth(600, 1, seed=seed)
        search = unrolled.find_units(values, (feature > 0) if binary else feature, seed=seed)
        wrong += bool(search.found)
    assert wrong <= 6  # 2 expected


def test_a_unit_that_fits_the_first_part_alone_is_not_found() -> None:
    feature = smooth(400, 1, seed=1)
    h = smooth(400, 1, 5, seed=2)
    h[:200, :, 2] = feature[:200]
    assert not unrolled.find_units({"h": h}, feature).found


def test_recordings_ragged_and_batch_first() -> None:
    torch.manual_seed(0)
    rnn = unrolled.RNN(1, 6, batch_first=True)
    x = (torch.rand(3, 300, 1) < 0.5).float()
    with unrolled.record(rnn, "*.h") as recording:
        rnn(x, lengths=[300, 200, 120])
    feature = x.squeeze(-1).T.clone()
    feature[120:, 2] = 7  # beyond the row's end: not looked at, though finite
    search = unrolled.find_units(recording, feature)
    assert search.found
    with unrolled.record(rnn, "*.h") as recording:
        rnn(x[:1])
    assert unrolled.find_units(recording, x[0, :, 0] > 0).found


def test_units_that_never_change_score_nothing() -> None:
    values, feature = planted()
    values["l0.h"][:, :, 0] = 0.3
    scores = {(u.name, u.unit): u for u in unrolled.find_units(values, feature)}
    assert scores["l0.h", 0].score == 0
    assert scores["l0.h", 0].p == 1


def test_features_that_cannot_be() -> None:
    values, feature = planted()
    with pytest.raises(ValueError, match=r"steps and rows, \(600, 2\), got \(599, 2\)"):
        unrolled.find_units(values, feature[:-1])
    with pytest.raises(ValueError, match=r"\(600, 2\), got \(600,\)"):
        unrolled.find_units(values, feature[:, 0])
    with pytest.raises(ValueError, match=r"\(600,\) or \(600, 1\), got \(5,\)"):
        unrolled.find_units({"h": values["l0.h"][:, 0]}, feature[:5, 0])
    with pytest.raises(ValueError, match="NaN"):
        unrolled.find_units(values, feature.where(feature > 0, torch.nan))
    with pytest.raises(ValueError, match="constant in the second part"):
        unrolled.find_units(values, torch.cat([feature[:300], 0 * feature[300:]]))
    with pytest.raises(ValueError, match="record a longer sequence"):
        unrolled.find_units({"h": values["l0.h"][:30, :1]}, torch.arange(30.0))
    with pytest.raises(ValueError, match="split should be between 0 and 1, got 1"):
        unrolled.find_units(values, feature, split=1)
    with pytest.raises(ValueError, match="values of different steps"):
        unrolled.find_units({"a": values["l0.h"], "b": values["l0.h"][1:]}, feature)
    with pytest.raises(TypeError, match=r"the feature should be numbers, .*, got str"):
        unrolled.find_units(values, "quotes")
    with pytest.raises(ValueError, match="the recording is empty"):
        unrolled.find_units({}, feature)
    with pytest.raises(ValueError, match=r"h should be \(T, B, units\)"):
        unrolled.find_units({"h": torch.zeros(3)}, feature)


def test_features_of_text() -> None:
    text = 'x = "a b"\nif y: z'
    quotes = features.inside_quotes(text).int().tolist()
    assert [c for c, inside in zip(text, quotes, strict=True) if inside] == list('"a b')
    assert features.position_in_line("ab\n\ncd").tolist() == [1, 2, 0, 0, 1, 2]
    assert features.after("def f: g", "def", until=":").tolist() == [0, 0, 1, 1, 1, 0, 0, 0]
    for call in (
        lambda: features.inside_quotes(""),
        lambda: features.inside_quotes("a", '""'),
        lambda: features.after("a", ""),
    ):
        with pytest.raises(ValueError, match=r"empty|should be"):
            call()
