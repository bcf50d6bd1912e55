import ast
import html
import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from unrolled import cells
from unrolled.apps.cli import app
from unrolled.apps.report.claims import found as summary
from unrolled.apps.report.claims import overview
from unrolled.apps.report.command import demo
from unrolled.apps.report.memory import memory
from unrolled.apps.report.model import Run, diagnosis
from unrolled.apps.report.network import cells as cell_section
from unrolled.apps.report.network import network
from unrolled.apps.report.page import CHINESE, Section, Speech, page, write
from unrolled.apps.study.entrant import Entrant
from unrolled.apps.study.grammar import STORIES
from unrolled.apps.study.grid import carry_out, tasks
from unrolled.apps.study.outcome import Outcome, Results
from unrolled.apps.study.trial import Budget
from unrolled.apps.terminal import Interrupt
from unrolled.apps.train import checkpoint
from unrolled.apps.train.folder import begin
from unrolled.apps.train.language import Language
from unrolled.apps.train.loop import run
from unrolled.apps.train.settings import Settings
from unrolled.apps.train.text import Corpus
from unrolled.display import gradient_size, number
from unrolled.errors import DrawError

from .page_check import check

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    gaps = {"short": (1,), "long": (1, 6), "adding": (8,)}
    entrants = [Entrant(cells.rnn_tanh), Entrant(cells.lstm)]
    todo = tasks(gaps, entrants, 2, Budget(hidden=6, steps=12))
    return list(carry_out(todo, Results(), 1, Interrupt()))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_study_as_a_page(outcomes: list[Outcome], language: str) -> None:
    speech = Speech(language)
    sections = [overview(outcomes, speech), memory(outcomes, speech)]
    text = page(speech("How far does a network remember?"), "", sections, speech)
    read = check(text)
    assert ("概要" in text) is (language == "zh")
    assert {"overview", "memory"} <= set(read.ids)
    assert text.count('class="reading"') == 2  # one sentence for each cell
    assert "rnn_tanh" in text
    assert "does not hold" not in text  # 2 seeds settle nothing
    assert "<strong>holds" not in text


def test_cells_as_a_page() -> None:
    speech = Speech()
    sections = [network(speech), cell_section([cells.gru, cells.lstm_peephole], speech)]
    text = page("Cells", "", sections, speech)
    check(text)
    assert cells.gru.python().splitlines()[0] in text
    assert "<code>torch.nn.GRU</code>" in text
    assert "lstm_peephole" in text


def test_user_text_is_escaped() -> None:
    text = page("<script>alert(1)</script> & more", "", [], Speech())
    check(text)
    assert "&lt;script&gt;" in text


def test_small_numbers_are_written_out() -> None:
    assert number(1.5e-9) == "1.5·10⁻⁹"
    assert number(0.0) == "0"
    assert gradient_size(9e-46) == "< 10⁻³⁸"  # no training in float32 sees it


def said() -> set[str]:
    """The words that the page takes from the table: string literals, and words of templates."""
    folder = Path(__file__).parents[3] / "src" / "unrolled" / "apps" / "report"
    found = {f"A sentence of the {name} task" for name in STORIES}
    found |= {each.summary for each in cells.CELLS.values()}
    found |= {"every symbol equally likely", "symbol frequencies", "interpolated 5-gram"}
    for path in (*folder.glob("*.py"), folder.parent / "settling.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    for path in folder.glob("templates/*.j2"):
        found |= set(re.findall(r"\b_\('([^']+)'\)", path.read_text(encoding="utf-8")))
    return found


def test_a_chinese_page_has_no_english_words(
    outcomes: list[Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing: list[str] = []

    class Watched(dict[str, str]):
        def get(self, key: str, default: str | None = None) -> str | None:  # pyright: ignore
            if key not in self:
                missing.append(key)
            return super().get(key, default)

    monkeypatch.setattr("unrolled.apps.report.page.CHINESE", Watched(CHINESE))
    speech = Speech("zh")
    made = [overview(outcomes, speech), memory(outcomes, speech)]
    page("", "", [*made, cell_section([cells.lstm], speech)], speech)
    assert missing == []


def test_previews_of_links_say_what_was_found(outcomes: list[Outcome]) -> None:
    speech = Speech()
    description = summary(outcomes, speech)
    assert description.startswith("Right answers over a gap of 6 words: rnn_tanh ")
    assert "2 seeds: 12 steps of training with a gap of 1" in description
    read = check(page("A <title>", "Lead.", [], speech, description))
    told = {
        each.get("property") or each.get("name"): each.get("content") for each in read.of("meta")
    }
    assert told["description"] == told["og:description"] == description
    assert told["og:title"] == "A <title>"


def test_cells_have_chinese_summaries() -> None:
    assert {each.summary for each in cells.CELLS.values()} <= set(CHINESE)


def lists(section: Section, speech: Speech) -> list[str]:
    """The texts of the lists of what is wrong, and of what is not settled, on a page."""
    made = page("", "", [section], speech)
    found = re.findall(r'<ul class="findings">.*?</ul>', made, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]*>", "", each)).strip() for each in found]


def test_a_diagnosis_is_said_in_the_language_of_the_page(tmp_path: Path) -> None:
    settings = Settings(hidden=8, batch=4, window=8, steps=1, save_every=1, evaluate_every=1)
    training = begin(tmp_path, Language(settings, Corpus.of(TEXT)), cells.find("lstm"))
    assert list(run(training, tmp_path, Interrupt()))
    read = Run(tmp_path, checkpoint.load(tmp_path), TEXT)
    section = diagnosis(read, {}, Speech("zh"))
    assert section.data["command"].endswith(" --lang zh")
    (found,) = lists(section, Speech("zh"))
    assert found.startswith("recurrent.l0：遗忘门偏置（forget-bias）：遗忘门半闭：偏置平均为")
    assert re.fullmatch(r".*细胞状态的 \d+ %。有效的办法：训练前调用 .*。", found)
    assert not re.search("[,;:] |[.]$", found.replace("(model, steps", ""))
    (found,) = lists(diagnosis(read, {}, Speech()), Speech())
    assert found.startswith("recurrent.l0: forget-bias: the forget gate stands half closed: its")
    assert ". What helps: unrolled.open_gate(model, steps=N) before training" in found


def test_what_is_not_settled_ends_as_sentences_of_the_language_do() -> None:
    data = {
        "body": [],
        "caption": "",
        "command": "",
        "findings": [],
        "unsettled": ["l0"],
        "none": "",
        "doubts": [],
    }
    section = Section("diagnosis", "", "diagnosis.html.j2", data)
    assert lists(section, Speech("zh")) == ["尚无定论：l0。"]
    assert lists(section, Speech()) == ["Not settled: l0."]


def test_chinese_words_are_words_of_the_page() -> None:
    assert not set(CHINESE) - said()


def test_templates_say_nothing_without_chinese() -> None:
    folder = Path(__file__).parents[3] / "src" / "unrolled" / "apps" / "report" / "templates"
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.j2")]
    words = {each for text in texts for each in re.findall(r"\b_\('([^']+)'\)", text)}
    assert len(words) > 30
    assert not words - set(CHINESE)


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DrawError, match="cannot write"):
        write(tmp_path / "file" / "report.html", "")


@pytest.mark.slow
def test_the_demonstration_ends_with_a_page(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=100, _environ={})
    demo(console, 2.0, tmp_path, "en", Interrupt())
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    read = check(text)
    assert {"overview", "network", "cells", "memory", "model", "inside", "diagnosis"} <= set(
        read.ids
    )
    assert (tmp_path / "study.json").exists()
    result = CliRunner().invoke(app, ["report", str(tmp_path), "--lang", "zh"])
    assert result.exit_code == 0, result.output
    assert str(tmp_path / "model.zh.html") in result.output.split()
    check((tmp_path / "model.zh.html").read_text(encoding="utf-8"))
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text  # not lost
    result = CliRunner().invoke(
        app, ["report", str(tmp_path), "--text", "The yield statement is used 漢"]
    )
    assert result.exit_code == 2
    assert "does not know" in result.output
