import ast
import json
import re
from pathlib import Path

import pytest

import unrolled
from unrolled.draw import draw, type, words
from unrolled.draw.drawings import DRAWINGS
from unrolled.draw.words import CHINESE, Words


def test_without_a_font_labels_stay_english_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(words, "chinese_font", lambda: None)
    monkeypatch.setattr(words, "_said", False)
    assert Words("zh")("forget gate") == "forget gate"
    assert Words("zh").language == "en"
    assert capsys.readouterr().err.count("no font with Chinese glyphs") == 1


def test_with_a_font_they_are_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "chinese_font", lambda: "DejaVu Sans")
    assert Words("zh")("forget gate") == "遗忘门"
    picture = draw("forget", language="zh")
    assert picture.scene is not None
    assert "遗忘门" in [label.text for label in picture.scene.labels]


def test_every_word_has_chinese_letters() -> None:
    for chinese in CHINESE.values():
        assert any(ord(letter) > 0x2E80 for letter in chinese) or chinese == "GRU"


def test_fonts_that_are_found_are_used() -> None:
    assert type.families()[0] == type.PLAIN


def sources() -> list[Path]:
    """The files of the drawings, and of the program that draws them."""
    rooms = (Path(unrolled.__file__).parent / room for room in ("draw", "apps/draw"))
    return [path for room in rooms for path in room.rglob("*.py")]


def spoken() -> set[str]:
    """The words that the drawings ask for, and everything that they write as a string."""
    found: set[str] = set()
    for path in sources():
        if path.name == "words.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    questions = Path(unrolled.__file__).parent / "apps" / "draw" / "questions.json"
    return found | set(json.loads(questions.read_text(encoding="utf-8")))


def asked() -> set[str]:
    """What is given to `words` or `w` as it stands."""
    found: set[str] = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            function = node.func
            name = function.id if isinstance(function, ast.Name) else None
            name = function.attr if isinstance(function, ast.Attribute) else name
            first = node.args[0]
            if name in ("w", "words") and isinstance(first, ast.Constant):
                found.add(str(first.value))
    return found


def test_every_word_of_a_drawing_has_a_translation_and_the_other_way_round() -> None:
    assert len(asked()) > 20
    assert asked() | {each.about for each in DRAWINGS.values()} <= set(CHINESE)
    assert set(CHINESE) <= spoken()


def test_translations_have_the_same_places_to_fill_in() -> None:
    for english, chinese in CHINESE.items():
        places = r"\{[a-z]+\}"
        assert sorted(re.findall(places, english)) == sorted(re.findall(places, chinese))
