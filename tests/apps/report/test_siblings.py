"""More models like a run, from other seeds."""

from __future__ import annotations

import io
import re
import shlex
import signal
from pathlib import Path

import pytest
from rich.console import Console

from unrolled import __version__
from unrolled.apps.report.siblings import siblings
from unrolled.apps.terminal import Interrupt
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.language import Language
from unrolled.apps.train.text import Corpus

from .page_check import check
from .runs import PLAIN, command, train
from .test_commands import in_page

pytestmark = pytest.mark.broad


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("siblings"), PLAIN, "--cell", "gru")


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
    other.write_text(PLAIN + "once more")
    text = run.parent / "text"
    said = command("report", run, "--text", text, "--data", other, "--seeds", 5, code=2)
    assert "--data is not the text that the run was trained on" in said
    assert "--seeds must be from 1 to 100, not 0" in command(
        "report", run, "--text", text, "--seeds", 0, code=2
    )


def test_data_have_baselines_and_are_read(run: Path) -> None:
    page, text = run.parent / "data.html", run.parent / "text"
    command("report", run, "--data", text, "--out", page)
    html = page.read_text(encoding="utf-8")
    check(html)
    corpus = Corpus.of(PLAIN)
    for name, bits in Language(checkpoints.load(run).settings, corpus).baselines().items():
        assert f'<th scope="row">{name}</th><td>{bits:.3f}</td>' in html
    held_out = PLAIN[corpus.start :]
    assert f"characters 1 to {len(held_out)} of {len(held_out)}" in html or "No unit" in html
    again = [shlex.split(each) for each in in_page(html)]
    assert ["unrolled", "report", str(run), "--data", str(text)] in again
    assert not any(each[1] == "diagnose" for each in again)  # which would not know the text


def test_the_text_itself_is_read(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    command("report", run, "--text", "thelazydogjumpsoverthefox", "--out", page)
    assert "<q>thelazydogjumpsoverthefox</q>" in page.read_text(encoding="utf-8")
    for name in ("report", "diagnose"):
        said = command(name, run, "--text", "thefox", code=2)
        assert "--text has 6 characters: it takes at least 16; there is no file 'thefox'" in said
    command("draw", "gates", "--run", run, "--text", "thefox", "--out", tmp_path / "gates.svg")
    folder = command("draw", "gates", "--run", run, "--text", tmp_path, code=2)
    assert command("report", run, "--text", tmp_path, code=2) == folder


def test_a_report_that_is_stopped_says_of_how_many_models_it_is(run: Path, tmp_path: Path) -> None:
    stopped = Interrupt()
    stopped.requested = signal.SIGINT
    console = Console(file=io.StringIO(), width=100)
    checkpoint = checkpoints.load(run)
    found = siblings(tmp_path, checkpoint, 3, Corpus.of(PLAIN), console, stopped)
    assert found == []
    said = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    assert "Stopped: the page is of 1 model, not of 3" in said


def test_what_there_is_one_of_stands_in_the_singular(tmp_path: Path) -> None:
    """The page with the pictures in it, and what the terminal says, of a run with one of all."""
    folder = train(tmp_path, PLAIN, "--hidden", 1, "--steps", 1, "--cell", "rnn_tanh")
    text = tmp_path / "text"
    said = command("report", folder, "--data", text, "--out", tmp_path / "page.html")
    said += command("diagnose", folder, "--text", text)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "1 hidden unit, trained for 1 step." in page
    assert "1 unit, seed 0, after 1 step of training" in page
    assert not re.findall(r"(?<![\d.,])1 (?:hidden )?(?!loss)[a-z]+[^us]s\b", page + said)
