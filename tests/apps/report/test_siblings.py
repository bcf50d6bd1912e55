"""More models like a run, from other seeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from unrolled.apps.cli import app
from unrolled.apps.train import checkpoint as checkpoints

from .page_check import check

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
    assert "Mean of 3 seeds" in html
    assert "recurrent.l0, seed 2" in html
    assert "Model " not in command(*asked)  # they are there


def test_another_text_is_refused(run: Path) -> None:
    other = run.parent / "other"
    other.write_text(TEXT + "once more")
    text = run.parent / "text"
    said = command("report", run, "--text", text, "--data", other, "--seeds", 5, code=2)
    assert "trained on another text" in said
    assert "--seeds must be from 1 to 100, not 0" in command(
        "report", run, "--text", text, "--seeds", 0, code=2
    )
