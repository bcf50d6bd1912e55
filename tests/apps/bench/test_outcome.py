import pytest
import torch

from unrolled.apps.bench import outcome as outcomes
from unrolled.apps.bench.layers import Inference
from unrolled.apps.bench.outcome import outcome

from .fakes import SMALL, Fake, Stranger, timed


def test_a_row_is_timed_when_everybody_is_right() -> None:
    found = outcome(Fake("1", SMALL), (), 0.0)
    assert found.wrong is None
    assert list(found.times) == ["ours", "theirs"]
    assert len(found.times["ours"]) == len(found.times["theirs"]) >= 3


def test_a_row_is_not_timed_when_somebody_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "measure", lambda *_: pytest.fail("was timed"))
    found = outcome(Fake("1.5", SMALL), (), 0.0)
    assert found.wrong is not None
    assert found.wrong.startswith("theirs: output")
    assert not found.times


@pytest.mark.parametrize("value", [lambda x: x + 1e-3, lambda x: x * torch.nan])
def test_a_rival_with_wrong_numbers_stops_the_row(value) -> None:
    found = outcome(Inference("gru", SMALL), [Stranger(value)], 0.0)
    assert found.wrong is not None
    assert found.wrong.startswith("Stranger: output is off by")


def test_a_rival_with_right_numbers_takes_part() -> None:
    found = outcome(Inference("gru", SMALL), [Stranger(lambda x: x)], 0.0)
    assert found.wrong is None
    assert list(found.ratios) == ["torch.nn", "Stranger"]


def test_a_rival_that_cannot_be_made_ready_stops_the_row() -> None:
    found = outcome(Inference("lstm", SMALL), [Stranger(lambda x: x)], 0.0)  # needs two states
    assert found.wrong is not None
    assert found.wrong.startswith("Stranger: ")
    assert not found.times


def test_ratios_come_from_the_raw_times_round_by_round() -> None:
    found = timed([1.0, 2.0, 4.0, 1.0, 1.0], [3.0, 2.0, 8.0, 5.0, 4.0])
    assert found.seconds == 1.0
    assert found.gflops == 1000 / 1.0 / 1e9
    assert found.ratios["torch.nn"] == (3.0, 2.0, 4.0)  # of 3, 1, 2, 5, 4


def test_different_work_is_compared_per_operation() -> None:
    found = timed([3.0] * 3, [2.0] * 3, flops=(3000, 1000))
    assert found.ratios["torch.nn"].median == 2.0
