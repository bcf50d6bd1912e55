"""Ways along lines: their points, the places on them, and where a vector has room."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from .scene import Scene
from .shapes import Box, Line, Point, Shape, Strip
from .strokes import along as point_along
from .strokes import towards

FIELD = 0.17
"""The side of a field of a vector."""
BESIDE = FIELD / 2 + 0.04
"""From a line with a vector on it to the nearest label."""


def outline(shape: Shape, share: float = 1.0) -> tuple[Point, ...]:
    """Return the outline of a box, label or strip; of its lower share."""
    margin = {"box": 0.028, "label": 0.0, "strip": 0.02}[shape.kind]
    left, down, right, up = shape.bounds
    left, down, right, up = left - margin, down - margin, right + margin, up + margin
    if isinstance(shape, Box) and shape.width == 0:
        return ((left, down), (left, down), (left, down))
    radius = shape.radius + margin if isinstance(shape, Box) else 0.0
    radius = min(radius, (right - left) / 2, (up - down) / 2)
    centres = (
        (right - radius, down + radius, -90),
        (right - radius, up - radius, 0),
        (left + radius, up - radius, 90),
        (left + radius, down + radius, 180),
    )
    top = down + share * (up - down)
    return tuple(
        (
            x + radius * math.cos(math.radians(angle + turn)),
            min(top, y + radius * math.sin(math.radians(angle + turn))),
        )
        for x, y, angle in centres
        for turn in range(0, 91, 15)
    )


def track(line: Line) -> tuple[Point, ...]:
    """Return the points of a line with its round corners, and how it goes on where it joins."""
    points = list(line.points)
    if line.merge is not None:
        (x, y), (dx, dy) = points[-1], line.merge
        points.append((x + dx * 0.2, y + dy * 0.2))
    found = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        room = min(math.dist(before, corner), math.dist(corner, after)) / 2
        radius = min(line.radius, room if len(points) > 3 else 2 * room * 0.95)
        a, b = towards(corner, before, radius), towards(corner, after, radius)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            one, other = _mixed(a, corner, share), _mixed(corner, b, share)
            found.append(_mixed(one, other, share))
    return (*found, points[-1])


def _mixed(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def length(way: Sequence[Point]) -> float:
    """Return how long a way is."""
    return sum(math.dist(a, b) for a, b in pairwise(way))


def until(way: Sequence[Point], distance: float) -> list[Point]:
    """Return the first part of a way."""
    found = [way[0]]
    for a, b in pairwise(way):
        piece = math.dist(a, b)
        if distance <= piece:
            return [*found, towards(a, b, distance)]
        distance -= piece
        found.append(b)
    return found


def train(id_: str, way: Sequence[Point], vector: Sequence[float], front: float) -> Iterator[Strip]:
    """Return the fields of a vector on a way: what has not left or has arrived is not seen.

    Args:
        id_: of the line.
        way: its points.
        vector: its last value goes first.
        front: how far the first field has come.
    """
    whole = length(way)
    for n, value in enumerate(reversed(vector)):
        distance = front - (n + 0.5) * FIELD
        if 0 <= distance <= whole:
            x, y = point_along(way, distance)
            yield Strip(f"{id_} {len(vector) - 1 - n}", x, y, (value,), field=FIELD, across=True)


def parked(scene: Scene, vectors: Mapping[str, Sequence[float]]) -> dict[str, Strip]:
    """Return a strip for each vector on a straight piece of its line where nothing crosses.

    Args:
        scene: with the lines.
        vectors: by net: by what the lines that carry one value have in common.

    Returns:
        The strips by net; one whose lines have no room has none.
    """
    found: dict[str, Strip] = {}
    for line in scene.lines:
        if (vector := vectors.get(line.net, ())) and line.net not in found:
            pieces = [
                piece for pair in pairwise(line.points) for piece in _free(scene, line, *pair)
            ]
            need = len(vector) * FIELD + 0.04
            room = next((piece for piece in pieces if math.dist(*piece) >= need), None)
            if room is not None:
                found[line.net] = _laid(f"at {line.net}", *room, vector)
    return found


def _laid(id_: str, a: Point, b: Point, vector: Sequence[float]) -> Strip:
    """Return a strip in the middle of a straight piece, in the order in which it goes along."""
    (x, y), across = _mixed(a, b, 0.5), abs(a[1] - b[1]) < abs(a[0] - b[0])
    # A strip that stands begins at its top, one that lies at its left.
    turned = a[0] > b[0] if across else a[1] < b[1]
    return Strip(id_, x, y, tuple(vector)[:: -1 if turned else 1], field=FIELD, across=across)


def _free(scene: Scene, line: Line, a: Point, b: Point) -> list[tuple[Point, Point]]:
    """Return the parts of a straight piece on which no other line lies, ends or turns off, and
    no label stands beside.
    """
    whole = math.dist(a, b)
    if whole == 0:
        return []
    ux, uy = (b[0] - a[0]) / whole, (b[1] - a[1]) / whole
    cuts = [(0.0, 0.05), (whole, 0.17)]
    for other in scene.lines:
        points = list(other.points)
        for c, d in pairwise(points) if other is not line else ():
            sides = [(p[0] - a[0]) * uy - (p[1] - a[1]) * ux for p in (c, d)]
            along = [(p[0] - a[0]) * ux + (p[1] - a[1]) * uy for p in (c, d)]
            if min(sides) > 0.1 or max(sides) < -0.1:
                continue
            if max(along) < 1e-6 or min(along) > whole - 1e-6:
                continue
            if abs(sides[0] - sides[1]) < 1e-6:  # along it: the ends are where it turns off
                if other.net != line.net:
                    return []
                cuts += [(place, 0.16) for place in along]
            else:
                cuts.append((sum(along) / 2, 0.16))
    for label in scene.labels:
        left, down, right, up = label.bounds
        corners = ((left, down), (right, up))
        sides = sorted((x - a[0]) * uy - (y - a[1]) * ux for x, y in corners)
        along = sorted((x - a[0]) * ux + (y - a[1]) * uy for x, y in corners)
        if sides[0] < BESIDE and sides[1] > -BESIDE and along[0] < whole and along[1] > 0:
            cuts.append((sum(along) / 2, (along[1] - along[0]) / 2))
    places = sorted((place - reach, place + reach) for place, reach in cuts)
    free, start = [], places[0][1]
    for low, high in places[1:]:
        if low > start:
            free.append((point_along((a, b), start), point_along((a, b), min(low, whole))))
        start = max(start, high)
    return free
