"""The commands under figures are ones that the program takes, and do what they say."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from unrolled import cells
from unrolled.apps.cli import app
from unrolled.apps.report import commands
from unrolled.apps.report.memory import memory
from unrolled.apps.report.network import cells as cell_section
from unrolled.apps.report.network import network
from unrolled.apps.report.page import Speech, page
from unrolled.apps.study.outcome import Results

from .outcomes import SCORES, study

pytestmark = pytest.mark.broad


def in_page(text: str) -> list[str]:
    """The commands that a page shows."""
    found = re.findall(r'<p class="command">.*?<code>(.*?)</code>', text)
    return [html.unescape(each) for each in found]


def parsed(command: str) -> dict[str, object]:
    """The options of a command, as the program reads them."""
    program, name, *words = shlex.split(command)
    assert program == "unrolled"
    group = typer.main.get_command(app)
    known = group.commands[name]  # pyright: ignore[reportAttributeAccessIssue]
    return known.make_context(name, words).params


def test_commands_of_cells_are_taken() -> None:
    speech = Speech()
    text = page("Cells", "", [network(speech), cell_section([cells.lstm], speech)], speech)
    found = in_page(text)
    assert len(found) == text.count('class="command"') == 11
    assert all(map(parsed, found))
    assert {parsed(each).get("cell") for each in found} == {None, "lstm"}


def test_commands_of_a_page_write_files_of_their_own() -> None:
    speech = Speech()
    sections = [network(speech), cell_section([cells.lstm, cells.lstm_peephole], speech)]
    drawn = [parsed(each) for each in in_page(page("", "", sections, speech)) if " draw " in each]
    files = [str(each["out"]) for each in drawn]
    assert len(set(files)) == len(files) == 15
    assert {"lstm.svg", "lstm_peephole.svg", "lstm_peephole-forget.svg"} <= set(files)


def test_commands_of_a_chinese_page_draw_in_chinese() -> None:
    speech = Speech("zh")
    sections = [network(speech), cell_section([cells.lstm], speech), memory(study(SCORES), speech)]
    drawn = [parsed(each) for each in in_page(page("", "", sections, speech)) if " draw " in each]
    assert len(drawn) == 11
    assert {each["lang"] for each in drawn} == {speech.pictures.language}


def test_a_command_draws_its_figure(tmp_path: Path) -> None:
    _, *words = shlex.split(commands.draw("loop", "en"))
    words[-1] = str(tmp_path / words[-1])
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "loop.svg").exists()


def test_a_command_repeats_trials(tmp_path: Path) -> None:
    outcomes = study({("rnn_tanh", 1): 1.0}, seeds=2, steps=3, hidden=4)
    command = commands.study(outcomes)
    assert parsed(command)["cells"] == ["rnn_tanh"]
    _, *words = shlex.split(command)
    out = tmp_path / "study.json"
    result = CliRunner().invoke(app, [*words, "--out", str(out), "--jobs", "1"])
    assert result.exit_code == 0, result.output
    again = [(each.entrant, each.gap, each.seed, each.steps) for each in Results(out)]
    assert again == [(each.entrant, each.gap, each.seed, each.steps) for each in outcomes]


def test_each_gap_has_its_command() -> None:
    found = commands.trials(study(SCORES))
    assert [parsed(each)["gaps"] for each in found] == [[1], [100]]
    assert {parsed(each)["seeds"] for each in found} == {3}
