import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.apps.train.batch import Shard
from unrolled.apps.train.series.command import Choice
from unrolled.apps.train.series.season import season, trending
from unrolled.apps.train.series.task import Cut, Forecast, open_task
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.table.builtin import co2
from unrolled.apps.train.table.memory import memory_table
from unrolled.cells import find
from unrolled.errors import UserError

SETTINGS = Settings(hidden=8, batch=6, held_out=0.3)


def series(values: numpy.ndarray, **options: object) -> Forecast:
    table = memory_table("rows", ["y"], [[float(value)] for value in values])
    return open_task(SETTINGS, table, Choice(**options))


def noise(count: int = 100) -> numpy.ndarray:
    return numpy.random.default_rng(0).normal(size=count)


@given(count=st.integers(20, 500), held_out=st.floats(0.1, 0.6), horizon=st.integers(1, 5))
def test_parts_follow_each_other(count: int, held_out: float, horizon: int) -> None:
    held = round(count * held_out)
    if held // 2 < horizon or count - held < horizon + 2:
        with pytest.raises(UserError, match=f"at least --horizon {horizon}"):
            Cut.at(count, held_out, horizon, "rows")
        return
    cut = Cut.at(count, held_out, horizon, "rows")
    assert 0 < cut.validation < cut.test < count
    assert min(cut.validation, cut.test - cut.validation, count - cut.test) >= horizon


@pytest.mark.parametrize("relative", [True, False])
def test_nothing_of_the_future_is_read(relative: bool) -> None:
    values = noise()
    learned = series(values, horizon=3, window=5, season=4, relative=relative)
    last = max(int(learned._order.rows(step).max()) + 5 + 3 for step in range(30))
    assert last == learned.cuts[0].validation == 70
    changed = values.copy()
    changed[70:] = 1e6  # what is held out changes neither scale nor batches
    other = series(changed, horizon=3, window=5, season=4, relative=relative)
    assert other.problem == learned.problem
    for step in range(5):
        ours, theirs = (each.batch(step, Shard()) for each in (learned, other))
        assert torch.equal(ours.inputs[0], theirs.inputs[0])
        assert torch.equal(ours.targets[0], theirs.targets[0])


@pytest.mark.parametrize("relative", [True, False])
def test_targets_come_back_in_their_own_units(relative: bool) -> None:
    values = 100 + 7 * noise()
    learned = series(values, horizon=3, window=5, season=4, relative=relative)
    origins = numpy.array([10, 50, 97])
    inputs, targets, windows = learned._at(origins)
    expected = numpy.stack([values[origin : origin + 3] for origin in origins])
    numpy.testing.assert_allclose(
        learned.problem.decode(targets, windows, learned.which(origins)), expected, rtol=1e-6
    )
    for row, origin in enumerate(origins):
        numpy.testing.assert_allclose(windows[:, row, 0], values[origin - 5 : origin])
    if relative:
        assert not inputs[-1].any()


def test_a_relative_model_does_not_see_the_level() -> None:
    values = noise()
    low = series(values, horizon=2, window=5, season=4, relative=True)
    high = series(values + 1000, horizon=2, window=5, season=4, relative=True)
    for step in range(3):
        ours, theirs = low.batch(step, Shard()), high.batch(step, Shard())
        torch.testing.assert_close(ours.inputs[0], theirs.inputs[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(ours.targets[0], theirs.targets[0], atol=1e-5, rtol=0)


def test_evaluation_goes_through_every_place_of_the_part() -> None:
    values = noise()
    learned = series(values, horizon=3, window=5, season=4)
    model = learned.problem.model(SETTINGS, find("gru"))
    measured, errors = learned.evaluate(model), []
    for origin in range(70, 85 - 3 + 1):
        window = (values[origin - 5 : origin] - learned.problem.mean[0]) / learned.problem.scale[0]
        output, _ = model(torch.tensor(window).float()[:, None, None])
        found = output[0].detach().numpy() * learned.problem.scale[0] + learned.problem.mean[0]
        errors.append(numpy.abs(found - values[origin : origin + 3]))
    assert measured["MAE"] == pytest.approx(numpy.mean(errors), rel=1e-4)
    assert measured["RMSE"] == pytest.approx(numpy.sqrt(numpy.mean(numpy.square(errors))), rel=1e-4)
    assert measured["loss"] == pytest.approx(
        numpy.mean(numpy.square(errors)) / learned.problem.scale[0] ** 2, rel=1e-4
    )


def test_naive_forecasts_and_mase_are_those_of_the_definition() -> None:
    values = noise()
    learned = series(values, horizon=3, window=5, season=4)
    verdict = learned.test_metrics(learned.problem.model(SETTINGS, find("gru")), "this")
    origins = range(85, 98)
    seasonal = [[values[t - 4 + k] for k in range(3)] for t in origins]
    truth = numpy.array([values[t : t + 3] for t in origins])
    mae = numpy.abs(seasonal - truth).mean()
    unit = numpy.abs(values[4:70] - values[:66]).mean()
    found = verdict.rows["seasonal naive (4)"]
    assert found[0] == pytest.approx(mae)
    assert found[2] == pytest.approx(mae / unit)
    last = numpy.abs(values[numpy.array(origins) - 1][:, None] - truth).mean()
    assert verdict.rows["last value"][0] == pytest.approx(last)


def test_a_series_that_never_changes_can_be_learned() -> None:
    learned = series(numpy.full(60, 3.0))
    assert learned.problem.scale == (1.0,)
    assert learned.problem.season == 1
    verdict = learned.test_metrics(learned.problem.model(SETTINGS, find("gru")), "this")
    assert verdict.rows["last value"][:2] == (0.0, 0.0)
    assert verdict.rows["last value"][2] is None


@pytest.mark.parametrize("period", [4, 7, 12, 24])
@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_seasons_are_found_under_noise_and_trend(period: int, slope: float) -> None:
    time = numpy.arange(20 * period)
    wave = numpy.sin(2 * numpy.pi * time / period)
    assert season(wave + slope * time + 0.1 * noise(len(time))) == period


def test_noise_has_no_season() -> None:
    assert season(noise(1000)) == 1
    assert not trending(noise(1000))


def test_co2_has_a_year_and_a_trend() -> None:
    values = numpy.array([float(record.values[1] or 0) for record in co2()])
    assert (season(values), trending(values)) == (12, True)


def test_a_model_that_is_worse_says_why_and_what_to_try() -> None:
    learned = series(numpy.cumsum(noise(200)), horizon=4, window=5, season=1, relative=False)
    model = learned.problem.model(SETTINGS, find("gru"))
    with torch.no_grad():
        model.readout.bias.fill_(9.0)
    notes = learned.test_metrics(model, "this").notes
    assert "times that of the best naive forecast, last value" in notes[0]
    assert notes[1] == (
        "where changes are random, no forecast is better than the last value; else try, one at a "
        "time: --steps 6000, --window 10, --relative, --horizon 2, or columns that tell more by "
        "--also and --known"
    )
