import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unrolled.apps.cli import app

from ..tables import LESS, run, write


def pairs(count: int = 80) -> list[str]:
    words = [f"{a}{b}{c}" for a in "abcde" for b in "xyz" for c in "pqrstu"]
    return [f"{word}\t{word[::-1].upper()}" for word in words[:count]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "reversed.tsv", pairs())


def test_words_are_reversed_and_runs_resumed(file: Path, tmp_path: Path) -> None:
    options = ("--hidden", 32, "--batch", 32, "--lr", 0.02, "--steps", 120)
    train = ("train", "pairs", file, "--out", tmp_path / "run", "--held-out", 0.2)
    text = run(*train, *options, "--evaluate-every", 60)
    assert "80 pairs; from '1' to '2' by characters: 14 and 14 different" in text
    assert "copy of the source" in text
    assert "commonest target" in text
    translate = ("translate", tmp_path / "run")
    assert run(*translate, "--text", "axp", "--text", "ezu").splitlines() == ["PXA", "UZE"]
    assert run(*translate, "--text", "axp", "--beam", 1) == "PXA\n"
    result = CliRunner().invoke(app, [*map(str, translate), "-"], input="axp\n\nezu\n")
    assert result.output == "PXA\n\nUZE\n"
    lines = write(tmp_path / "words", ["\ufeffaxp", "", "ezu"])
    assert run(*translate, lines) == "PXA\n\nUZE\n"
    table = write(tmp_path / "words.csv", ["n,word", "1,axp", "2,ezu"])
    as_csv = run(*translate, table, "--source", "word", "--format", "csv")
    assert as_csv == "text,translation\naxp,PXA\nezu,UZE\n"
    as_json = run(*translate, file, "--format", "jsonl").splitlines()
    assert len(as_json) == 80
    assert json.loads(as_json[0]) == {"text": "axp", "translation": "PXA"}
    resume = ("train", "pairs", file, "--resume", "--out", tmp_path / "run")
    assert "is at step 122 of 122" in run(*resume, "--steps", 122)
    assert "--beam must be from 1 to 1000, not 0" in run(
        "translate", tmp_path / "run", "--text", "x", "--beam", 0, code=2
    )
    for given, message in (
        ((), "there is nothing to translate: give a FILE, - or --text"),
        (("--text", ""), "--text is empty"),
        ((lines, "--text", "a"), "contradict each other"),
        (("axp",), "there is no file 'axp': a text itself is given by --text"),
        ((table, "--source", "x"), "has no column 'x': it has 'n', 'word'"),
        ((lines, "--format", "xml"), "--format must be one of text, csv, jsonl, not 'xml'"),
    ):
        assert message in run(*translate, *given, code=2)


def test_columns_of_a_csv_file(tmp_path: Path) -> None:
    lines = ["en,n,de", *(f"{n} apples,{n},{n} Äpfel" for n in range(40))]
    file = write(tmp_path / "apples.csv", lines)
    train = ("train", "pairs", file, "--target", "de", "--held-out", 0.2, "--out", tmp_path / "run")
    text = run(*train, *LESS)
    assert "40 pairs; from 'en' to 'de'" in text
    text = run(*train, *LESS, "--by", "words", "--overwrite", "--no-attention")
    assert "by words" in text


def test_long_pairs_are_left_out_and_said(tmp_path: Path) -> None:
    file = write(tmp_path / "long.tsv", [*pairs(40), "a" * 30 + "\tb"])
    train = ("train", "pairs", file, "--held-out", 0.2, "--out", tmp_path / "run", *LESS)
    assert "left out: 1 pair too long" in run(*train, "--longest", 20)


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["a\tb", "c\t"], (), "line 2, column '2': the cell is empty: a text is expected"),
        (["a\tb", "c"], (), "line 2: 1 values, but there are 2 columns"),
        (["a", "b"], (), "has one column: a source and a target are expected"),
        (["a\tb", "c\td"], (), "2 different records: --held-out 0.1"),
        (["a\tb"], ("--source", "x"), "has no column 'x': it has '1', '2'"),
        (["a\tb"], ("--source", "1", "--target", "1"), "cannot be both source and target"),
        (["a\tb"], ("--by", "bytes"), "--by must be one of characters, words, not 'bytes'"),
        (["a\tb"], ("--longest", 0), "--longest must be at least 1 and at most 10,000, not 0"),
    ],
)
def test_what_cannot_be_learned_is_named(
    tmp_path: Path, lines: list[str], options: tuple[object, ...], message: str
) -> None:
    file = write(tmp_path / "bad.tsv", lines)
    text = run("train", "pairs", file, *options, "--out", tmp_path / "run", code=2)
    assert message in text
    assert not (tmp_path / "run").exists()


def test_dates_are_there(tmp_path: Path) -> None:
    text = run("train", "pairs", "--out", tmp_path / "run", "--evaluate-at-most", 20, *LESS)
    assert "babel's dates: 12,000 pairs; from 'written' to 'iso' by characters" in text
