"""More models like a run, from other seeds."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unrolled import __version__
from unrolled.apps.cli import app
from unrolled.apps.train import checkpoint as checkpoints

from .page_check import check
from .test_commands import in_page

TEXT = "the quick brown fox jumps over the lazy dog; a journey begins with one step.\n" * 12


def command(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("siblings")
    (folder / "text").write_text(TEXT)
    options = ("--hidden", 5, "--batch", 4, "--window", 6, "--steps", 4, "--threads", 1)
    command("train", "text", folder / "text", "--cell", "gru", "--out", folder / "run", *options)
    return folder / "run"


@pytest.mark.slow
def test_figures_get_a_spread(run: Path) -> None:
    text = run.parent / "text"
    page = run.parent / "page.html"
    asked = ("report", run, "--text", text, "--data", text, "--seeds", 3, "--out", page)
    said = command(*asked)
    assert "Model 2 of 2 more: gru, seed 2, 4 steps" in said
    own = checkpoints.load(run)
    found = [checkpoints.load(run / "seeds" / str(seed)) for seed in (1, 2)]
    assert [each.settings.seed for each in found] == [1, 2]
    assert {each.step for each in found} == {own.step}
    losses = [each.last.loss for each in (own, *found) if each.last]
    html = page.read_text(encoding="utf-8")
    check(html)
    assert f"{sum(losses) / 3:.3f} <small>{min(losses):.3f}–{max(losses):.3f}</small>" in html
    assert "of the first model on the held-out part. Training: Mean of 3 seeds" in html
    commands = [shlex.split(each) for each in in_page(html)]
    again = [each for each in commands if each[1] == "report"]
    assert len(again) == 4  # of learning curves, gradients, units and the diagnosis
    assert again == 4 * [[
        "unrolled", "report", str(run), "--text", str(text), "--seeds", "3", "--data", str(text),
    ]]  # fmt: skip
    assert not any("distance" in each for each in commands)  # which has no mean of several
    assert "recurrent.l0, seed 2" in html
    assert "Model " not in command(*asked)  # they are there


def test_a_chinese_page_is_chinese(run: Path) -> None:
    page = run.parent / "chinese.html"
    command("report", run, "--text", run.parent / "text", "--lang", "zh", "--out", page)
    html = page.read_text(encoding="utf-8")
    check(html)
    assert "gru（这个模型）" in html
    assert f"由 unrolled {__version__} 生成，" in html
    assert "<p>门控循环单元" in html
    drawn = [each for each in in_page(html) if " draw " in each or " report " in each]
    assert len(drawn) > 4
    assert all("--lang zh" in each for each in drawn)


def test_another_text_is_refused(run: Path) -> None:
    other = run.parent / "other"
    other.write_text(TEXT + "once more")
    text = run.parent / "text"
    said = command("report", run, "--text", text, "--data", other, "--seeds", 5, code=2)
    assert "trained on another text" in said
    assert "--seeds must be from 1 to 100, not 0" in command(
        "report", run, "--text", text, "--seeds", 0, code=2
    )
