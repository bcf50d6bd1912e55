"""Figures inside a page: SVG in the page's colours, with a title for who cannot see them."""

from __future__ import annotations

import colorsys
import hashlib
import io
import re
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from ...draw.palette import DIM, INK, LOOKS, PALE, PAPER, SERIES, WIRE_DIM
from ...draw.type import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ...draw.picture import Picture

COLOR = re.compile(r"#[0-9a-f]{6}\b")
ATTRIBUTE = re.compile(r' (fill|stroke)="(#[0-9a-f]{6})"')
THREAD, GROUND = "#8d99a6", "#f2f4f6"
BLACK, WHITE = "#000000", "#ffffff"


def _themed() -> list[str]:
    """Return the colours that turn with the page; those that stand for numbers do not."""
    looks = [each for look in (*LOOKS.values(), *DIM.values()) for each in look[:3]]
    found = [BLACK, WHITE, INK, PALE, PAPER, THREAD, GROUND, WIRE_DIM, *SERIES, *looks]
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
    if color in SERIES and depth > 0.4:  # curves stay bright
        turned_light = 0.64 if light < 0.5 else 0.78
    turned = colorsys.hls_to_rgb(hue, turned_light, soft)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in turned)


def variables() -> dict[str, tuple[str, str]]:
    """Return the CSS variables of the themed colours: on a light page and on a dark one."""
    return {f"--f{color[1:]}": (color, dark(color)) for color in _themed()}


def inline(figure: Figure, about: str) -> Markup:
    """Return a figure as an SVG element, with a title that screen readers read.

    Args:
        figure: of matplotlib.
        about: what it shows.
    """
    import matplotlib

    buffer = io.BytesIO()
    # Letters as paths: pages are read where these fonts are not.
    with style(), matplotlib.rc_context({"svg.fonttype": "path"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    text = buffer.getvalue().decode()
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"\s*\n\s*", "\n", body)
    themed = set(_themed())
    # Only in a style can a colour be a variable.
    body = COLOR.sub(
        lambda found: f"var(--f{found[0][1:]})" if found[0].lower() in themed else found[0],
        ATTRIBUTE.sub(r' style="\1: \2"', body),
    )
    return Markup(_headed(_own_ids(body), about))


def picture(made: Picture, about: str) -> Markup:
    """Return one of the drawings as an SVG element."""
    return inline(made.figure(), about)


def _own_ids(body: str) -> str:
    """Make ids unique on the page, and leave out those that nothing refers to."""
    prefix = "g" + hashlib.sha256(body.encode()).hexdigest()[:8]
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', body))
    body = re.sub(
        r' id="([^"]+)"',
        lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "",
        body,
    )
    return re.sub(r'(url\(#|href="#)', rf"\1{prefix}-", body)


def _headed(body: str, about: str) -> str:
    """Give the element the size of its box alone, and a title."""
    box = re.search(r'viewBox="([^"]+)"', body)
    assert box is not None
    start = body.index(">") + 1
    title = f"<title>{escape(about)}</title>"
    head = (
        f'<svg viewBox="{box[1]}" role="img" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'xmlns="http://www.w3.org/2000/svg">'
    )
    return head + title + body[start:].rstrip()
