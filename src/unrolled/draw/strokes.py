"""The lines of a scene as strokes: one path for each value, with gaps where others pass over it."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from .palette import WIRE, WIRE_DIM, WIRE_LIT
from .shapes import Light, Line, Point

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes

WIDTH = 2.0
"""Points of a line's width."""
HEAD = 0.17
"""Length of an arrow's head."""
GAP = 0.085
"""Half of a gap in a level line where an upright one passes."""
SEAM = 0.02
"""How far a line that goes straight into a join runs on, so that no seam can be seen."""
CLOSE = 1e-6


class Stroke(NamedTuple):
    """What is drawn in one go: the lines of one value in one light.

    Attributes:
        pieces: unbroken polylines.
        radius: of their corners.
        tips: of arrows, each with the point that its line comes from.
    """

    color: str
    width: float
    radius: float
    light: Light
    pieces: tuple[tuple[Point, ...], ...]
    tips: tuple[tuple[Point, Point], ...]


def strokes(lines: Sequence[Line]) -> list[Stroke]:
    """Return the strokes of lines, those that lie above others last.

    >>> fork = [Line("a", ((0, 0), (2, 0)), net="v"), Line("b", ((0, 0), (1, 0), (1, 1)), net="v")]
    >>> [len(stroke.pieces) for stroke in strokes(fork)]
    [2]
    """
    groups: dict[tuple[Any, ...], list[Line]] = {}
    for line in lines:
        look = line.net or line.id, line.light, line.role, line.width, line.radius
        groups.setdefault(look, []).append(line)
    made = [_stroke(group, lines) for group in groups.values()]
    return sorted(made, key=lambda stroke: ("dim", "plain", "lit").index(stroke.light))


def draw(lines: Sequence[Line], axes: Axes) -> None:
    """Draw lines on the axes of a figure."""
    from matplotlib.patches import PathPatch, Polygon

    found = strokes(lines)
    for number, stroke in enumerate(found):
        z = 2 + number / (len(found) + 1)
        pen: dict[str, Any] = {"edgecolor": stroke.color, "linewidth": stroke.width, "zorder": z}
        pen |= {"facecolor": "none", "capstyle": "butt", "joinstyle": "round", "snap": False}
        axes.add_patch(PathPatch(_path(stroke), **pen))
        for tip, origin in stroke.tips:
            look: dict[str, Any] = {"facecolor": stroke.color, "edgecolor": "none", "snap": False}
            axes.add_patch(Polygon(_head(tip, origin), closed=True, **look, zorder=z + 1))


def _stroke(group: list[Line], lines: Sequence[Line]) -> Stroke:
    pieces: list[tuple[Point, ...]] = []
    drawn: list[tuple[Point, ...]] = []
    for line in group:
        points = _ended(line)
        own = _own(points, drawn, line.radius)
        drawn.append(points)
        pieces += _broken(own, line, lines)
    first = group[0]
    plain = "#8d99a6" if first.role == "thread" else WIRE
    color = {"plain": plain, "dim": WIRE_DIM, "lit": WIRE_LIT}[first.light]
    width = WIDTH * first.width * (1.35 if first.light == "lit" else 1.0)
    tips = tuple((line.points[-1], line.points[-2]) for line in group if line.arrow)
    return Stroke(color, width, first.radius, first.light, tuple(pieces), tips)


def _ended(line: Line) -> tuple[Point, ...]:
    """Return the points of a line up to its arrow's head, or on into the line that it joins."""
    points = list(line.points)
    if line.merge is not None:
        (a, b), (c, d) = points[-2:]
        dx, dy = line.merge
        straight = (c - a) * dx + (d - b) * dy > CLOSE
        reach = SEAM if straight else line.radius + SEAM
        onward = (c + dx * reach, d + dy * reach)
        points = [*points[:-1], onward] if straight else [*points, onward]
    elif line.arrow:
        points[-1] = towards(points[-1], points[-2], HEAD * 0.8)
    return tuple(points)


def _own(
    points: tuple[Point, ...], drawn: list[tuple[Point, ...]], radius: float
) -> tuple[Point, ...]:
    """Return the part of a line that no other one of its value runs along, from shortly before the
    place where it branches off.
    """
    shared = max((_shared(points, other) for other in drawn), default=0.0)
    if shared <= CLOSE:
        return points
    start = max(0.0, shared - radius)
    rest, at = [along(points, start)], 0.0
    for a, b in pairwise(points):
        at += math.dist(a, b)
        if at > start + CLOSE:
            rest.append(b)
    return tuple(rest) if len(rest) > 1 else ()


def _shared(points: tuple[Point, ...], other: tuple[Point, ...]) -> float:
    """Return how far two polylines run along each other from their beginning."""
    length = 0.0
    one, two = list(points), list(other)
    if not _same(one[0], two[0]):
        return 0.0
    while len(one) > 1 and len(two) > 1:
        a, b = math.dist(one[0], one[1]), math.dist(two[0], two[1])
        step = min(a, b)
        p, q = towards(one[0], one[1], step), towards(two[0], two[1], step)
        if not _same(p, q):
            return length
        length += step
        one = one[1:] if a - step < CLOSE else [p, *one[1:]]
        two = two[1:] if b - step < CLOSE else [q, *two[1:]]
    return length


def _same(a: Point, b: Point) -> bool:
    return math.dist(a, b) < CLOSE


def along(points: Sequence[Point], distance: float) -> Point:
    """Return the point of a polyline at a distance from its beginning."""
    for a, b in pairwise(points):
        length = math.dist(a, b)
        if distance <= length:
            return towards(a, b, distance)
        distance -= length
    return points[-1]


def _broken(
    points: tuple[Point, ...], line: Line, lines: Sequence[Line]
) -> list[tuple[Point, ...]]:
    """Return a polyline in pieces, with gaps where upright lines of other values pass over it."""
    pieces: list[list[Point]] = [list(points[:1])]
    for a, b in pairwise(points):
        ahead = 1 if b[0] > a[0] else -1
        for x in sorted(_over(a, b, line, lines), key=lambda x: ahead * x):
            pieces[-1].append((x - ahead * GAP, a[1]))
            pieces.append([(x + ahead * GAP, a[1])])
        pieces[-1].append(b)
    return [tuple(piece) for piece in pieces if len(piece) > 1]


def _over(a: Point, b: Point, line: Line, lines: Iterable[Line]) -> set[float]:
    """Return where upright pieces of other values' lines cross a level piece."""
    if abs(a[1] - b[1]) > CLOSE or not line.net:
        return set()
    found = set()
    for other in lines:
        hidden = other.light == "dim" and line.light == "lit"
        if other.net in ("", line.net) or hidden:
            continue
        for (c, d), (e, f) in pairwise(other.points):
            upright = abs(c - e) < CLOSE and min(d, f) + CLOSE < a[1] < max(d, f) - CLOSE
            if upright and min(a[0], b[0]) + CLOSE < c < max(a[0], b[0]) - CLOSE:
                found.add(round(c, 6))
    return found


# Paths.


def _path(stroke: Stroke) -> Any:
    """Return the pieces of a stroke with round corners, as one path of matplotlib's."""
    from matplotlib.path import Path

    vertices: list[Point] = []
    codes: list[Any] = []
    for points in stroke.pieces:
        vertices.append(points[0])
        codes.append(Path.MOVETO)
        for before, corner, after in zip(points, points[1:], points[2:], strict=False):
            room = min(math.dist(before, corner), math.dist(corner, after))
            ends = before == points[0], after == points[-1]
            r = min(stroke.radius, room if any(ends) else room / 2)
            vertices += [towards(corner, before, r), corner, towards(corner, after, r)]
            codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
        vertices.append(points[-1])
        codes.append(Path.LINETO)
    return Path(vertices, codes)


def _head(tip: Point, origin: Point) -> list[Point]:
    """Return the corners of an arrow's head."""
    base = towards(tip, origin, HEAD)
    dx, dy = (tip[0] - base[0]) / HEAD, (tip[1] - base[1]) / HEAD
    half = HEAD * 0.42
    return [
        tip,
        (base[0] - dy * half, base[1] + dx * half),
        (base[0] + dx * HEAD * 0.2, base[1] + dy * HEAD * 0.2),
        (base[0] + dy * half, base[1] - dx * half),
    ]


def towards(a: Point, b: Point, distance: float) -> Point:
    """Return the point at a distance from one point on the way to another."""
    length = math.hypot(b[0] - a[0], b[1] - a[1]) or 1.0
    return a[0] + (b[0] - a[0]) * distance / length, a[1] + (b[1] - a[1]) * distance / length
