import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from ..tables import LESS, run, write

WORDS = ("good", "fine", "bad", "awful")


def sentences(count: int = 60) -> list[str]:
    draw = random.Random(0)
    lines = ["text,label"]
    for number in range(count):
        kind = number % 2
        words = draw.choices(("the", "film", "was", f"n{number}"), k=5)
        words.insert(draw.randrange(5), draw.choice(WORDS[2 * kind : 2 * kind + 2]))
        lines.append(f"{' '.join(words)},{('pos', 'neg')[kind]}")
    return lines


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "films.csv", sentences())


def test_texts_are_learned_predicted_and_resumed(file: Path, tmp_path: Path) -> None:
    options = ("--hidden", 16, "--batch", 16, "--lr", 0.02, "--evaluate-every", 20)
    text = run("train", "classify", file, "--out", tmp_path / "run", *options, "--steps", 60)
    assert "the class is 'label' (2 classes), the sequence 'text' as words" in text
    assert "most frequent class" in text
    assert "naive Bayes" in text
    assert "this lstm" in text
    lines = run("predict", tmp_path / "run", file).splitlines()
    assert lines[0] == "line,label,probability"
    assert [int(line.split(",")[0]) for line in lines[1:-1]] == list(range(2, 62))
    told = [line.split(",")[1] for line in lines[1:-1]]
    right = sum(a == b for a, b in zip(told, ["pos", "neg"] * 30, strict=True))
    assert lines[-1] == f"{right} of 60 are right: {right / 60:.1%}"
    assert right >= 50
    one = run("predict", tmp_path / "run", "--text", "the film was awful").splitlines()
    assert one[1].startswith("1,neg,")
    resume = ("train", "classify", file, "--resume", "--out", tmp_path / "run")
    assert "is at step 62 of 62" in run(*resume, "--steps", 62)
    assert "this run has --hidden 16, not 8" in run(*resume, "--hidden", 8, code=2)
    write(file, sentences(62))
    assert "another table" in run(*resume, "--steps", 64, code=2)


def numbers(path: Path, rows: Sequence[Sequence[object]], header: Sequence[str]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_columns_of_numbers_are_one_sequence(tmp_path: Path) -> None:
    rows = [[n % 2, 1.5 * n, -n, 3, n / 7] for n in range(40)]
    file = numbers(tmp_path / "wide.csv", rows, ["class", "x0", "x1", "x2", "x3"])
    text = run("train", "classify", file, "--step", 2, "--out", tmp_path / "run", *LESS)
    assert "4 columns of numbers, 2 a step" in text
    assert "nearest mean" in text
    told = run("predict", tmp_path / "run", "--text", "1 2 3 4").splitlines()
    assert told[0] == "line,class,probability"
    assert told[1].split(",")[1] in ("0", "1")
    few = run("predict", tmp_path / "run", "--text", "1 2 3", code=2)
    assert "has 3 values, but the run reads 4 columns" in few


def test_lists_of_different_lengths(tmp_path: Path) -> None:
    lines = [json.dumps({"sequence": [[n, 1]] * (n % 4), "label": "ab"[n % 2]}) for n in range(40)]
    file = write(tmp_path / "lists.jsonl", lines)
    text = run("train", "classify", file, "--out", tmp_path / "run", "--longest", 2, *LESS)
    assert "10 records are longer than --longest 2: of these the end is read" in text
    assert len(run("predict", tmp_path / "run", file).splitlines()) == 42
    strange = run("predict", tmp_path / "run", "--text", "[1, 2]", code=2)
    assert "steps of 1 numbers, but the run has 2" in strange


def test_empty_cells_are_errors_or_dropped(tmp_path: Path) -> None:
    rows = [[n % 2, 2 * n, ["", "NA"][n // 30] if n in (7, 30) else -n] for n in range(40)]
    file = numbers(tmp_path / "gaps.csv", rows, ["class", "x0", "x1"])
    train = ("train", "classify", file, "--out", tmp_path / "run", *LESS)
    assert "line 9, column 'x1': the cell is empty: a number" in run(*train, code=2)
    assert not (tmp_path / "run").exists()
    assert "left out: 2 records with an empty cell" in run(*train, "--missing", "drop")


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["x,label", "1,a", "2,a", "3,a"], (), "all 3 records have the class 'a'"),
        (["x,label", "1,a", "2,b", "3,c"], (), "no two records share a class"),
        (["x,label", "1,a", "2,b", "1,a"], (), "2 different records: --held-out 0.2"),
        (["x,label", "1,a", "2,"], (), "line 3, column 'label': the cell is empty: a class"),
        (["x,label"], (), "has a header, but no records"),
        (["x", "1"], (), "has one column, 'x'"),
        (["x,label", "1,a"], ("--label", "y"), "has no column 'y': it has 'x', 'label'"),
        (["x,label", "1,a"], ("--sequence", "z*"), r"has no column 'z*': it has 'x', 'label'"),
        (["x,label", "1,a"], ("--sequence", "label"), "no column of the class|cannot be both"),
        (["x,y,label", "1,2,a"], ("--step", 3), "2 columns cannot be divided into steps"),
        (["x,label", "1,a"], ("--step", 0), "--step must be from 1 to 2**20, not 0"),
        (["x,label", "1,a"], ("--missing", "no"), "--missing must be one of error, drop, not 'no'"),
        (["x,y,label", *["1,2,a"] * 30, "1,two,b"], (), "line 32, column 'y': 'two' is not a"),
        (["x,label", *["1 2,a"] * 30, "1 two,b"], (), "column 'x': '1 two' is not a list"),
    ],
)
def test_what_cannot_be_learned_is_named(
    tmp_path: Path, lines: list[str], options: tuple[object, ...], message: str
) -> None:
    file = write(tmp_path / "bad.csv", lines)
    text = run("train", "classify", file, *options, "--out", tmp_path / "run", code=2)
    assert any(each in text for each in message.split("|")), text
    assert not (tmp_path / "run").exists()


def test_digits_are_there(tmp_path: Path) -> None:
    text = run("train", "classify", "--out", tmp_path / "run", *LESS)
    assert "scikit-learn's digits: 1,797 records; the class is 'digit' (10 classes)" in text
    assert len(run("predict", tmp_path / "run").splitlines()) == 1799


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    text = run("train", "classify", "--out", tmp_path / "run", code=2)
    assert "package scikit-learn, which is not installed: pip install scikit-learn" in text


def test_a_run_of_another_kind_is_named(tmp_path: Path) -> None:
    run("train", "classify", "--out", tmp_path / "run", *LESS)
    text = run("forecast", tmp_path / "run", code=2)
    assert "is a run of `unrolled train classify`: one of `train series` is expected" in text
