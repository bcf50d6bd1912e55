"""Pages as a browser shows them: contrast, structure, and nothing that is cut on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from unrolled import cells
from unrolled.apps.report.claims import overview
from unrolled.apps.report.memory import memory
from unrolled.apps.report.network import cells as cell_section
from unrolled.apps.report.network import network
from unrolled.apps.report.page import Section, Speech, page
from unrolled.apps.study.outcome import Reading

from .browser import measured, needs_browser, violations
from .outcomes import SCORES, study

pytestmark = [pytest.mark.slow, needs_browser]

READING = Reading(
    words=["we", "stayed", "in", "Peru", "for", "ages", "and", "speak"],
    facts=(3, 5),
    answer=("perfect", "Spanish"),
    said=("little", "Spanish"),
    shares=[0.01, 0.04, 0.09, 0.3, 0.16, 0.25, 0.13, 0.02],
)


@pytest.fixture(scope="module")
def text() -> str:
    speech = Speech()
    outcomes = study(SCORES, reading=READING)
    strip = [{"text": letter, "share": n % 7} for n, letter in enumerate("every shade there is")]
    pieces = [
        {"text": "abc", "fill": fill, "ink": ink}
        for fill, ink in (("#00224e", "#ffffff"), ("#7d7c78", "#000000"), ("#fee838", "#000000"))
    ]
    unit = {"feature": "a", "name": "h[1]", "score": "0.8", "pieces": pieces}
    svg = network(speech).data["small"][0]["picture"]
    sections = [
        overview(outcomes, speech),
        network(speech),
        cell_section([cells.lstm, cells.gru], speech),
        memory(outcomes, speech),
        Section(
            "inside", "Inside", "inside.html.j2",
            {
                "sentence": "every shade", "shortened": "", "gates": svg, "gates_command": "",
                "strip": strip, "strip_said": "", "memory": svg, "memory_command": "",
                "gradient": None,
            },
        ),
        Section(
            "units", "Units", "units.html.j2",
            {"body": [["a", "1", "h[1] (0.80)", "0.2"]], "caption": "c", "command": "",
             "units": [unit]},
        ),
    ]  # fmt: skip
    return page("How far?", "A page.", sections, speech, "What was found.")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360], ids=["wide", "phone"])
def test_axe_finds_nothing(text: str, tmp_path: Path, width: int, dark: bool) -> None:
    assert violations(text, tmp_path, width, dark) == []


def test_axe_would_find_something(text: str, tmp_path: Path) -> None:
    broken = text.replace("--soft: #546372", "--soft: #b0b8c0").replace('lang="en"', "", 1)
    found = " ".join(violations(broken, tmp_path))
    assert "color-contrast" in found
    assert "html-has-lang" in found


PHONE = """
for (let each of document.querySelectorAll('details')) each.open = true;
await new Promise(done => setTimeout(done, 1000)); // until hints know whether to be seen
let wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
let cut = [], hidden = [], past = [];
for (let each of document.querySelectorAll('body *')) {
  let scroller = each.closest('.scroll, .canvas[tabindex]');
  if (scroller || each.closest('svg *, .unseen, .skip')) continue;
  if (each.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    past.push(each.outerHTML.slice(0, 120));
}
for (let each of document.querySelectorAll('main *')) {
  if (each.closest('svg, .unseen, .hint')) continue;
  if (each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0) {
    let scrolls = getComputedStyle(each).overflowX == 'auto';
    let hint = each.querySelector('.hint');
    let seen = hint && getComputedStyle(hint).visibility == 'visible' && hint.offsetHeight > 10;
    if (getComputedStyle(each).display != 'inline' && !(scrolls && seen && each.tabIndex == 0))
      cut.push(each.outerHTML.slice(0, 120));
  } else if (each.querySelector(':scope > .hint')) {
    let hint = each.querySelector(':scope > .hint');
    if (getComputedStyle(hint).visibility == 'visible') hidden.push(each.outerHTML.slice(0, 120));
  }
}
let sizes = new Set();
for (let each of document.querySelectorAll('main p, main h2, main h3, main h4, main td, main code'))
  sizes.add(getComputedStyle(each).fontSize);
let letters = [];
for (let each of document.querySelectorAll('.canvas svg')) {
  let box = each.getBoundingClientRect(), points = each.viewBox.baseVal.width;
  for (let word of each.querySelectorAll('text'))
    letters.push(box.width / points * word.getAttribute('font-size'));
}
return {wide, past, cut, hidden, sizes: [...sizes], letters};
"""


@pytest.mark.parametrize("width", [360, 390])
def test_a_phone_cuts_nothing_without_a_hint(text: str, tmp_path: Path, width: int) -> None:
    found = measured(text, tmp_path, PHONE, width)
    assert found["past"] == []
    assert found["wide"] == 0
    assert found["cut"] == []
    assert found["hidden"] == []  # a hint where nothing lies
    assert len(found["sizes"]) <= 5
    assert min(found["letters"]) > 8.95  # pixels


def test_panels_stand_beside_each_other_where_there_is_room(text: str, tmp_path: Path) -> None:
    script = """
    let [a, b] = document.querySelectorAll('.pair')[0].children;
    return a.getBoundingClientRect().right <= b.getBoundingClientRect().left;
    """
    assert measured(text, tmp_path / "w", script, 1280) is True
    assert measured(text, tmp_path / "n", script, 390) is False


def test_captions_stand_in_line_with_the_text(text: str, tmp_path: Path) -> None:
    script = """
    let left = document.querySelector('main h2').getBoundingClientRect().left;
    let captions = [...document.querySelectorAll('figure.wide > figcaption')];
    return captions.map(each => each.getBoundingClientRect().left - left);
    """
    for width in (1280, 800, 390):
        found = measured(text, tmp_path / str(width), script, width)
        assert found
        assert max(map(abs, found)) < 1


def test_tables_break_between_words(text: str, tmp_path: Path) -> None:
    """A heading has no more lines than words."""
    script = """
    return [...document.querySelectorAll('tbody th')].map(each => {
      let range = document.createRange();
      range.selectNodeContents(each);
      return [each.textContent, range.getClientRects().length];
    });
    """
    page = text.replace('<th scope="row">a</th>', '<th scope="row">position in brackets</th>')
    found = measured(page, tmp_path, script, 390)
    assert "position in brackets" in dict(found)
    assert all(lines <= len(words.split()) for words, lines in found)
