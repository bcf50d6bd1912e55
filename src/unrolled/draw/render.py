"""Shapes as a matplotlib figure, and a figure as bytes."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

from . import strokes
from .contrast import ink_on
from .palette import DIM, FADED, INK, LIT_EDGE, LOOKS, PAPER, RED, TEXT_LIT, Look
from .shapes import LETTER, Bounds, Box, Label, Line, Shape, Strip
from .type import MATH, MONOSPACE, dressed, style
from .type import figure as new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNIT = 0.78
"""Inches for one unit of a scene."""
MARGIN = 0.25
POINTS = LETTER * UNIT * 72
"""Font size of a label of size 1: the height of its letters and their tails."""
DPI = 144
"""Of pictures that stand still."""


def figure(shapes: Sequence[Shape], bounds: Bounds) -> Figure:
    """Return a figure with nothing but the shapes.

    Args:
        shapes: in the order in which they are drawn.
        bounds: left, bottom, right and top of what is shown.
    """
    left, down, right, up = bounds
    width, height = right - left + 2 * MARGIN, up - down + 2 * MARGIN
    made = new_figure(width * UNIT, height * UNIT)
    axes = made.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(left - MARGIN, right + MARGIN)
    axes.set_ylim(down - MARGIN, up + MARGIN)
    axes.axis("off")
    axes.set_aspect("equal")
    _draw(shapes, axes)
    return made


def svg(shapes: Sequence[Shape], bounds: Bounds, title: str = "") -> str:
    """Return the same as SVG, its letters as outlines and its words beside them."""
    with style():
        return svg_file(dressed(figure(shapes, bounds)), title).decode()


def svg_file(figure: Figure, title: str = "", about: str = "", language: str = "en") -> bytes:
    """Return a figure as the bytes of an SVG file.

    Args:
        figure: of matplotlib.
        title: what it is, in a few words.
        about: what it shows.
        language: of its words.
    """
    from .svg import element

    with style():
        body = element(figure, title, about, language=language)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}'.encode()


def encoded(figure: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of a png or pdf."""
    buffer = io.BytesIO()
    # Without a date the same picture is the same file.
    metadata: dict[str, Any] = {"pdf": {"CreationDate": None}}.get(kind, {})
    with style():
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
    return buffer.getvalue()


def _draw(shapes: Sequence[Shape], axes: Axes) -> None:
    strokes.draw([shape for shape in shapes if isinstance(shape, Line)], axes)
    for shape in shapes:
        if isinstance(shape, Box):
            _box(shape, axes)
        elif isinstance(shape, Label):
            _label(shape, axes)
        elif isinstance(shape, Strip):
            _strip(shape, axes)


def _look(shape: Box) -> Look:
    table = DIM if shape.light == "dim" else LOOKS
    return table.get(shape.role, table["note"])


def _box(box: Box, axes: Axes) -> None:
    from matplotlib.patches import PathPatch

    if box.width == 0:
        return
    look = _look(box)
    lit = box.light == "lit" and box.role != "frame"
    fill = look.fill if box.value is None else shade(box.value)
    stroke: dict[str, Any] = {"edgecolor": look.edge, "linewidth": LIT_EDGE if lit else look.width}
    z = 1 if box.role in ("frame", "note", "row") else 4
    axes.add_patch(PathPatch(_round_box(box), facecolor=fill, zorder=z, **stroke))
    color = look.text if box.value is None else ink_on(fill)
    lines = box.text.split("\n")
    for n, text in enumerate(lines):
        rise = (len(lines) - 1) / 2 - n
        size = box.size * (1.0 if len(lines) == 1 else 0.9)
        _text(axes, box.x, box.y + rise * 0.3 * size, text, size, color=color, zorder=5)


def _round_box(box: Box) -> Any:
    """Return the outline of a box; its corners are quarters of circles."""
    from matplotlib.path import Path

    left, down, right, up = box.bounds
    r = min(box.radius, box.width / 2, box.height / 2)
    k = r * (1 - 0.5523)  # how far the control points of a quarter circle are from its corner
    corners = (
        ((right - r, down), (right - k, down), (right, down + k), (right, down + r)),
        ((right, up - r), (right, up - k), (right - k, up), (right - r, up)),
        ((left + r, up), (left + k, up), (left, up - k), (left, up - r)),
        ((left, down + r), (left, down + k), (left + k, down), (left + r, down)),
    )
    vertices: list[tuple[float, float]] = [(left + r, down)]
    codes = [Path.MOVETO]
    for corner in corners:
        vertices += corner
        codes += [Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    return Path([*vertices, vertices[0]], [*codes, Path.CLOSEPOLY])


def _label(label: Label, axes: Axes) -> None:
    options: dict[str, Any] = {"ha": label.align, "zorder": 6}
    options["color"] = {"dim": FADED, "lit": TEXT_LIT, "plain": INK}[label.light]
    options["weight"] = "bold" if label.role == "title" else "normal"
    if label.role == "code":
        options["family"] = MONOSPACE
    _text(axes, label.x, label.y, label.text, label.size, **options)


def _text(axes: Axes, x: float, y: float, text: str, size: float, **options: Any) -> None:
    if not text:
        return
    scale = MATH if "$" in text else 1.0
    options.setdefault("ha", "center")
    va = "center_baseline" if "$" not in text else "center"
    axes.text(x, y, text, va=va, fontsize=POINTS * size * scale, **options)


def _strip(strip: Strip, axes: Axes) -> None:
    from matplotlib.patches import Rectangle

    left, down, _, up = strip.bounds
    side = strip.field
    for n, value in enumerate(strip.values):
        corner = (left + n * side, down) if strip.across else (left, up - (n + 1) * side)
        fill = (
            "#f2f4f6" if strip.light == "dim" else (part if strip.role == "share" else shade)(value)
        )
        look: dict[str, Any] = {"facecolor": fill, "edgecolor": PAPER, "lw": 0.8}
        axes.add_patch(Rectangle(corner, side, side, **look, zorder=5))


SHADES = (
    *("#00224e", "#123570", "#3b496c", "#575d6d", "#707173"),
    *("#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"),
)
"""Matplotlib's cividis in steps: it can be told apart by everyone, in grey as well."""


def shade(value: float) -> str:
    """Return the colour of a number from -1 (dark blue) to 1 (light yellow); red if it is no
    finite number.

    >>> shade(-1), shade(1)
    ('#00224e', '#fee838')
    """
    if not math.isfinite(value):
        return RED
    place = (max(-1.0, min(1.0, value)) + 1) / 2 * (len(SHADES) - 1)
    low = min(int(place), len(SHADES) - 2)
    part = place - low
    ends = zip(_channels(SHADES[low]), _channels(SHADES[low + 1]), strict=True)
    return "#" + "".join(f"{round(a * (1 - part) + b * part):02x}" for a, b in ends)


def part(value: float) -> str:
    """Return the colour of a number from 0 (nearly white) to 1 (deep blue).

    >>> part(0.0), part(1.0)
    ('#f4f7fa', '#08264a')
    """
    from matplotlib.colors import to_hex

    from .scale import dark

    return to_hex(dark()(float(value)))


def _channels(color: str) -> tuple[int, ...]:
    """Return red, green and blue, from 0 to 255."""
    return tuple(bytes.fromhex(color[1:]))
