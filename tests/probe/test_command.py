"""The command ``unrolled diagnose``."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unrolled.apps.cli import app
from unrolled.apps.terminal import Interrupt
from unrolled.apps.train.checkpoint import NAME
from unrolled.apps.train.folder import begin
from unrolled.apps.train.language import Language
from unrolled.apps.train.loop import run
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.text import Corpus
from unrolled.cells import find
from unrolled.display import LEAST, gradient_size

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12


def call(*arguments: object, code: int = 0, charset: str = "utf-8") -> str:
    """What the command writes, stderr included; it must end with ``code``."""
    runner = CliRunner(charset=charset)
    result = runner.invoke(app, ["diagnose", *map(str, arguments)], env={"COLUMNS": "120"})
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    settings = Settings(hidden=8, batch=4, window=8, steps=3, save_every=3, evaluate_every=3)
    training = begin(tmp_path / "run", Language(settings, Corpus.of(TEXT)), find("gru"))
    assert len(list(run(training, tmp_path / "run", Interrupt()))) == 3
    return tmp_path / "run"


def test_a_run_on_a_file_or_on_the_text_itself(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "fox.txt"
    file.write_text(TEXT)
    text = call(trained, "--text", file)
    assert "recurrent.l0" in text
    assert "None of these was found" in text
    assert "The model was trained for 3 steps: fewer than 100 are too few" in text
    assert "recurrent.l0" in call(trained / NAME, "--text", "the lazy dog jumps over")


def test_the_figures_are_kept(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    call(trained, "--text", TEXT, "--json", file)
    data = json.loads(file.read_text())
    assert data["codes"] == []
    assert data["doubts"][0].startswith("The model was trained for 3 steps: fewer than 100")
    assert data["layers"]["recurrent.l0"]["cell"] == "gru"
    assert [each.name for each in tmp_path.iterdir() if "partial" in each.name] == []


def test_how_far_back_the_task_goes(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "fox.txt"
    file.write_text(TEXT)
    short = call(trained, "--text", file, "--needs", 200)
    assert "recurrent.l0: out-of-reach:" in short
    assert "unrolled.open_gate(model, steps=200)" in short
    enough = call(trained, "--text", file, "--needs", 2)
    assert "reach the 2 steps that are needed" in " ".join(enough.split())
    for needs in (1, 10_001):
        assert "--needs must be from 2 to 10000" in call(trained, "--needs", needs, code=2)


def test_a_diagnosis_in_chinese(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    text = call(trained, "--text", TEXT, "--lang", "zh", "--json", file, "--needs", 200)
    assert "recurrent.l0：够不着（out-of-reach）：往回" in text
    assert "这个模型只训练了 3 步：少于 100 步，还不足以评判。" in text
    assert text.split()[:4] == ["层", "类型", "步数", "单元数"]
    data = json.loads(file.read_text())
    assert data["findings"][0]["code"] == "out-of-reach"
    assert data["findings"][0]["text"] in data["verdict"].splitlines()[0]
    assert data["findings"][0]["text"].endswith("而任务需要 200 步，那里只剩 " + _left(data))
    assert "--lang is en or zh, not 'fr'" in call(trained, "--lang", "fr", code=2)
    refused = call(trained, "--lang", "zh", code=2, charset="ascii")
    assert "encoding, ascii, has no Chinese" in " ".join(refused.split())


def _left(data: dict[str, Any]) -> str:
    left = data["findings"][0]["numbers"]["left"]
    return gradient_size(left) + "（小于 float32 所能分辨）" * (0 < left < LEAST)


def test_what_cannot_be_diagnosed(trained: Path, tmp_path: Path) -> None:
    assert "no checkpoint" in call(tmp_path / "none", code=2)
    assert "trained on a text of its own: name a file of it by --text" in call(trained, code=2)
    assert "cannot read" in call(trained, "--text", tmp_path, code=2)
    assert "at least 16" in call(trained, "--text", "the dog", code=2)
    assert "'Ü' at position" in call(trained, "--text", "the quick brown Übung ", code=2)
    bad = tmp_path / "no" / "figures.json"
    assert "figures.json" in call(trained, "--text", TEXT, "--json", bad, code=2)
