"""Figures inside a page: SVG in the page's colours, as small as its letters can be read.

Each has a title for who cannot see it.
"""

from __future__ import annotations

import colorsys
import re
from typing import TYPE_CHECKING

from markupsafe import Markup

from ...draw.contrast import BLACK, WHITE
from ...draw.palette import DIM, INK, LOOKS, PALE, PAPER, SERIES, TEXT_LIT, WIRE_DIM
from ...draw.svg import element
from ...draw.type import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...draw.picture import Picture

COLOR = re.compile(r"#[0-9a-f]{6}\b")
ATTRIBUTE = re.compile(r' (fill|stroke)="(#[0-9a-f]{6})"')
THREAD, GROUND = "#8d99a6", "#f2f4f6"


def _themed() -> list[str]:
    """Return the colours that turn with the page; those that stand for numbers do not."""
    looks = [each for look in (*LOOKS.values(), *DIM.values()) for each in look[:3]]
    found = [BLACK, WHITE, INK, PALE, PAPER, THREAD, GROUND, TEXT_LIT, WIRE_DIM, *SERIES, *looks]
    return list(dict.fromkeys(color.lower() for color in found))


def dark(color: str) -> str:
    """Return the colour of a dark page: as light as this one is dark, of the same hue.

    >>> dark("#ffffff"), dark("#000000")
    ('#14181d', '#eceef0')
    """
    r, g, b = (int(color[n : n + 2], 16) / 255 for n in (1, 3, 5))
    hue, light, depth = colorsys.rgb_to_hls(r, g, b)
    soft = depth * (0.55 if light > 0.7 else 0.85)
    if depth < 0.02:
        hue, soft = 0.58, 0.18 if light > 0.5 else 0.12
    turned_light = 0.095 + (1 - light) * 0.838
    if light > 0.6:  # grounds of words
        turned_light = min(turned_light, 0.22 if depth > 0.02 else 0.5)
    if color in SERIES and depth > 0.4:  # curves stay bright
        turned_light = 0.64 if light < 0.5 else 0.78
    turned = colorsys.hls_to_rgb(hue, turned_light, soft)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in turned)


def variables() -> dict[str, tuple[str, str]]:
    """Return the CSS variables of the themed colours: on a light page and on a dark one."""
    return {f"--f{color[1:]}": (color, dark(color)) for color in _themed()}


def inline(figure: Figure, about: str, more: str = "", language: str = "en") -> Markup:
    """Return a figure as an SVG element, with a title that screen readers read.

    Args:
        figure: of matplotlib.
        about: what it shows, and what can be seen there.
        more: its description; empty: the words in it.
        language: of its words.
    """
    with style():
        body = element(figure, about, more, True, language)
    body = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", body, count=1)
    body = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", body, count=1)
    themed = set(_themed())
    # Only in a style can a colour be a variable.
    body = COLOR.sub(
        lambda found: f"var(--f{found[0][1:]})" if found[0].lower() in themed else found[0],
        ATTRIBUTE.sub(r' style="\1: \2"', body),
    )
    return Markup(body.rstrip())


def picture(made: Picture, about: str) -> Markup:
    """Return one of the drawings as an SVG element."""
    return inline(made.figure(), about, made.about, made.language)


def inches(svg: str) -> float:
    """Return how wide an SVG element is, in inches of its own letters' points."""
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box is not None
    return round(float(box[0].removesuffix('"').split()[2]) / 72, 3)


LETTERS = 9
"""The pixels of the smallest letters on a phone, of which a reader's eye still makes words."""
PHONE = 300
"""The pixels that a page 360 wide has for a figure, a scroll bar and the frame of a card apart."""


def least(svg: str) -> float:
    """Return how small an inch of an SVG element may get, in rem: its letters have to be read."""
    smallest = min(map(float, re.findall(r'<text [^>]*font-size="([\d.]+)"', svg)), default=72)
    return round(LETTERS * 72 / smallest / REM, 2)


REM = 16
"""Pixels."""


def scrolls(svg: str) -> bool:
    """Return True if a figure is wider than a phone even when it is at its smallest."""
    return inches(svg) * least(svg) * REM > PHONE
