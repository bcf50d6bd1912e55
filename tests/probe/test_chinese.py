"""Diagnoses in Chinese: every sentence that the code can say is in the catalogue."""

import ast
import copy
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import unrolled
from unrolled.columns import Prose
from unrolled.probe import diagnosis as room
from unrolled.probe.diagnosis import CHINESE, TITLES, Diagnosis
from unrolled.speech import Sentence, Speaker

SENTENCES, COLUMNS = CHINESE["sentences"], CHINESE["titles"]
I, H = 3, 8  # noqa: E741


def calls(*names: str) -> Iterator[ast.Call]:
    """The calls of these names in the code of the room."""
    for path in Path(room.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in names:
                yield node


def sayable() -> set[str]:
    """Everything that the code can say: templates, things that are counted, codes, commas."""
    found = {", "}
    for name, place in (("Sentence", 0), ("Count", 1), ("Finding", 0)):
        for call in calls(name):
            words = call.args[place]
            assert isinstance(words, ast.Constant), f"{name} of no literal: {ast.unparse(call)}"
            found.add(str(words.value))
    return found


def places(text: str) -> list[str]:
    return sorted(re.findall(r"\{[^}]*\}", text))


def test_every_sentence_has_chinese_and_the_other_way_round() -> None:
    assert len(sayable()) > 50
    assert sayable() == set(SENTENCES)
    assert set(TITLES) == set(COLUMNS)


def test_the_values_given_fill_the_places_of_both_languages() -> None:
    for call in calls("Sentence"):
        english = ast.literal_eval(call.args[0])
        given = sorted(f"{{{each.arg}}}" for each in call.keywords)
        assert given == places(english) == places(SENTENCES[english]), english


def test_findings_hold_sentences_alone(diagnoses: list[Diagnosis]) -> None:
    """No text that is put together elsewhere can come in: `findings` and `unsettled` are typed."""
    for d in diagnoses:
        for each in (*d.unsettled, *(t for f in d.findings for t in (f.text, f.advice))):
            assert isinstance(each, Sentence)


def test_punctuation_is_full_width() -> None:
    for english, chinese in SENTENCES.items():
        bare = re.sub(r"[\w.]+\([^)]*\)", "", chinese)  # calls in Python
        assert not re.search(r"[,;:()\"]|[.](?!\d|$)|[.]$", bare), english
        assert not re.search(r"[^.][.]$", english) or chinese.endswith("。")


@pytest.fixture(scope="module")
def diagnoses() -> list[Diagnosis]:
    return list(diagnosed())


class Started(nn.Module):
    """A layer with an infinite unit at its start, which tanh hides."""

    def __init__(self) -> None:
        super().__init__()
        self.r = unrolled.RNN(I, H)

    def forward(self, x: Tensor) -> Any:
        start = torch.zeros(1, x.shape[1], H)
        start[..., 0] = torch.inf
        return self.r(x, start)


def diagnosed() -> Iterator[Diagnosis]:
    """Diagnoses with findings of every code, and with all that can be unsettled."""
    torch.manual_seed(0)
    x = torch.randn(40, 2, I)
    yield unrolled.diagnose(unrolled.LSTM(I, H), x, needs=20)
    yield unrolled.diagnose(unrolled.LSTM(I, H), x[:20], needs=60)
    yield unrolled.diagnose(unrolled.LSTM(I, H), x[:2])
    yield unrolled.diagnose(changed(unrolled.LSTM(I, H), 50), x)
    yield unrolled.diagnose(changed(unrolled.GRU(I, 12), 0), x)  # twelve dead units
    yield unrolled.diagnose(alike(unrolled.GRU(I, H)), x)
    yield unrolled.diagnose(changed(unrolled.RNN(I, H), 0.1), x)
    yield unrolled.diagnose(changed(unrolled.RNN(I, H), 0.1), torch.randn(300, 1, I), needs=250)
    yield unrolled.diagnose(unrolled.GRU(I, H), torch.randn(600, 1, I))
    relu: Any = unrolled.RNN(I, H, nonlinearity="relu")
    for factor in (2.0, 1e4, torch.nan):
        with torch.no_grad():
            relu.weight_hh_l0.copy_(factor * torch.eye(H))
        yield unrolled.diagnose(nn.Sequential(relu), x)
    yield unrolled.diagnose(unrolled.LSTM(I, H), x, needs=2)
    gru: Any = unrolled.GRU(I, H)
    with torch.no_grad():
        gru.weight_ih_l0[0] = torch.inf  # a gate that stands at its end
    yield unrolled.diagnose(gru, x.abs() + 1)
    yield unrolled.diagnose(Started(), x)


@torch.no_grad()
def changed(module: Any, factor: float) -> Any:
    for parameter in module.parameters():
        parameter.mul_(factor)
    return module


@torch.no_grad()
def alike(gru: Any) -> Any:
    for parameter in gru.parameters():
        gates = parameter.unflatten(0, (3, H))
        gates.copy_(gates[:, :1].expand_as(gates).clone())
    return gru


def test_diagnoses_of_every_kind_speak_chinese(diagnoses: list[Diagnosis]) -> None:
    seen: set[str] = set()
    for english in diagnoses:
        chinese = english.translated("zh")
        seen |= english.codes
        assert english.language == "en"
        assert chinese.codes == english.codes
        for text in (chinese.verdict, str(chinese)):
            bare = re.sub(r"[\w.]+\([^)]*\)|（[a-z-]+）|float32|NaN|gru|lstm|needs=N", "", text)
            for name in ("l0", "0", "rnn_tanh", "rnn_relu", "tanh", "1e", "weight_hh", "weight_ih"):
                bare = bare.replace(name, "")
            assert not re.search("[a-zA-Z]{3}", bare), text
        assert chinese.translated("en").verdict == english.verdict
        assert [f["numbers"] for f in chinese.to_json()["findings"]] == [
            f["numbers"] for f in english.to_json()["findings"]
        ]
        page = chinese._repr_html_()
        assert page.startswith("<div lang='zh'>")
        assert all(finding.text in page.replace("&lt;", "<") for finding in chinese.findings)
    assert seen == {code for code in SENTENCES if re.search(rf"（{code}）", SENTENCES[code])}


def test_copies_of_sentences_keep_language_and_values() -> None:
    english = unrolled.diagnose(unrolled.LSTM(I, H), torch.randn(30, 2, I))
    text = english.translated("zh").findings[0].text
    for twin in (pickle.loads(pickle.dumps(text)), copy.deepcopy(text)):
        assert twin == text
        assert twin.said(Speaker("en", {})) == english.findings[0].text


def test_another_language_is_refused() -> None:
    with pytest.raises(ValueError, match="language should be en or zh, got 'fr'"):
        unrolled.diagnose(unrolled.LSTM(I, H), torch.randn(30, 2, I)).translated("fr")


@pytest.mark.parametrize("width", [20, 40, 80])
def test_chinese_is_folded_where_a_line_may_end(width: int) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    said = unrolled.diagnose(unrolled.LSTM(I, H), torch.randn(30, 2, I)).translated("zh").verdict
    console = Console(width=width)
    with console.capture() as capture:
        console.print(Prose(Text(said)))
    lines = capture.get().splitlines()
    assert "".join(lines).replace(" ", "") == said.replace(" ", "")
    for line in lines:
        assert 0 < cell_len(line) <= width
        assert line[0] not in "，。；：、）"
        assert line[-1] != "（"
