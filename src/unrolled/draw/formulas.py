"""Equations and code under a picture, and the marks that light them row by row, term by term."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import east_asian_width

from ..printing.latex import equations, symbol
from ..printing.python import python
from .render import POINTS, UNIT
from .scene import Scene
from .shapes import LETTER, Box, Label, text_width
from .type import MATH, chinese, style, typeset

if TYPE_CHECKING:
    from ..graph.graph import Graph

LONGEST = 9.0
"""Width of an equation in one line; longer ones are broken before a plus."""
INDENT = 0.7
"""Before the further lines of an equation."""
COLUMNS = 58
"""Letters of code in one line."""
EQUATION, CODE = 0.9, 0.62
"""Sizes of equations and code that stand side by side."""
MONO = 0.63 * LETTER
"""The width of a letter of code of size 1: DejaVu Sans Mono's is 0.602, and matplotlib rounds each
to whole pixels, which makes it up to 0.628.
"""


class Panel(NamedTuple):
    """Equations, and code beside or under them.

    Attributes:
        scene: the text.
        marks: boxes behind the text. Those of a whole row are called ``row NAME|n``, those of a
            value in it ``term NAME|VALUE|n``.
    """

    scene: Scene
    marks: tuple[Box, ...]

    def moved(self, dx: float, dy: float) -> Panel:
        """Return the same elsewhere."""
        return Panel(self.scene.moved(dx, dy), tuple(mark.moved(dx, dy) for mark in self.marks))

    def row(self, name: str) -> set[str]:
        """Return the ids of the marks of the rows that compute a value."""
        return {mark.id for mark in self.marks if mark.id.startswith(f"row {name}|")}

    def terms(self, name: str, values: Sequence[str]) -> set[str]:
        """Return the ids of the marks of values in the rows that compute a value.

        Args:
            name: of the value that is computed.
            values: those to be marked, an old state as ``c before``.
        """
        starts = tuple(f"term {name}|{value}|" for value in values)
        return {mark.id for mark in self.marks if mark.id.startswith(starts)}


def written(graph: Graph, names: Sequence[str], size: float = 1.0) -> Scene:
    """Return the equations of some values, under each other."""
    return Scene(tuple(label for row in _equations(graph, names, size) for label in row))


def _equations(
    graph: Graph, names: Sequence[str], size: float, gap: float = 0.25
) -> list[list[Label]]:
    """Return the labels of each equation, with a gap between one and the next."""
    found, y = equations(graph), 0.0
    rows: list[list[Label]] = []
    for name in names:
        left, right = found[name]
        rows.append([])
        for number, text in enumerate(_broken(f"{left} = {right}")):
            x = 0.0 if number == 0 else INDENT
            key = f"equation {name} {number}"
            rows[-1].append(Label(key, f"${text}$", x, y, "equation", "left", size))
            y -= 0.62 * size
        y -= gap * size
    return rows


def _broken(text: str) -> list[str]:
    """Return a long equation in lines, broken before a plus or minus, in no fraction or root; in
    two near its middle, if these are enough.
    """
    # mathtext draws bars that grow with what is in them only as high as an x.
    text = re.sub(r"\\(left|right)(?=[(|)])", "", text)
    lines: list[str] = []
    while (wide := text_width(f"${text}$")) > (room := LONGEST - INDENT * bool(lines)):
        places = [match.start() for match in re.finditer(r" [-+] ", text)]
        widths = {n: text_width(f"${text[:n]}$") for n in places if _is_whole(text[:n])}
        if not widths:
            break
        fitting = [n for n in widths if widths[n] <= room] or list(widths)[:1]
        wanted = wide / 2 if wide < 1.9 * LONGEST else room
        place = min(fitting, key=lambda n: abs(widths[n] - wanted))
        lines.append(text[:place])
        # Behind an empty group mathtext sets a sign between two terms, else one of the term's own.
        text = f"{{}}{text[place + 1 :]}"
    return [*lines, text]


def code(graph: Graph) -> dict[str, str]:
    """Return the line of the printed code that computes each value.

    >>> from unrolled import cells
    >>> code(cells.rnn_tanh.graph)
    {'h': 'h = tanh(W_ih @ x + b_ih + W_hh @ h + b_hh)'}
    """
    body = python(graph).rstrip().split("\n")[-len(graph.lines) - 1 : -1]
    return dict(zip(graph.lines, map(str.strip, body), strict=True))


def text_panel(
    graph: Graph, names: Sequence[str], scale: float = 1.0, widest: float = 12.0
) -> Panel:
    """Return equations of some values with their code: to the right of each if there is room for
    both, else under all of them.
    """
    rows = _equations(graph, names, EQUATION * scale, 0.08)
    lines = code(graph)
    texts = [_lines(lines[name]) for name in names]
    size, pitch = CODE * scale, 0.46 * scale
    wide = max(columns(text) for found in texts for text in found) * MONO * size
    right = max(_end(label) for row in rows for label in row)
    beside = right + 1.0 * scale + wide <= widest and all(
        len(found) <= len(row) for found, row in zip(texts, rows, strict=True)
    )
    x = right + 1.0 * scale if beside else (right - wide) / 2
    y = rows[-1][-1].y - 0.9 * scale
    codes: list[list[Label]] = []
    for name, row, found in zip(names, rows, texts, strict=True):
        codes.append([])
        for number, text in enumerate(found):
            at = row[number].y if beside else y
            key = f"code {name} {number}"
            codes[-1].append(Label(key, text, x, at, "code", "left", size))
            y -= pitch
    labels = [label for row in (*rows, *codes) for label in row]
    around = [label for row in codes for label in row]
    note = _around(around, wide, size)
    marks = [
        mark
        for name, row, found in zip(names, rows, codes, strict=True)
        for mark in _marks(graph, name, [*row, *found])
    ]
    return Panel(Scene((note, *labels)), tuple(marks))


def _lines(text: str) -> list[str]:
    """Return a line of code, a long one in several, broken before a plus or minus, or else before
    another operation.
    """
    found = []
    indent = ""
    while columns(indent + text) > COLUMNS:
        places = [m.start() for m in re.finditer(r" [-+*/@] ", text) if m.start()]
        fitting = [n for n in places if columns(indent + text[:n]) <= COLUMNS]
        if not places:
            break
        # A matrix and what it multiplies stay together if they can, then other factors.
        kinds = ([n for n in fitting if text[n + 1] in signs] for signs in ("+-", "*/"))
        place = next((those[-1] for those in kinds if those), places[0])
        found.append(indent + text[:place])
        text, indent = text[place + 1 :], "    "
    return [*found, indent + text]


def columns(code: str) -> int:
    """Return how many letters wide code is set: Chinese ones take two places."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in code)


def _around(labels: Sequence[Label], wide: float, size: float) -> Box:
    """Return the box behind the code, with room on both sides."""
    top, low = labels[0].y + 0.55 * size, labels[-1].y - 0.55 * size
    room = 0.35 * size
    left, right = labels[0].x - room, labels[0].x + wide + room
    return Box("code", "note", (left + right) / 2, (top + low) / 2, right - left, top - low, 0.1)


def _end(label: Label) -> float:
    return label.x + measured(label.text) * label.size


def _marks(graph: Graph, name: str, labels: Sequence[Label]) -> list[Box]:
    """Return the marks of the rows that compute a value, then those of what stands in them."""
    rows, terms = [], []
    for number, label in enumerate(labels):
        high = (0.66 if label.role == "code" else 0.5) * label.size
        width = (
            columns(label.text) * MONO * label.size
            if label.role == "code"
            else measured(label.text) * label.size
        )
        key = f"row {name}|{number}"
        middle = label.x + width / 2
        rows.append(Box(key, "row", middle, label.y, width + 0.2, high, 0.06))
        if label.role == "code":
            continue
        for value, (start, end) in _places(graph, name, label):
            left, right = label.x + start * label.size, label.x + end * label.size
            key = f"term {name}|{value}|{number} {len(terms)}"
            middle = (left + right) / 2
            terms.append(Box(key, "term", middle, label.y, right - left + 0.06, high * 0.92, 0.05))
    return [*rows, *terms]


def _places(graph: Graph, name: str, label: Label) -> list[tuple[str, tuple[float, float]]]:
    """Return where values stand in an equation: from where to where, in units of its size."""
    text = label.text.strip("$")
    known = {f"{state} before": symbol(state, "t-1") for state in graph.states}
    known |= {each: symbol(each, "t") for each in (*graph.inputs, *graph.lines)}
    found = []
    for value, sign in known.items():
        for match in re.finditer(rf"(?<![A-Za-z\\]){re.escape(sign)}(?![A-Za-z0-9])", text):
            before = text[: match.start()]
            if _is_whole(before):  # else it stands inside a fraction or a root
                start = measured(f"${before}$") if before else 0.0
                found.append((value, (start, start + measured(f"${sign}$"))))
    return found


def _is_whole(text: str) -> bool:
    """Return whether a piece of mathematics can be set by itself."""
    return all(text.count(a) == text.count(b) for a, b in (("{", "}"), ("\\left", "\\right")))


@lru_cache(maxsize=4096)
def measured(text: str) -> float:
    """Return how wide mathematics of size 1 is set, in units of a scene."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    with style():
        family = chinese() if any(ord(letter) > 0x2E80 for letter in text) else None
        font = FontProperties(family=family, size=POINTS * MATH)
        width = MathTextParser("path").parse(typeset(text), 72, font)[0]
    return float(width) / 72 / UNIT
