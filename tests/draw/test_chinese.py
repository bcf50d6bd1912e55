"""Chinese pictures: no English is left over, and marks between Chinese words are full-width."""

import re

import pytest
from matplotlib.text import Text

from unrolled.apps.draw.models import CODE, SENTENCE
from unrolled.apps.draw.numbers import SENTENCE as TEXT
from unrolled.apps.draw.numbers import Measured
from unrolled.cells import CELLS
from unrolled.draw import words
from unrolled.draw.drawings import DRAWINGS
from unrolled.draw.subject import Subject
from unrolled.draw.type import full_width
from unrolled.draw.words import Words
from unrolled.printing.unicode import readable

NAMES = {*CELLS, "LSTM", "GRU", "RNN", "Frobenius"}
"""What is called the same in Chinese."""
FUNCTIONS = {"tanh", "softmax", "diag", "exp", "log", "relu", "max", "min", "if", "norm", "mean"}
FUNCTIONS |= {"sigmoid"}  # in code
READ = {*SENTENCE.split(), *re.findall(r"\w+", TEXT), *re.findall(r"[A-Za-z]+", CODE)}
"""What a model reads, and how it is written."""
LETTER = "[\u2e80-\uffef]"


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> Words:
    """Words in Chinese, whatever fonts there are."""
    monkeypatch.setattr(words, "chinese_font", lambda: "DejaVu Sans")
    return Words("zh")


def texts(name: str, chinese: Words) -> list[str]:
    picture = DRAWINGS[name].picture(Subject(numbers=Measured(words=chinese), words=chinese))
    found = picture.figure().findobj(Text)
    said = [each.get_text() for each in found if isinstance(each, Text) and each.get_visible()]
    return [*map(readable, filter(str.strip, said)), picture.title]


@pytest.mark.usefixtures("small_models")
@pytest.mark.parametrize("name", DRAWINGS)
def test_no_english_is_left_and_marks_are_full_width(name: str, chinese: Words) -> None:
    for text in texts(name, chinese):
        found = set(re.findall(r"(?<![A-Za-z])[A-Za-z][A-Za-z_]+", text)) - NAMES - FUNCTIONS - READ
        assert {each for each in found if not re.fullmatch(r"d?\w_\w*|dC", each)} == set(), text
        if re.search(LETTER, text):
            assert not re.search(rf"{LETTER}\s*[,:;]|[,:;]\s*{LETTER}", text), text
            assert not re.search(rf"\([^()]*{LETTER}[^()]*\)", text), text


def test_marks() -> None:
    assert full_width("$x, y$, 门: 开 (单元)") == "$x, y$，门：开（单元）"
    assert full_width("3,280.5 步") == "3,280.5 步"
    assert full_width("English: (untouched), x") == "English: (untouched), x"
