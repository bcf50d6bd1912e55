import json
from pathlib import Path

import pytest

from unrolled.apps.bench import report, table
from unrolled.apps.bench.machine import machine
from unrolled.apps.bench.outcome import Outcome
from unrolled.apps.bench.summary import BEST, means

from .fakes import SMALL, Fake, contender, timed


def test_the_machine_is_described() -> None:
    found = machine()
    assert found["processor"]
    assert found["cores"] >= 1
    assert found["vector_bits"] in (128, 256, 512)
    assert {"unrolled", "python", "torch"} <= found["versions"].keys()


def test_rows_as_data() -> None:
    refused = (contender("ours"), contender("theirs"))
    wrong = Outcome(Fake("2", SMALL), refused, {}, "theirs: output is off")
    rows = [timed([1.0, 1.0, 2.0], [2.0, 3.0, 2.0]), wrong]
    data = report.report({"processor": "P"}, {1: 1e-6, 2: 2e-6}, 2, rows)
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


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    report.write(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    with pytest.raises(TypeError):
        report.write(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_means_name_the_least_row_and_the_best_rival() -> None:
    outcome = timed([1.0], [4.0])
    rivals = (contender("A"), contender("B"))
    times = {**outcome.times, "A": [3.0], "B": [0.5]}
    several = Outcome(outcome.row, (*outcome.contenders, *rivals), times)
    found = {mean.opponent: mean for mean in means([several])}
    assert {name: mean.mean for name, mean in found.items()} == pytest.approx(
        {"torch.nn": 4.0, "A": 3.0, "B": 0.5, BEST: 0.5}
    )
    assert found[BEST].shape == SMALL


def test_lines_fit_a_terminal() -> None:
    names = ["torch.nn", "ONNX Runtime", "OpenVINO", "JAX"]
    all_of_them = [contender("unrolled"), *map(contender, names)]
    times = {each.name: [123.4e-3, 0.05, 0.07] for each in all_of_them}
    outcome = Outcome(Fake("1", SMALL._replace(T=1000, H=1024)), all_of_them, times)
    for text in (table.head(outcome), table.line(outcome, 1.0), table.summary(means([outcome]))):
        assert max(map(len, text.splitlines())) <= 100
