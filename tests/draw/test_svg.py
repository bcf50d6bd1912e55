"""SVG files need no fonts, and what is written in them can be found where it is seen."""

import math
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from unrolled.cells import CELLS
from unrolled.draw import charts, draw, words
from unrolled.draw.picture import Picture, encode, still
from unrolled.draw.scene import Scene
from unrolled.draw.shapes import Box, Label
from unrolled.draw.svg import element
from unrolled.draw.type import dressed, style
from unrolled.equations import Cell
from unrolled.printing.unicode import readable

SMALL = Scene(
    (Box("a", "layer", 0, 0, 1, 0.5, text="$\\sigma$"), Label("l", "a <word> & $2", 0, 1))
)
SVG = "{http://www.w3.org/2000/svg}"
GATES = {"f": numpy.linspace(0, 1, 12).reshape(4, 3), "c": numpy.linspace(-3, 3, 12).reshape(4, 3)}


def pictures() -> dict[str, Picture]:
    """Scenes and charts with formulas, rotated words and ticks."""
    return {
        "small": still(SMALL),
        "forget": draw("forget"),
        "peephole": draw("rnn-cell", cell=CELLS["lstm_peephole"]),
        "gates": charts.gates(GATES, "four", "$h_t$ of a model"),
        "distance": charts.distance({"lstm": [1, 0.1, 1e-3], "rnn": [1, 1e-5]}),
        "saturation": charts.saturation({"f": GATES["f"]}),
    }


def texts(root: ElementTree.Element) -> list[ElementTree.Element]:
    return list(root.iter(f"{SVG}text"))


@pytest.fixture(params=pictures())
def picture(request: pytest.FixtureRequest) -> Picture:
    return pictures()[request.param]


def parsed(picture: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(encode(picture, "svg").decode())


def test_letters_are_outlines_and_words_cannot_be_seen(picture: Picture) -> None:
    root = parsed(picture)
    hidden = [
        text
        for group in root.iter(f"{SVG}g")
        if group.get("fill-opacity") == "0"
        for text in group.iter(f"{SVG}text")
    ]
    assert hidden == texts(root) != []
    drawn = {use.get("{http://www.w3.org/1999/xlink}href") for use in root.iter(f"{SVG}use")}
    assert drawn <= {f"#{shape.get('id')}" for shape in root.iter() if shape.get("id")}


def seen(figure: Figure) -> list[tuple[str, tuple[float, ...]]]:
    """Texts of a figure, and the bounds of their letters in points from the upper left."""
    figure.set_dpi(720)  # at 72, letters stand on whole points; here on tenths
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer, height = canvas.get_renderer(), figure.bbox.height
    found = []
    for text in figure.findobj(lambda each: isinstance(each, Text) and each.get_visible()):
        assert isinstance(text, Text)
        if text.get_text().strip():
            box = text.get_window_extent(renderer)
            bounds = (box.x0, height - box.y1, box.x1, height - box.y0)
            found.append((readable(text.get_text()), tuple(each / 10 for each in bounds)))
    return found


def test_every_word_lies_over_its_letters(picture: Picture) -> None:
    with style():
        letters = seen(dressed(picture.make()))
    for text in texts(parsed(picture)):
        x, y, length = (float(text.get(key, "nan")) for key in ("x", "y", "textLength"))
        turned = re.match(r"rotate\(([-.\d]+)", text.get("transform", ""))
        angle = math.radians(float(turned[1])) if turned else 0.0
        end = (x + length * math.cos(angle), y + length * math.sin(angle))
        near = [
            words
            for words, (left, up, right, down) in letters
            if left - 1 <= x <= right + 1 and left - 1 <= end[0] <= right + 1 + (right - left) / 100
            and up - 1 <= y <= down + 1 and up - 1 <= end[1] <= down + 1
        ]  # fmt: skip
        assert text.text in near


def test_every_label_of_a_cell_can_be_found() -> None:
    picture = draw("cell", cell=CELLS["gru"])
    assert picture.scene is not None
    labels = {readable(label.text) for label in picture.scene.labels}
    assert labels <= {text.text for text in texts(parsed(picture))}
    assert {"hₜ₋₁", "rₜ", "nₜ"} <= labels


def test_it_says_what_it_is_and_shows() -> None:
    root = parsed(draw("lstm-cell", cell=CELLS["gru"]))
    title, about = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert about is not None
    assert title.text == f"gru: {CELLS['gru'].summary}"
    assert "rₜ = σ(W_ir xₜ + b_ir + W_hr hₜ₋₁ + b_hr); zₜ" in (about.text or "")
    assert root.get("role") == "img"
    assert (root.get("aria-labelledby") or "").split() == [title.get("id"), about.get("id")]
    said = parsed(still(SMALL)).find(f"{SVG}desc")
    assert said is not None
    assert said.text == "σ; a <word> & $2"
    chart = parsed(pictures()["gates"]).find(f"{SVG}desc")
    assert chart is not None
    assert {"hₜ of a model", "fₜ", "cₜ"} <= set((chart.text or "").split("; "))


def test_a_cell_without_a_docstring_is_titled_by_its_name() -> None:
    mine = Cell.from_json({**CELLS["gru"].to_json(), "doc": ""})
    title = parsed(draw("lstm-cell", cell=mine)).find(f"{SVG}title")
    assert title is not None
    assert title.text == mine.name
    assert f"{mine.name}:" not in mine._repr_html_().partition("<svg")[0]
    assert "gru:" in CELLS["gru"]._repr_html_()


def test_titles_are_in_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "chinese_font", lambda: "DejaVu Sans")
    assert draw("loop", language="zh").title == "卷起来的网络：一个方框，一支箭头指回自己"


def test_pictures_in_one_page_share_no_id() -> None:
    found = [re.findall(r' id="([^"]+)"', element(p.figure())) for p in pictures().values()]
    every = [each for ids in found for each in ids]
    assert len(set(every)) == len(every) > 50
    assert "<style" not in element(still(SMALL).figure())


def test_files_stay_small() -> None:
    many = {name: numpy.random.default_rng(0).random((60, 48)) for name in "ifgo"}
    assert len(encode(charts.gates(many, "a" * 60), "svg")) < 160_000


def test_outlines_are_written_once() -> None:
    assert len(encode(charts.text("a long text " * 50, numpy.ones(600)), "svg")) < 300_000


@pytest.mark.broad
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_without_fonts_it_looks_like_the_png(tmp_path: Path) -> None:
    fonts = tmp_path / "fonts.conf"
    fonts.write_text(f"<fontconfig><cachedir>{tmp_path}/cache</cachedir></fontconfig>")
    made, seen = tmp_path / "a.svg", tmp_path / "seen.png"
    picture = draw("forget")
    picture.save(made)
    picture.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        width, height = image.size
        drawn = image.convert("L").resize((width // 4, height // 4))
    command = ["chromium", "--headless", "--no-sandbox", f"--screenshot={seen}"]
    command += [f"--window-size={width},{height + 200}", "--force-device-scale-factor=1"]
    # An inch is 96 pixels of a page and 144 of the PNG.
    page = tmp_path / "a.html"
    page.write_text(f"<body style='margin:0'><img src='a.svg' style='width:{width}px'>")
    subprocess.run(
        [*command, page.as_uri()], check=True, capture_output=True, timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "FONTCONFIG_FILE": str(fonts)},
    )  # fmt: skip
    with Image.open(seen) as image:
        shown = image.convert("L").crop((0, 0, width, height)).resize(drawn.size)
    apart = numpy.asarray(shown, dtype=float) - numpy.asarray(drawn, dtype=float)
    assert abs(apart).mean() < 1.5
    assert (abs(apart) > 100).mean() < 0.002


def test_a_picture_says_its_language() -> None:
    from unrolled.draw import charts

    values = numpy.full((9, 4), 0.5)
    for language, spoken in (("en", None), ("zh", "zh-Hans")):
        svg = charts.spectrum(values, language=language)._repr_svg_()
        assert ElementTree.fromstring(svg or "").get("lang") == spoken
