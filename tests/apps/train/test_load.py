"""Runs in use from Python: in a fresh process as the commands have it, and in all their forms."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy
import polars
import pytest
import torch

import unrolled
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.classify import command as classify
from unrolled.apps.train.classify.run import ClassifyRun
from unrolled.apps.train.classify.task import open_task as open_classify
from unrolled.apps.train.pairs.run import PairsRun
from unrolled.apps.train.records import lines
from unrolled.apps.train.series import command as series
from unrolled.apps.train.series.run import SeriesRun
from unrolled.apps.train.series.task import open_task as open_series
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.table import open_table
from unrolled.apps.train.task import Task
from unrolled.apps.train.text_run import TextRun
from unrolled.apps.train.training import Training
from unrolled.errors import UserError

from .tables import LESS, run, write

pytestmark = pytest.mark.broad

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12
SENTENCES = [f"the film was {word} indeed" for word in ("good", "fine", "bad", "awful")]
WINDOW = 10


def wave(count: int) -> list[list[float]]:
    return [[10 + math.sin(n * math.pi / 3) + n / 50, n % 3] for n in range(count)]


def untrained(out: Path, task: Task[Any]) -> None:
    """Write the checkpoint that a run begins with."""
    out.mkdir()
    checkpoints.save(out / checkpoints.NAME, Training(task, unrolled.cells.gru).checkpoint())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each kind, of a few steps or none, and of each form of sequences."""
    folder, settings = tmp_path_factory.mktemp("runs"), Settings(hidden=8, batch=4)
    lists = [json.dumps({"x": [n / 7, 1.0] * (1 + n % 3), "y": n % 2}) for n in range(40)]
    vectors = [json.dumps({"x": [[n / 7, 1.0]] * (1 + n % 3), "y": n % 2}) for n in range(40)]
    wide = [f"{n / 7},{n % 5},1,{n % 3},{n % 2}" for n in range(40)]
    for name, rows, step in (
        ("lists.jsonl", lists, 1),
        ("vectors.jsonl", vectors, 1),
        ("wide.csv", ["a,b,c,d,y", *wide], 2),
    ):
        table = open_table(write(folder / name, rows))
        choice = classify.Choice(step=step)
        untrained(folder / name.split(".")[0], open_classify(settings, table, choice))
    rows = [f"{sales!r},{rain}" for sales, rain in wave(90)]
    file = write(folder / "series.csv", ["sales,rain", *rows])
    choice = series.Choice(target="sales", horizon=4, season=6, window=WINDOW)
    untrained(folder / "series", open_series(settings, open_table(file), choice))
    options = ("--target", "sales", "--horizon", 4, "--season", 6, "--window", WINDOW)
    run("train", "series", file, *options, "--also", "rain", "--out", folder / "two", *LESS)
    texts = [f"{SENTENCES[n % 4]} {n},{'ab'[n % 4 // 2]}" for n in range(40)]
    file = write(folder / "texts.csv", ["text,kind", *texts])
    run("train", "classify", file, "--out", folder / "texts", *LESS)
    pairs = [f"{a}{b}{c}\t{c}{b}{a}" for a in "abcd" for b in "xyz" for c in "pqr"]
    options = ("--held-out", 0.2, "--longest", 5, "--out", folder / "pairs")
    run("train", "pairs", write(folder / "pairs.tsv", pairs), *options, *LESS)
    (folder / "text.txt").write_text(TEXT)
    options = ("--window", 8, "--held-out", 0.2, "--out", folder / "text")
    run("train", "text", folder / "text.txt", *options, *LESS)
    return folder


PROGRAM = """
import json, sys, torch, unrolled
torch.set_num_threads(1)
folder = sys.argv[1]
texts = ["the film was good indeed", "awful"]
print(json.dumps({
    "predict": list(unrolled.load(folder + "/texts").predict(texts)),
    "forecast": unrolled.load(folder + "/series").forecast().values.tolist(),
    "translate": unrolled.load(folder + "/pairs").translate(["axp", "", "dzr"]),
    "sample": unrolled.load(folder + "/text").sample("the ", length=20, seed=3),
}))
"""


def test_a_fresh_process_says_what_the_commands_say(runs: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(runs)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    texts = ("--text", "the film was good indeed", "--text", "awful", "--format", "jsonl")
    told = [json.loads(line) for line in run("predict", runs / "texts", *texts).splitlines()]
    assert [(one["kind"], one["probability"]) for one in told] == [
        (label, pytest.approx(probability, rel=1e-6)) for label, probability in found["predict"]
    ]
    told = run("forecast", runs / "series", "--format", "jsonl").splitlines()
    values = [json.loads(line)["sales"] for line in told]
    assert found["forecast"] == pytest.approx(values, rel=1e-6)
    written = run("translate", runs / "pairs", "--text", "axp", "--text", "dzr").splitlines()
    assert found["translate"] == [written[0], "", written[1]]
    sampled = run("sample", runs / "text", "--prompt", "the ", "--length", 20, "--seed", 3)
    assert sampled == f"the {found['sample']}\n"


def test_a_series_goes_on_without_its_file(runs: Path) -> None:
    for name in ("series", "two"):
        without = run("forecast", runs / name)
        assert without == run("forecast", runs / name, runs / "series.csv")
        assert without.splitlines()[0] == "step,sales,last value,seasonal naive (6)"
    values = " ".join(repr(sales) for sales, _ in wave(90))
    assert run("forecast", runs / "series", "--text", values) == run("forecast", runs / "series")


def test_forms_of_a_series(runs: Path) -> None:
    rows = numpy.array(wave(90))
    one, two = SeriesRun.load(runs / "series"), SeriesRun.load(runs / "two")
    stored = one.forecast()
    assert len(stored) == 4
    assert list(stored.columns) == ["sales", "last value", "seasonal naive (6)"]
    assert stored.naive["seasonal naive (6)"] == pytest.approx(rows[84:88, 0])
    frame = polars.DataFrame({"rain": rows[:, 1], "sales": rows[:, 0]})
    for given in (rows[:, 0], rows[:, :1], rows[:, 0].tolist(), torch.tensor(rows[:, 0]), frame):
        assert numpy.array(one.forecast(given)).tolist() == stored.values.tolist()
    both = two.forecast().values
    for given in (rows, rows.tolist(), frame, {"sales": rows[:, 0], "rain": rows[:, 1]}):
        assert two.forecast(given).values.tolist() == both.tolist()


def test_more_steps_are_forecast_from_forecasts(runs: Path) -> None:
    trained = SeriesRun.load(runs / "two")
    rows = numpy.array(wave(90))
    once = trained.forecast().values
    rain = rows[84:, 1][numpy.arange(4) % 6]
    longer = numpy.concatenate([rows, numpy.stack([once, rain], 1)])
    twice = trained.forecast(longer).values
    found = trained.forecast(steps=7)
    assert found.values == pytest.approx([*once, *twice[:3]])
    assert found.naive["seasonal naive (6)"] == pytest.approx([*rows[84:, 0], rows[84, 0]])
    text = run("forecast", runs / "two", "--steps", 7)
    assert len(text.splitlines()) == 1 + 7 + 1
    assert "after +4 they are forecast from the forecasts; the last season of 'rain' is" in text
    assert trained.forecast(steps=2).values.tolist() == once[:2].tolist()


def test_a_run_without_the_end_of_its_series(runs: Path, tmp_path: Path) -> None:
    checkpoint = checkpoints.load(runs / "series")
    stored = checkpoints.problem_to_json(checkpoint.problem)
    del stored["last"]
    old = checkpoints.problem_from_json(stored)
    assert old == checkpoint.problem  # so that it can be resumed
    path = tmp_path / "old.safetensors"
    checkpoints.save(path, msgspec.structs.replace(checkpoint, problem=old))
    assert "does not hold the end of its series" in run("forecast", path, code=2)
    assert len(unrolled.load(path).forecast([1.0] * WINDOW)) == 4
    for last in ([[1.0]], [[1.0] * WINDOW] * 2, [["a"] * WINDOW]):
        with pytest.raises(ValueError, match="last"):
            checkpoints.problem_from_json({**stored, "last": last})


def probabilities(trained: ClassifyRun, given: Any) -> Any:
    return trained.predict(given).probabilities


def test_forms_of_sequences(runs: Path) -> None:
    lists, vectors, wide = (ClassifyRun.load(runs / name) for name in ("lists", "vectors", "wide"))
    one = numpy.array([0.5, 1.0, -2.0])
    first = probabilities(lists, one)
    assert first.shape == (1, 2)
    assert first.sum(1) == pytest.approx(1)
    for given in (one.tolist(), torch.tensor(one), [one], one[None, :, None], ["[0.5, 1, -2]"]):
        assert probabilities(lists, given) == pytest.approx(first, abs=1e-6)
    several = probabilities(lists, [[1.0], one, []])
    assert several.shape == (3, 2)
    assert several[1:2] == pytest.approx(first, abs=1e-6)
    assert probabilities(lists, {"x": [[1.0], one]})[1] == pytest.approx(first[0], abs=1e-6)
    pairs = numpy.array([[0.5, 1.0], [2.0, -1.0]])
    first = probabilities(vectors, pairs)
    for given in (pairs.tolist(), [pairs], pairs[None], "[[0.5, 1], [2, -1]]"):
        assert probabilities(vectors, given) == pytest.approx(first, abs=1e-6)
    first = probabilities(wide, [0.5, 1.0, 2.0, -1.0])
    frame = polars.DataFrame({"a": [0.5], "b": [1.0], "c": [2.0], "d": [-1.0], "z": ["more"]})
    for given in (pairs, pairs.reshape(1, 4), pairs[None], frame, "0.5 1 2 -1"):
        assert probabilities(wide, given) == pytest.approx(first, abs=1e-6)
    assert probabilities(wide, numpy.ones((3, 4))).shape == (3, 2)
    assert len(lists.predict([])) == 0


def test_predictions_are_a_sequence(runs: Path) -> None:
    trained = ClassifyRun.load(runs / "texts")
    found = trained.predict(SENTENCES)
    assert (len(found), found.classes) == (4, ("a", "b"))
    assert found.labels == [label for label, _ in found]
    assert [probability for _, probability in found] == found.probabilities.max(1).tolist()
    assert found[1:].labels == found.labels[1:]
    assert trained.predict(SENTENCES[2])[0].label == found[2].label
    assert trained.predict(polars.DataFrame({"text": SENTENCES})).labels == found.labels


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("texts", [1, 2], "sequence 1 is 1: a text is expected"),
        ("texts", ["a", 2], "sequence 2 is 2: a text is expected"),
        ("texts", {"x": ["a"]}, "no column 'text', which the run reads: only 'x'"),
        ("lists", [[1.0, math.nan]], "sequence 1, step 2"),
        ("lists", [[1.0], ["a"]], "sequence 2 is"),
        ("lists", "one", "'one' is not a list of finite numbers"),
        ("lists", 3.0, "3.0 is no sequence"),
        ("vectors", [1.0, 2.0], "sequence 1: steps of 1 numbers, but the run has 2"),
        ("vectors", numpy.ones((2, 3)), "sequence 1: steps of 1 numbers, but the run has 2"),
        ("wide", numpy.ones((2, 3)), r"sequence 1 has the shape \(3,\): \(4,\) or \(2, 2\)"),
        ("wide", "1 2 3", "has 3 values, but the run reads 4 columns"),
    ],
)
def test_sequences_that_do_not_fit_are_named(
    runs: Path, name: str, given: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ClassifyRun.load(runs / name).predict(given)


@pytest.mark.parametrize(
    ("name", "given", "steps", "message"),
    [
        ("series", [1.0] * 9, None, "the series has 9 values: the run reads the last 10"),
        ("series", [1.0] * 9 + [math.inf], None, "'sales', value -1 from its end: inf is not"),
        ("series", ["a"] * 10, None, "numbers are expected"),
        ("series", numpy.ones((10, 2)), None, r"has the shape \(10, 2\): \(T, 1\) or \(T,\)"),
        ("two", [1.0] * 10, None, r"\(T, 2\) is expected, 'sales', 'rain'"),
        ("two", {"sales": [1.0] * 10}, None, "has no column 'rain'"),
        (
            "two",
            {"sales": [1.0] * 10, "rain": [1.0] * 9},
            None,
            "'rain' has 9 values, and 'sales' 10",
        ),
        ("series", None, 0, "--steps must be from 1 to 100000, not 0"),
    ],
)
def test_series_that_do_not_fit_are_named(
    runs: Path, name: str, given: Any, steps: int | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        SeriesRun.load(runs / name).forecast(given, steps=steps)


def test_hidden_states_are_those_of_which_answers_are_made(runs: Path) -> None:
    told = ClassifyRun.load(runs / "texts")
    states = told.encode(SENTENCES[:1])[0]
    chances = told.model.readout(torch.from_numpy(states[-1])).softmax(-1).detach().numpy()
    assert chances == pytest.approx(probabilities(told, SENTENCES[:1])[0], abs=1e-6)
    forecast = SeriesRun.load(runs / "series")
    states = forecast.encode()
    assert states.shape == (WINDOW, 8)
    outputs = forecast.model.readout(torch.from_numpy(states[-1:])).detach()
    window = numpy.array(wave(90))[-WINDOW:, None, :1]
    assert forecast.problem.decode(outputs, window, numpy.array([0]))[0] == pytest.approx(
        forecast.forecast().values
    )
    assert PairsRun.load(runs / "pairs").encode("axp")[0].shape == (3, 16)
    text = TextRun.load(runs / "text")
    assert [each.shape for each in text.encode(["the", "fox jumps"])] == [(3, 8), (9, 8)]


def test_scores_are_the_surprise_of_characters(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = TextRun.load(runs / "text")
    states = torch.from_numpy(trained.encode("the fox")[0])
    chances = trained.model.readout(states).softmax(-1).detach()
    places = [trained.problem.vocabulary.index(letter) for letter in "the fox"[1:]]
    bits = [-math.log2(chances[step, place]) for step, place in enumerate(places)]
    whole = trained.score("the fox")
    assert whole == pytest.approx(bits, rel=1e-5)
    monkeypatch.setattr("unrolled.apps.train.text_run.PIECE", 4)
    assert trained.score("the fox") == pytest.approx(whole, rel=1e-5)
    with pytest.raises(UserError, match="'t' has 1 characters, at least 2"):
        trained.score("t")


@pytest.mark.parametrize(
    ("name", "own", "other", "message"),
    [
        ("texts", "predict", "forecast", "this run classifies: it has no forecast()"),
        ("series", "forecast", "predict", "this run forecasts: it has no predict()"),
        ("pairs", "translate", "sample", "this run translates: it has no sample()"),
        ("text", "sample", "translate", "it has no translate(), which runs of `train pairs` have"),
    ],
)
def test_what_does_not_fit_the_kind_is_said(
    runs: Path, name: str, own: str, other: str, message: str
) -> None:
    trained = unrolled.load(runs / name)
    assert callable(getattr(trained, own))
    assert not hasattr(trained, other)
    with pytest.raises(AttributeError) as error:
        getattr(trained, other)
    assert message in str(error.value)
    with pytest.raises(AttributeError, match="object has no attribute 'modle'"):
        _ = trained.modle


def test_a_run_says_what_it_is(runs: Path) -> None:
    trained = unrolled.load(str(runs / "two"))
    assert (trained.kind, trained.step, trained.cell.name) == ("series", trained.step, "gru")
    assert trained.settings.hidden == 8
    assert trained.evaluation is not None
    assert repr(trained).splitlines()[1:] == [
        "  reads the last 10 values of 'sales', 'rain'",
        "  writes the next 4 values of 'sales'",
    ]
    assert f"gru, 8 units, step {trained.step}, held-out loss" in repr(trained)
    best = checkpoints.load(runs / "two" / checkpoints.BEST)
    assert trained.step == best.step
    last = unrolled.load(runs / "two" / checkpoints.NAME)
    assert last.step == 4


def test_what_is_no_run_is_named(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no checkpoint at .*nowhere: the folder of a"):
        unrolled.load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is a run of `unrolled train text`: one of `train pairs`"):
        PairsRun.load(runs / "text")
    assert "one of `train text` is expected" in run("sample", runs / "pairs", code=2)
    own = "was trained on a table of its own: give a FILE, - or --text"
    assert own in run("predict", runs / "texts", code=2)


def test_samples_have_the_same_forms(runs: Path) -> None:
    options = ("--length", 12, "--seed", 1)
    prompt = write(runs / "prompt", ["the quick"])
    plain = run("sample", runs / "text", "--prompt", "the quick", *options)
    assert run("sample", runs / "text", "--text", "the quick", *options) == plain
    assert run("sample", runs / "text", prompt, *options) == plain
    (line,) = run("sample", runs / "text", prompt, *options, "--format", "jsonl").splitlines()
    record = json.loads(line)
    assert record["prompt"] + record["text"] + "\n" == plain
    assert len(record["text"]) == 12


def test_blanks_are_a_prompt(runs: Path) -> None:
    assert run("sample", runs / "text", "--prompt", " ", "--length", 3).startswith(" ")


def test_names_that_json_cannot_hold_twice() -> None:
    with pytest.raises(UserError, match="called the same, which JSON cannot hold: 'line', 'line'"):
        list(lines("jsonl", ("line", "line"), [(1, 2)]))
    assert list(lines("csv", ("line", "line"), [(1, 2)])) == ["line,line", "1,2"]


def test_texts_of_a_file_are_translated_many_at_a_time(runs: Path, tmp_path: Path) -> None:
    texts = [f"{a}{b}{c}" for a in "abcd" for b in "xyz" for c in "pqr"] * 2
    expected = PairsRun.load(runs / "pairs").translate(texts)
    lines = write(tmp_path / "lines.txt", texts)
    assert run("translate", runs / "pairs", lines).splitlines() == expected
    table = write(tmp_path / "table.txt", ["no|source", *(f"{n}|{t}" for n, t in enumerate(texts))])
    options = ("--source", "source", "--separator", "|", "--header")
    assert run("translate", runs / "pairs", table, *options).splitlines() == expected
