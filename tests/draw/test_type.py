import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from unrolled.draw import type
from unrolled.draw.picture import still
from unrolled.draw.scene import Scene
from unrolled.draw.shapes import Label


def test_signs_in_subscripts_and_primes() -> None:
    assert type.typeset("$h'_{t-1} - x_{t+1}$") == "$h′_{t{-}1} - x_{t{+}1}$"
    assert type.typeset("it's plain") == "it’s plain"


def test_formulas_among_chinese_words_get_a_font_for_the_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type, "chinese", lambda: "DejaVu Serif")
    texts = ("$h_t$ 的单元", "$h_t$ of it")
    scene = Scene(tuple(Label(text, text, 0, n) for n, text in enumerate(texts)))
    mixed, plain = still(scene).figure().axes[0].texts
    assert mixed.get_fontfamily() == ["DejaVu Serif"]
    assert plain.get_fontfamily() != ["DejaVu Serif"]


def test_fonts_that_were_installed_later_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    added: list[str] = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: ["/new.ttf", "/broken.ttf"])
    known: list[str | None] = [None, "Noto Sans SC"]
    monkeypatch.setattr(type, "_known_chinese", lambda: known.pop(0))

    def add(path: str) -> None:
        if path == "/broken.ttf":
            raise RuntimeError("not a font")
        added.append(path)

    monkeypatch.setattr(font_manager.fontManager, "addfont", add)
    type.chinese.cache_clear()
    try:
        assert type.chinese() == "Noto Sans SC"
    finally:
        type.chinese.cache_clear()
    assert added == ["/new.ttf"]


def test_chinese_letters_in_code_and_charts_have_a_font_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type, "chinese", lambda: "DejaVu Serif")
    made = type.figure(2, 1)
    made.text(0, 0, "我 = 1", family=type.MONOSPACE)
    with type.style():
        type.dressed(made)
    assert made.texts[0].get_fontfamily() == [type.MONOSPACE, "DejaVu Serif"]


def test_words_on_a_figure_end_inside() -> None:
    made = type.figure(4, 2)
    made.text(0.1, 0.5, "a line that is much longer than four inches of a figure" * 2, fontsize=13)
    made.text(0.5, 0.2, "short", fontsize=13)
    axes = made.subplots()
    axes.set_title(
        "a title that does not end inside of its figure either, as it is set", loc="left"
    )
    with type.style():
        type.dressed(made)
        renderer = FigureCanvasAgg(made).get_renderer()
    long, short = made.texts
    assert short.get_fontsize() == 13
    assert type.SMALLEST <= long.get_fontsize() < 13
    (title,) = axes.findobj(lambda each: getattr(each, "get_text", str)() == axes.get_title("left"))
    assert title.get_window_extent(renderer).x1 <= made.bbox.width  # pyright: ignore


def test_marks_are_wide_in_chinese_pictures_alone() -> None:
    for language, text in (("en", "门: 开"), ("zh", "门：开")):
        made = type.figure(4, 2)
        words = made.text(0.1, 0.5, "门: 开")
        with type.style():
            type.dressed(made, language)
        assert words.get_text() == text
