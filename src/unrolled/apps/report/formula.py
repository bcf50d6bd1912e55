"""Equations as pictures: one line of LaTeX after the other, set by matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from ...draw.palette import INK
from ...draw.type import dressed, figure, style
from .figure import inline

if TYPE_CHECKING:
    from ...equations import Cell

HEIGHT, SIZE = 0.36, 15


def lines(latex: str) -> list[str]:
    r"""The equations of an aligned environment, without its signs.

    >>> lines("\\begin{aligned}\na &= b \\\\\nc &= d \\\\\n\\end{aligned}")
    ['a = b', 'c = d']
    """
    rows = [row.strip() for row in latex.splitlines()]
    rows = [
        row.removesuffix("\\\\").strip() for row in rows if not row.startswith(("\\begin", "\\end"))
    ]
    return [row.replace("&", "") for row in rows if row]


def formula(cell: Cell, about: str) -> tuple[Markup, float]:
    """The equations of a cell as an SVG element, and how many inches wide it is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    rows = lines(cell.latex())
    with style():
        made = figure(1, HEIGHT * len(rows))
        for number, row in enumerate(rows):
            place = 1 - (number + 0.5) / len(rows)
            made.text(0, place, f"${row}$", fontsize=SIZE, color=INK, va="center")
        renderer = FigureCanvasAgg(dressed(made)).get_renderer()
        widest = max(each.get_window_extent(renderer).width for each in made.texts)
    made.set_figwidth(widest / made.dpi + 0.1)
    return inline(made, about), made.get_figwidth()
