import pytest

from unrolled.draw import draw, type, words
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
