import json

import pytest
import torch

from unrolled.apps.bench import outcome as outcomes
from unrolled.apps.bench import run as table
from unrolled.apps.bench.machine import machine
from unrolled.apps.bench.outcome import BEST, Timing, means, outcome

from .fakes import SMALL, contender, fake, inference, stranger, timed


def test_a_row_is_timed_when_everybody_is_right() -> None:
    found = outcome(fake("1"), (), 0.0)
    assert found.wrong is None
    assert list(found.times) == ["ours", "theirs"]
    assert len(found.times["ours"]) == len(found.times["theirs"]) >= 3


def test_a_row_is_not_timed_when_somebody_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "measure", lambda *_: pytest.fail("was timed"))
    found = outcome(fake("1.5"), (), 0.0)
    assert found.wrong is not None
    assert found.wrong.startswith("theirs: output")
    assert not found.times


@pytest.mark.parametrize("value", [lambda x: x + 1e-3, lambda x: x * torch.nan])
def test_a_rival_with_wrong_numbers_stops_the_row(value) -> None:
    found = outcome(inference("gru"), [stranger(value)], 0.0)
    assert found.wrong is not None
    assert found.wrong.startswith("Stranger: output is off by")


def test_a_rival_with_right_numbers_takes_part() -> None:
    found = outcome(inference("gru"), [stranger(lambda x: x)], 0.0)
    assert found.wrong is None
    assert list(found.ratios) == ["torch.nn", "Stranger"]


def test_a_rival_that_cannot_be_made_ready_stops_the_row() -> None:
    found = outcome(inference("lstm"), [stranger(lambda x: x)], 0.0)  # needs two states
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


def test_the_machine_is_described() -> None:
    found = machine()
    assert found["processor"]
    assert found["cores"] >= 1
    assert found["vector_bits"] in (128, 256, 512)
    assert {"unrolled", "python", "torch"} <= found["versions"].keys()


def test_rows_as_data() -> None:
    refused = (contender("ours"), contender("theirs"))
    wrong = Timing(fake("2"), refused, {}, "theirs: output is off")
    rows = [timed([1.0, 1.0, 2.0], [2.0, 3.0, 2.0]), wrong]
    data = outcomes.report({"processor": "P"}, {1: 1e-6, 2: 2e-6}, 2, rows)
    data = json.loads(json.dumps(data))
    assert data["machine"] == {"processor": "P"}
    assert data["ceiling_gflops"] == {"1": 1e-6, "2": 2e-6}
    first, second = data["rows"]
    assert first["shape"] == list(SMALL)
    assert first["kind"] == "inference"
    assert first["contenders"] == [
        {"name": "ours", "flops": 1000, "seconds": [1.0, 1.0, 2.0]},
        {"name": "torch.nn", "flops": 1000, "seconds": [2.0, 3.0, 2.0]},
    ]
    assert first["ratios"] == {"torch.nn": {"median": 2.0, "low": 1.5, "high": 2.5}}
    assert first["part_of_ceiling"] == pytest.approx(0.5)
    assert second["wrong"] == "theirs: output is off"
    assert "ratios" not in second
    assert [mean["mean"] for mean in data["means"]] == [2.0]


def test_means_name_the_least_row_and_the_best_rival() -> None:
    outcome = timed([1.0], [4.0])
    rivals = (contender("A"), contender("B"))
    times = {**outcome.times, "A": [3.0], "B": [0.5]}
    several = Timing(outcome.row, (*outcome.contenders, *rivals), times)
    found = {mean.opponent: mean for mean in means([several])}
    assert {name: mean.mean for name, mean in found.items()} == pytest.approx(
        {"torch.nn": 4.0, "A": 3.0, "B": 0.5, BEST: 0.5}
    )
    assert found[BEST].shape == SMALL


def test_lines_fit_a_terminal() -> None:
    names = ["torch.nn", "ONNX Runtime", "OpenVINO", "JAX"]
    all_of_them = [contender("unrolled"), *map(contender, names)]
    times = {each.name: [123.4e-3, 0.05, 0.07] for each in all_of_them}
    outcome = Timing(fake("1", SMALL._replace(T=1000, H=1024)), all_of_them, times)
    for text in (table.head(outcome), table.line(outcome, 1.0), table.summary(means([outcome]))):
        assert max(map(len, text.splitlines())) <= 100
