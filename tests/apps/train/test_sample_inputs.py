from pathlib import Path

import pytest

from .tables import LESS, run, write

LAYERS = {
    "classify": ("recurrent.l0",),
    "series": ("recurrent.l0",),
    "pairs": ("encoder.l0", "encoder.l0_reverse", "decoder.l0"),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_runs_on_tables_are_diagnosed_on_the_data_that_they_learned(
    kind: str, tmp_path: Path
) -> None:
    run("train", kind, "--out", tmp_path / "run", *LESS)
    text = run("diagnose", tmp_path / "run")
    for layer in LAYERS[kind]:
        assert layer in text
    refused = run("diagnose", tmp_path / "run", "--text", "the quick brown fox", code=2)
    assert f"this one, of `train {kind}`, reads a table: give --file" in refused


def test_runs_on_files_are_diagnosed_on_files(tmp_path: Path) -> None:
    lines = [f"{'ab'[n % 2] * 5} {n},{'yn'[n % 2]}" for n in range(40)]
    file = write(tmp_path / "letters.csv", ["text,label", *lines])
    run("train", "classify", file, "--out", tmp_path / "run", *LESS)
    assert "recurrent.l0" in run("diagnose", tmp_path / "run", "--file", file)
    text = run("diagnose", tmp_path / "run", code=2)
    assert "trained on a table of its own: name it by --file" in text
    other = write(tmp_path / "other.csv", ["words,label", "a,b"])
    assert "has no column 'text'" in run("diagnose", tmp_path / "run", "--file", other, code=2)
    empty = write(tmp_path / "empty.csv", ["text,label"])
    assert "has no records" in run("diagnose", tmp_path / "run", "--file", empty, code=2)


def test_text_takes_no_table(tmp_path: Path) -> None:
    run("train", "text", "--out", tmp_path / "run", "--window", 8, *LESS)
    text = run("diagnose", tmp_path / "run", "--file", tmp_path / "x.csv", code=2)
    assert "--file is for a run on a table; this one reads text: give --text" in text
