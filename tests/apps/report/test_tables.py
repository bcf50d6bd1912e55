"""Pages about runs on tables, read as the runs read their own."""

import json
from pathlib import Path

import pytest

from ..train.tables import LESS, run, write
from .page_check import check

pytestmark = pytest.mark.broad

GERMAN = ["jahr;wert", *(f"{1900 + n};{n % 7},{n % 10}" for n in range(90))]
TEXTS = ["text;kind", *(f"it was {('good', 'bad')[n % 2]} {n};{'ab'[n % 2]}" for n in range(60))]
PAIRS = [f"{a}{b}{c}\t{c}{b}{a}" for a in "abcd" for b in "xyz" for c in "pqr"]
TABLES = {
    "series": (GERMAN, ("--target", "wert", "--horizon", 2)),
    "classify": (TEXTS, ()),
    "pairs": (PAIRS, ("--held-out", 0.2, "--longest", 5)),
}


@pytest.mark.parametrize("kind", list(TABLES))
def test_every_kind_of_run_has_a_page_and_a_diagnosis(kind: str, tmp_path: Path) -> None:
    lines, options = TABLES[kind]
    file = write(tmp_path / ("own.tsv" if kind == "pairs" else "own.csv"), lines)
    run("train", kind, file, *options, "--cell", "rnn_tanh", "--out", tmp_path / "run", *LESS)
    assert "recurrent.l0" in run("diagnose", tmp_path / "run", "--file", file) or kind == "pairs"
    place = run("report", tmp_path / "run", "--file", file).strip().splitlines()[-1]
    text = Path(place).read_text(encoding="utf-8")
    assert {"model", "cells", "inside", "diagnosis"} <= set(check(text).ids)
    tested = json.loads((tmp_path / "run" / "test.json").read_text())
    assert all(measure in text for measure in tested["measures"])
    assert f"unrolled report {tmp_path / 'run'} --file {file}" in text
    assert "run was trained on a table of its own" in run("report", tmp_path / "run", code=2)


def test_a_page_reads_a_table_as_it_is_told(tmp_path: Path) -> None:
    file = write(tmp_path / "own.csv", GERMAN)
    run(
        "train",
        "series",
        file,
        "--target",
        "wert",
        "--horizon",
        2,
        "--out",
        tmp_path / "r",
        *LESS,
        "--cell",
        "rnn_tanh",
    )
    other = write(tmp_path / "other.csv", [line.replace(";", "|") for line in GERMAN])
    told = ("--file", other, "--separator", "|", "--lang", "zh", "--out", tmp_path / "p.html")
    run("report", tmp_path / "r", *told)
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert f"--file {other} --separator &#39;|&#39; --lang zh" in text
    assert "缩放后的平方误差" in text
    wrong = ("--file", other, "--separator", "tab")
    assert "has no column 'jahr'" in run("diagnose", tmp_path / "r", *wrong, code=2)
    assert "--seeds and --data are for a run on text" in run(
        "report", tmp_path / "r", "--file", file, "--seeds", 2, code=2
    )
