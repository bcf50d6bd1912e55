"""Colours and curves of a page's figures."""

from __future__ import annotations

import re
from importlib import resources

import numpy
import pytest

from unrolled.apps.curves import learning
from unrolled.apps.report.charts import against_distance
from unrolled.apps.report.figures import LETTERS, PHONE, dark, inches, inline, least, scrolls
from unrolled.draw.contrast import READABLE, contrast, ink_on
from unrolled.draw.palette import DIM, FADED, INK, LOOKS, PAPER, TEXT_LIT, Look
from unrolled.draw.render import SHADES, shade

STYLE = resources.files("unrolled.apps.report").joinpath("templates/style.css").read_text("utf-8")


def readable(ink: str, fill: str) -> bool:
    pages = (ink, fill), (dark(ink), dark(fill))
    return all(contrast(*each) >= READABLE for each in pages)


@pytest.mark.parametrize("looks", [LOOKS, DIM], ids=["plain", "dim"])
@pytest.mark.parametrize("role", LOOKS)
def test_words_on_boxes_are_readable(role: str, looks: dict[str, Look]) -> None:
    assert readable(looks[role].text, looks[role].fill)


@pytest.mark.parametrize("ink", [INK, FADED, TEXT_LIT], ids=["plain", "dim", "lit"])
def test_labels_are_readable_on_frames(ink: str) -> None:
    grounds = [PAPER, *(looks[role].fill for looks in (LOOKS, DIM) for role in ("frame", "note"))]
    assert [each for each in grounds if not readable(ink, each)] == []


def test_words_on_colours_of_units_are_readable() -> None:
    fills = [shade(value) for value in numpy.linspace(-1, 1, 401)]
    fills += SHADES
    assert min(contrast(ink_on(fill), fill) for fill in fills) >= READABLE


def mixed(over: tuple[float, ...], part: float, under: str) -> str:
    below = [int(under[n : n + 2], 16) for n in (1, 3, 5)]
    mix = (round(part * a + (1 - part) * b) for a, b in zip(over, below, strict=True))
    return "#" + "".join(f"{each:02x}" for each in mix)


@pytest.mark.parametrize("place", [0, 1], ids=["light", "dark"])
def test_words_of_the_memory_strip_are_readable_and_ordered(place: int) -> None:
    def value(name: str) -> str:
        return re.findall(rf"--{name}: ([^;]+);", STYLE)[place]

    tint = tuple(map(float, value("tint").split(",")))
    parts = [float(each) for each in re.findall(r"rgba\(var\(--tint\), ([.\d]+)\)", STYLE)]
    assert parts == sorted(parts)
    assert len(parts) == 5
    paper = value("paper")
    fills = [mixed(tint, part, paper) for part in parts]
    assert min(contrast(value("ink"), fill) for fill in fills) >= READABLE
    assert contrast(value("s-ink"), mixed(tint, 1.0, paper)) >= READABLE
    # The more, the further from the paper: true of a light page and of a dark one.
    away = [contrast(fill, paper) for fill in [*fills, mixed(tint, 1.0, paper)]]
    assert away == sorted(away)


def test_curves_have_the_spread_of_their_seeds() -> None:
    seeds = [([1, 2, 3], [4.0, 2.0, 1.0]), ([1, 2, 3], [6.0, 4.0, 1.0])]
    made = learning({"lstm": seeds, "gru": seeds[:1]}, "steps", "loss")
    (axes,) = made.axes
    first, alone = axes.lines
    assert list(first.get_ydata()) == [5.0, 3.0, 1.0]
    assert list(alone.get_ydata()) == [4.0, 2.0, 1.0]
    (band,) = axes.collections
    corners = {tuple(each) for each in band.get_paths()[0].vertices.tolist()}
    assert {(1.0, 4.0), (1.0, 6.0), (2.0, 2.0), (2.0, 4.0)} <= corners


def test_curves_are_paired_by_step() -> None:
    seeds = [([1, 2, 3], [4.0, 2.0, 1.0]), ([2, 3, 4], [6.0, 5.0, 9.0])]
    (axes,) = learning({"lstm": seeds}, "steps", "loss").axes
    assert list(axes.lines[0].get_xdata()) == [2, 3]
    assert list(axes.lines[0].get_ydata()) == [4.0, 3.0]


def test_gradients_below_the_picture_are_not_drawn_as_its_floor() -> None:
    made = against_distance({"rnn": [[1.0, 1e-8, 1e-20], [1.0, 1e-10, 1e-24]]}, "steps", "size")
    (axes,) = made.axes
    assert axes.lines[0].get_ydata()[1] == pytest.approx(1e-9)
    assert axes.lines[0].get_ydata()[2] == pytest.approx(1e-22)
    assert axes.get_ylim()[0] == pytest.approx(1e-12)


def test_figures_know_their_size() -> None:
    svg = inline(learning({"a": [([1, 2], [2.0, 1.0])]}, "steps", "loss"), "A curve.")
    assert inches(svg) == pytest.approx(5.2)
    assert not scrolls(svg)
    wide = str(svg).replace('viewBox="0 0 374.4', 'viewBox="0 0 864')
    assert scrolls(wide)


def test_figures_get_no_smaller_than_their_letters_are_read() -> None:
    svg = inline(learning({"a": [([1, 2], [2.0, 1.0])]}, "steps", "loss"), "A curve.")
    points = min(map(float, re.findall(r'font-size="([^"]+)"', svg)))
    pixels = 16 * least(svg)  # of an inch, which has 72 points
    assert points / 72 * pixels == pytest.approx(LETTERS, rel=0.01)
    small = re.sub(r'font-size="[^"]+"', 'font-size="4"', svg)
    assert least(small) == pytest.approx(least(svg) * points / 4, rel=0.01)
    assert scrolls(small)
    assert inches(svg) * pixels <= PHONE
