"""A report of a model that has hardly been trained: what a reader sees, and is told."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy
import pytest
from markupsafe import escape
from matplotlib.collections import LineCollection

from unrolled import cells
from unrolled.apps.curves import learning
from unrolled.apps.draw.numbers import Measured
from unrolled.apps.listing import code
from unrolled.apps.report.command import RESULTS, _baselines, _place
from unrolled.apps.report.model import (
    SENTENCE,
    Run,
    _strip_said,
    beginning,
    diagnosis,
    inside,
    learning_said,
    model,
)
from unrolled.apps.report.network import COLUMNS
from unrolled.apps.report.network import cells as cell_section
from unrolled.apps.report.page import Section, Speech, page
from unrolled.apps.train import checkpoint as checkpoints
from unrolled.apps.train.doubts import doubts

from .page_check import check
from .runs import PLAIN, train

pytestmark = pytest.mark.broad

UNIFORM, FREQUENCIES = "every symbol equally likely", "symbol frequencies"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = train(tmp_path_factory.mktemp("reading"), PLAIN)
    return Run(path, checkpoints.load(path), PLAIN)


def shown(section: Section, language: str = "en") -> str:
    text = page("", "", [section], Speech(language))
    check(text)
    return text


def titles(text: str) -> list[str]:
    return re.findall("<title id[^>]*>([^<]*)<", text)


@pytest.mark.parametrize("held", [[3.0], [3.0, 9.0]])
def test_a_curve_of_one_point_is_seen(held: list[float]) -> None:
    several: Sequence[tuple[list[int], list[float]]] = [([3], [height]) for height in held]
    made = learning({"training": [([1, 2, 3], [5.0, 4.5, 4.0])], "held out": several}, "", "")
    (axes,) = made.axes
    whole, point = axes.lines[:2]
    assert whole.get_marker() in ("", "None")
    assert point.get_marker() == "o"
    low, high = axes.get_ylim()
    assert low < min(held)
    assert max(held) < high
    spans = [each for each in axes.collections if isinstance(each, LineCollection)]
    assert len(spans) == len(held) - 1
    ends = [float(y) for each in spans for _, y in numpy.asarray(each.get_paths()[0].vertices)]
    assert ends == (held if spans else [])


def test_a_sentence_ends_with_a_sentence_or_a_word() -> None:
    line = "The yield statement is used. When a generator is called, it begins to run."
    assert beginning(line, 54) == "The yield statement is used."
    assert beginning(line, 40) == "The yield statement is used."
    assert beginning(line[29:], 30) == "When a generator is called, it"
    assert beginning(line[29:], 29) == "When a generator is called,"
    assert beginning("Version 3.14 of everything there is", 14) == "Version 3.14"
    assert beginning("x" * 90) == "x" * SENTENCE
    assert (
        beginning("我在法国长大，我说流利的法语。后面还有很多字", 20)
        == "我在法国长大，我说流利的法语。"
    )


def test_a_line_that_is_cut_says_so(run: Run) -> None:
    (line, *_) = PLAIN.splitlines()
    assert run.line == line
    assert line[: len(run.sentence) + 1].strip() == run.sentence
    said = f"The first {len(run.sentence)} of the {len(line)} characters of a line: <q>"
    assert said in shown(inside(run, Speech()))
    whole = Run(run.path, run.checkpoint, "\nthe lazy dog jumps\nover the quick brown fox")
    assert whole.sentence == "over the quick brown fox"
    assert "The line: <q>over the quick brown fox</q>" in shown(inside(whole, Speech()))


def test_one_character_is_not_told_as_several() -> None:
    assert _strip_said([0.1, 0.9], Speech()) == "Half of it comes from the last of 2 characters."
    assert _strip_said([0.3] * 3, Speech()) == "Half of it comes from the last 2 of 3 characters."
    assert _strip_said([0.1, 0.9], Speech("zh")) == "其中一半来自 2 个字符中的最后一个。"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_model_that_learned_too_little_is_not_judged(run: Run, language: str) -> None:
    assert run.checkpoint.last is not None
    loss, speech = run.checkpoint.last.loss, Speech(language)
    weak, fine = {UNIFORM: loss + 1, FREQUENCIES: loss}, {UNIFORM: loss + 1, "5-gram": loss - 1}
    few, said = doubts(run.checkpoint, weak, language)
    assert "4" in few
    assert speech(FREQUENCIES) in said
    assert speech(UNIFORM) not in said
    both = {UNIFORM: loss - 1, FREQUENCIES: loss - 2}
    assert speech(UNIFORM) in doubts(run.checkpoint, both, language)[1]
    assert doubts(run.checkpoint, fine, language) == [few]
    for section in (model(run, weak, "The model", speech), diagnosis(run, weak, speech)):
        assert few in shown(section, language)
        assert said in shown(section, language)
    for section in (model(run, fine, "The model", speech), diagnosis(run, fine, speech)):
        assert few in shown(section, language)
        assert said not in shown(section, language)


def test_a_report_without_its_text_knows_what_guessing_reaches(run: Run) -> None:
    bits = math.log2(len(run.checkpoint.vocabulary))
    assert _baselines(run.checkpoint, None) == {UNIFORM: bits}


def test_a_diagnosis_says_how_factor_and_steps_belong_together(run: Run) -> None:
    text = shown(diagnosis(run, {}, Speech()))
    assert "factor to the power of one step less is 1 % or less" in text
    assert "healthy" not in text.lower()


def test_pictures_say_what_is_seen(run: Run) -> None:
    gates, memory, fading = titles(shown(inside(run, Speech())))
    numbers = Measured([run.path], run.sentence, say=lambda words: None)
    values = numbers.story(len(run.sentence)).values
    for name in "ifo":
        (said,) = re.findall(rf"gate {name} (\S+) on average, (\d+) % of it below 0.1", gates)
        assert float(said[0]) == pytest.approx(values[name].mean(), abs=0.006)
        assert int(said[1]) == round(100 * (values[name] < 0.1).mean())
    (low, high) = re.findall(r"h from (\S+) to (\S+?);", gates)[0]
    assert float(low.replace("−", "-")) == pytest.approx(values["h"].min(), rel=0.06)
    assert float(high) == pytest.approx(values["h"].max(), rel=0.06)
    assert "Half of it comes from the last" in memory
    assert "Left of the gradient" in fading


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pictures_of_cells_name_gates_and_states(language: str) -> None:
    speech = Speech(language)
    text = shown(cell_section([cells.gru, cells.rnn_tanh], speech), language)
    told = [each for each in titles(text) if "gru" in each or "rnn_tanh" in each]
    assert len(told) == 4  # picture and formula
    for each in told:
        assert speech("gates {names}").split()[0] in each or "rnn_tanh" in each
        assert each.endswith(speech("state {names}").format(names="h"))


def test_pseudo_code_has_room() -> None:
    for cell in cells.CELLS.values():
        assert max(map(len, code(cell.python(), COLUMNS).splitlines())) <= 76
    assert escape(code(cells.gru.python(), COLUMNS)) in shown(cell_section([cells.gru], Speech()))


def test_pages_of_two_languages_stand_beside_each_other(tmp_path: Path) -> None:
    from rich.console import Console

    def place(language: str) -> str:
        return _place(tmp_path, language, Console(quiet=True)).name

    assert [place("en"), place("zh")] == ["report.html", "report.zh.html"]
    (tmp_path / "report.zh.html").touch()
    assert [place("en"), place("zh")] == ["report.html", "report.zh.html"]  # of a run
    (tmp_path / RESULTS).touch()
    assert [place("en"), place("zh")] == ["model.html", "model.zh.html"]  # of a demonstration


def test_a_learning_curve_says_of_what_its_points_are() -> None:
    assert "means over" not in learning_said(1, 40, Speech())
    assert "Points of training: means over 10 steps." in learning_said(1, 1500, Speech())
    assert "训练的每个点是 10 步的平均。" in learning_said(3, 1500, Speech("zh"))
