"""Shapes: boxes, lines, labels and strips, as plain data that matplotlib or a page can draw.

One unit is about the height of a learned layer's box; y points up. Texts may hold mathematics
between dollar signs, in the part of LaTeX that matplotlib's mathtext knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, final

from ..display import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Light = Literal["plain", "lit", "dim"]
"""The emphasis of a shape: highlighted, put back, or neither."""

Point = tuple[float, float]
Bounds = tuple[float, float, float, float]
"""Left, bottom, right, top."""


def hull(bounds: Sequence[Bounds]) -> Bounds:
    """Return the bounds of everything."""
    left, down, right, up = zip(*bounds, strict=True)
    return min(left), min(down), max(right), max(up)


@final
@dataclass(frozen=True)
class Box:
    """A rectangle with round corners; with a radius of half its height, a circle or a pill.

    Attributes:
        role: what it stands for, which decides its colours: layer, operation, learned, ...
        x, y: its centre.
        text: what stands in it.
        nodes: places in ``graph.order`` of the nodes that it stands for.
        value: a number that it is coloured by.
    """

    kind: ClassVar = "box"
    id: str
    role: str
    x: float
    y: float
    width: float
    height: float
    radius: float = 0.1
    text: str = ""
    size: float = 1.0
    nodes: tuple[int, ...] = ()
    value: float | None = None
    light: Light = "plain"

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right, top."""
        w, h = self.width / 2, self.height / 2
        return self.x - w, self.y - h, self.x + w, self.y + h

    def moved(self, dx: float, dy: float) -> Box:
        """Return the same box elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@final
@dataclass(frozen=True)
class Line:
    """A line with round corners through points, from one shape to another.

    Attributes:
        source, target: ids of the shapes that it joins, empty where there is none.
        net: lines of one net carry the same value and may run on top of each other.
        arrow: whether its end has a head.
        merge: where it joins another line: the direction in which that line goes on.
    """

    kind: ClassVar = "line"
    id: str
    points: tuple[Point, ...]
    role: str = "wire"
    source: str = ""
    target: str = ""
    net: str = ""
    arrow: bool = True
    merge: Point | None = None
    width: float = 1.0
    radius: float = 0.16
    value: float | None = None
    light: Light = "plain"

    __repr__ = text_of

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right, top."""
        xs, ys = zip(*self.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    def moved(self, dx: float, dy: float) -> Line:
        """Return the same line elsewhere."""
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


@final
@dataclass(frozen=True)
class Label:
    """A piece of text.

    Attributes:
        align: which side of the text (x, y) is: left, center, right.
        size: in units of the usual label.
        names: the values of the graph that it names.
    """

    kind: ClassVar = "label"
    id: str
    text: str
    x: float
    y: float
    role: str = "name"
    align: Literal["left", "center", "right"] = "center"
    size: float = 1.0
    names: tuple[str, ...] = ()
    light: Light = "plain"

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right, top, by an estimate of the text's width."""
        tall = 2.6 if "\\frac" in self.text else 1.15
        width, height = text_width(self.text) * self.size, LETTER * tall * self.size
        left = {"left": 0.0, "center": width / 2, "right": width}[self.align]
        return self.x - left, self.y - height / 2, self.x - left + width, self.y + height / 2

    def moved(self, dx: float, dy: float) -> Label:
        """Return the same label elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


@final
@dataclass(frozen=True)
class Strip:
    """A vector: a row of small fields coloured by numbers.

    Attributes:
        x, y: its centre.
        values: from -1 to 1; of the role "share" from 0 to 1, in colours of their own.
        across: whether the fields stand side by side rather than on top of each other.
    """

    kind: ClassVar = "strip"
    id: str
    x: float
    y: float
    values: tuple[float, ...]
    role: str = "vector"
    field: float = 0.2
    across: bool = False
    light: Light = "plain"

    __repr__ = text_of

    @property
    def bounds(self) -> Bounds:
        """Left, bottom, right, top."""
        long, short = len(self.values) * self.field / 2, self.field / 2
        w, h = (long, short) if self.across else (short, long)
        return self.x - w, self.y - h, self.x + w, self.y + h

    def moved(self, dx: float, dy: float) -> Strip:
        """Return the same strip elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)


Shape = Box | Line | Label | Strip
KINDS: dict[str, type[Shape]] = {shape.kind: shape for shape in (Box, Line, Label, Strip)}
LETTER = 0.3
"""The height of a label's letters."""


NARROW, WIDE = frozenset("ijlftI.,:;'|!()[]/"), frozenset("mwMW%@…+=<>−→÷×")
"""Letters of plain text that are less or more than usually wide."""
COMMANDS = {
    **{"omega": 0.8, "phi": 0.8, "psi": 0.8, "infty": 1.1, "_": 0.55},
    **{"tanh": 2.15, "exp": 1.85, "log": 1.6, "max": 2.2, "min": 2.0, "cdots": 1.1, "frac": 0.0},
    **{
        "odot": 0.8,
        "times": 0.75,
        "div": 0.75,
        "leq": 0.8,
        "geq": 0.8,
        "sum": 1.2,
        "prod": 1.2,
        "to": 1.2,
    },
    **{
        ",": 0.2,
        ";": 0.35,
        "!": 0.0,
        "mathrm": 0.0,
        "mathbf": 0.0,
        "mathit": 0.0,
        "left": 0.0,
        "right": 0.0,
    },
}
"""The widths of commands of LaTeX; 0 for those that take no room."""
SIGNS = frozenset(["+", "-", "=", "<", ">", ":", "\\odot", "\\times", "\\div", "\\leq", "\\geq"])
"""Signs with room on both sides in a formula."""
SMALL = 0.7
"""The size of subscripts and exponents."""


def text_width(text: str) -> float:
    """Estimate the width of a label, rather more than less, by the classes of its letters.

    >>> text_width("wide") > text_width("$f_t$") > 0
    True
    """
    parts = re.split(r"(?<!\\)\$", text)
    plain = sum(map(_plain_width, "".join(parts[::2]).replace("\\$", "$")))
    return (plain + sum(map(_math_width, parts[1::2]))) * LETTER


def _plain_width(letter: str) -> float:
    if ord(letter) > 0x2E80:
        return 1.0
    if letter in NARROW or letter == " ":
        return 0.36
    return 0.98 if letter in WIDE else 0.77 if letter.isupper() else 0.63


def _math_width(text: str) -> float:
    width, scales, small = 0.0, [1.0], False
    text = _without_fractions(text)
    for token in re.findall(r"\\[A-Za-z]+|\\.|.", text):
        if token in ("_", "^"):
            small = True
            continue
        scale = scales[-1] * (SMALL if small else 1.0)
        small = False
        if token == "{":
            scales.append(scale)
        elif token == "}":
            scales.pop()
        else:
            width += scale * (
                _symbol_width(token) + 0.4 * (token in SIGNS and width > 0 and len(scales) == 1)
            )
    return width


def _without_fractions(text: str) -> str:
    """Return the text with only the wider part of each fraction."""
    while "\\frac{" in text:
        before, _, rest = text.partition("\\frac{")
        upper, rest = _group(rest)
        lower, rest = _group(rest.removeprefix("{"))
        text = before + max(upper, lower, key=_math_width) + rest
    return text


def _group(text: str) -> tuple[str, str]:
    """Return what stands before the brace that closes a group, and what stands behind it."""
    depth = 1
    for place, letter in enumerate(text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0:
            return text[:place], text[place + 1 :]
    return text, ""


def _symbol_width(token: str) -> float:
    if token.startswith("\\"):
        return COMMANDS.get(token[1:], 0.7)
    if token in SIGNS:
        return 0.8
    if ord(token) > 0x2E80:
        return 1.1
    if token == " ":
        return 0.0
    if token in NARROW:
        return 0.37
    return 1.1 if token in "MW" else 0.95 if token in WIDE or token.isupper() else 0.6
