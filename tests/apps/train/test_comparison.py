"""Runs of several cells and seeds, and what a comparison says of them."""

import json
import shutil
from pathlib import Path

import pytest

from unrolled.apps.settling import Verdict
from unrolled.apps.train.comparison import Comparison, entries
from unrolled.errors import UserError

from .tables import run, write

pytestmark = pytest.mark.broad

LINES = ["year,sales", *(f"{1900 + n},{n % 7 + n % 3}" for n in range(90))]
LESS = ("--hidden", 4, "--batch", 4, "--evaluate-every", 2, "--threads", 1, "--horizon", 2)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs of two cells from three seeds, and what the command said."""
    folder = tmp_path_factory.mktemp("several")
    file = write(folder / "sales.csv", LINES)
    cells = ("--cell", "gru", "--cell", "rnn_tanh", "--seeds", 3, "--steps", 4)
    text = run("train", "series", file, *cells, *LESS, "--out", folder / "runs")
    (folder / "said").write_text(text)
    return folder


def test_every_cell_is_trained_from_every_seed(several: Path) -> None:
    names = sorted(each.name for each in (several / "runs").iterdir())
    assert names == [f"{cell}-seed{seed}" for cell in ("gru", "rnn_tanh") for seed in range(3)]
    text = (several / "said").read_text()
    assert "6 of 6: rnn_tanh-seed2" in text
    assert "comparison of 6 runs" in text
    assert "Equal: the data, what is held out, the steps; not equal: the parameters" in text


def test_figures_are_those_of_the_runs(several: Path) -> None:
    found = Comparison.of(entries([several / "runs"]))
    assert {len(group) for group in found.groups.values()} == {3}
    lines = run("compare", several / "runs", "--format", "jsonl").splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == 6
    for record in records:
        forecast = json.loads((Path(record["run"]) / "test.json").read_text())
        assert record["test MAE"] == forecast["rows"]["this"][0]
        assert record["step"] == 4
    medians = [sorted(r["loss"] for r in records if r["entrant"] == n)[1] for n in found.groups]
    assert medians == sorted(medians)
    table = run("compare", several / "runs")
    assert f"{medians[0]:.4g}" in table
    picture = several / "losses.svg"
    run("compare", several / "runs", "--out", picture)
    assert "rnn_tanh" in picture.read_text(encoding="utf-8")


def test_nothing_is_settled_by_less_than_three_seeds(several: Path) -> None:
    runs = several / "runs"
    one = [runs / "gru-seed0", runs / "rnn_tanh-seed0"]
    text = run("compare", *one)
    assert "not settled by this run: 1 seed of both, and 3 have to agree, by --seeds 3" in text
    other = [runs / "gru-seed0", runs / "rnn_tanh-seed1"]
    assert "0 seeds of both" in run("compare", *other)
    found = Comparison.of(entries([runs]))
    first, second = found.groups
    for a, b in ((first, second), (second, first)):
        told = found.settled(a, b)
        better = sum(x.loss < y.loss for x, y in zip(found.groups[a], found.groups[b], strict=True))
        assert told.held == better
        expected = {3: Verdict.HOLDS, 0: Verdict.FAILS}.get(better, Verdict.OPEN)
        assert told.verdict is expected


def test_several_runs_are_resumed(several: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(several / "runs", runs)
    shutil.rmtree(runs / "rnn_tanh-seed2")
    file = several / "sales.csv"
    cells = ("--cell", "gru", "--cell", "rnn_tanh", "--seeds", 3, "--steps", 4)
    options = (*cells, *LESS, "--out", runs)
    assert "already holds a run" in run("train", "series", file, *options, code=2)
    text = run("train", "series", file, *options, "--resume")
    assert text.count("is finished") == 5
    records = ("--format", "jsonl")
    again, whole = (
        [json.loads(line)["loss"] for line in run("compare", each, *records).splitlines()]
        for each in (runs, several / "runs")
    )
    assert again == whole
    longer = run("train", "series", file, *cells[:-1], 6, *LESS, "--out", runs, "--resume")
    assert "is finished" not in longer
    assert "holds" in longer or "not settled" in longer or "does not hold" in longer


def test_what_cannot_be_compared_is_named(several: Path, tmp_path: Path) -> None:
    runs = several / "runs"
    options = ("--steps", 2, *LESS)
    other = write(tmp_path / "other.csv", [*LINES, "1990,3"])
    run("train", "series", other, *options, "--out", tmp_path / "other")
    text = run("compare", runs, tmp_path / "other", code=2)
    assert "it read data with the SHA-256" in text
    run("train", "series", several / "sales.csv", *options[:-1], 3, "--out", tmp_path / "far")
    text = run("compare", runs, tmp_path / "far", code=2)
    assert "it has another horizon, of 3, not 2" in text
    shutil.copytree(runs / "gru-seed0", tmp_path / "again")
    assert "have the same settings and seed" in run("compare", runs, tmp_path / "again", code=2)
    with pytest.raises(UserError, match="1 run, and a comparison takes at least two"):
        entries([runs / "gru-seed0"])
    (tmp_path / "again" / "test.json").write_text("{}")
    text = run("compare", tmp_path / "again", runs / "gru-seed1", code=2)
    assert "test.json is damaged" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cell", "gru", "--cell", "gru"), "two cells are called gru"),
        (("--seeds", 0), "--seeds must be from 1 to 100, not 0"),
        (("--seeds", 2, "--devices", 2), "--devices 2: several runs are trained one after"),
        (("--seeds", 2, "--seed", 2**63 - 1), "--seed must be at least 0 and less than 2"),
        (("--seeds", 2, "--resume", "--overwrite"), "--resume and --overwrite contradict"),
    ],
)
def test_runs_that_cannot_be_are_named(
    tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    file = write(tmp_path / "sales.csv", LINES)
    assert message in run("train", "series", file, *options, "--out", tmp_path / "runs", code=2)
    assert not (tmp_path / "runs").exists()
