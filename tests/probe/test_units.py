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
@pytest.mark.parametrize(("steps", "rows"), [(600, 1), (20, 32)])
def test_chance_is_rarely_reported(steps: int, rows: int, binary: bool) -> None:
    wrong = 0
    for seed in range(40):
        values = {"h": smooth(steps, rows, 12, seed=100 + seed)}
        feature = smooth(steps, rows, seed=seed)
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
    feature = x.squeeze(-1).clone()
    feature[2, 120:] = torch.nan  # beyond the row's end: not looked at
    search = unrolled.find_units(recording, feature)
    assert search.found
    assert search[0].auc is not None
    rows = [feature[0], feature[1, :200], feature[2, :120]]
    assert list(unrolled.find_units(recording, rows)) == list(search)
    assert list(unrolled.find_units(recording, [row.numpy() for row in rows])) == list(search)
    for wrong in (feature.T, rows[:2], [*rows[:2], rows[2][:-1]]):
        with pytest.raises(ValueError, match="find_units: the feature"):
            unrolled.find_units(recording, wrong)
    with pytest.raises(ValueError, match="batch_first= is for tensors"):
        unrolled.find_units(recording, feature, batch_first=True)
    with unrolled.record(rnn, "*.h") as recording:
        rnn(x[:1])
    assert unrolled.find_units(recording, x[0, :, 0] > 0).found


def test_batches_one_after_the_other() -> None:
    torch.manual_seed(0)
    rnn = unrolled.RNN(1, 6, batch_first=True)
    sizes = [(3, 90), (2, 120), (4, 70)]
    given = [(torch.rand(*size, 1) < 0.5).float() for size in sizes]
    with unrolled.record(rnn, "*.h") as recording:
        for x in given:
            rnn(x)
    features_ = [x.squeeze(-1) for x in given]
    search = unrolled.find_units(recording, features_)
    assert search.found
    whole = torch.cat(
        [torch.nn.functional.pad(each, (0, 0, 0, 4 - len(each))) for each in features_], 1
    )
    assert list(unrolled.find_units(recording, whole)) == list(search)
    best = search[0]
    values, taken = recording["l0.h"][..., best.unit], recording.valid["l0"]
    late = [(values[row][t], whole[row][t]) for row, t in enumerate(_late(taken))]
    pair = torch.stack([torch.cat(part) for part in zip(*late, strict=True)]).double()
    correlation = torch.corrcoef(pair)[0, 1].item() * (1 if best.rising else -1)
    assert best.score == pytest.approx(correlation, abs=1e-6)
    with pytest.raises(ValueError, match="for each of 2 calls, but 3 were recorded"):
        unrolled.find_units(recording, features_[1:])
    with pytest.raises(
        ValueError, match=r"the call 1's steps and rows, \(2, 120\), got \(120, 2\)"
    ):
        unrolled.find_units(recording, [features_[0], features_[1].T, features_[2]])


def _late(taken: Tensor) -> list[Tensor]:
    """The second half of each row's steps."""
    places = [each.nonzero().flatten() for each in taken]
    return [each[int(len(each) / 2) :] for each in places]


@pytest.mark.parametrize("batch_first", [False, True])
def test_many_short_rows(batch_first: bool) -> None:
    values, feature = planted(24, 40)
    if batch_first:
        values = {name: value.transpose(0, 1) for name, value in values.items()}
    search = unrolled.find_units(
        values, feature.T if batch_first else feature, batch_first=batch_first
    )
    assert {(unit.name, unit.unit) for unit in search.found[:2]} == {("l0.h", 3), ("l0.c", 1)}
    assert len(search.found) <= 3
    same = {name: value.expand(40, 24, -1) for name, value in {"h": torch.randn(24, 3)}.items()}
    with pytest.raises(ValueError, match="5 rows or more of which the feature differs"):
        unrolled.find_units(same, torch.arange(24.0).expand(40, 24), batch_first=True)


def test_a_loop_over_a_cell_whose_rows_end() -> None:
    torch.manual_seed(0)
    cell, h = unrolled.GRUCell(1, 6), torch.zeros(3, 6)
    x = (torch.rand(200, 3, 1) < 0.5).float()
    with unrolled.record(cell, "*.h") as recording:
        for t in range(200):
            rows = 3 if t < 120 else 2
            h = cell(x[t, :rows], h[:rows])
    search = unrolled.find_units(recording, x.squeeze(-1))
    assert search.found
    rows = [x[:, 0, 0], x[:, 1, 0], x[:120, 2, 0]]
    assert list(unrolled.find_units(recording, rows)) == list(search)


def test_values_that_do_not_go_together() -> None:
    model = torch.nn.ModuleDict(
        {"a": unrolled.GRU(1, 4), "b": unrolled.GRU(1, 4, batch_first=True)}
    )
    x = torch.randn(300, 3, 1)
    with unrolled.record(model, "*.h") as recording:
        model["a"](x)
        model["b"](x.transpose(0, 1))
    with pytest.raises(ValueError, match=r"layouts, .* a\.l0\.h \(T, B\), b\.l0\.h \(B, T\)"):
        unrolled.find_units(recording, x.squeeze(-1))
    with unrolled.record(model, "*.h") as recording:
        model["a"](x)
        model["b"](x.transpose(0, 1), lengths=[300, 200, 100])
    with pytest.raises(ValueError, match="different steps and rows"):
        unrolled.find_units(recording, x.squeeze(-1))


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
    with pytest.raises(TypeError, match="text should be a string, got list: of a batch of texts"):
        features.inside_quotes([text])  # pyright: ignore
    for call in (
        lambda: features.inside_quotes(""),
        lambda: features.inside_quotes("a", '""'),
        lambda: features.after("a", ""),
    ):
        with pytest.raises(ValueError, match=r"empty|should be"):
            call()
