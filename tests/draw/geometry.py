"""What must hold in a scene, computed from its numbers alone."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

from unrolled.draw.scene import Scene
from unrolled.draw.shapes import Box, Label, Line

CLOSE = 1e-6
Rectangle = tuple[float, float, float, float]


def shrunk(bounds: Rectangle, by: float = CLOSE) -> Rectangle:
    left, down, right, up = bounds
    return left + by, down + by, right - by, up - by


def overlap(one: Rectangle, other: Rectangle) -> bool:
    a, b, c, d = shrunk(one)
    left, down, right, up = other
    return a < right and left < c and b < up and down < d


Segment = tuple[tuple[float, float], tuple[float, float]]


def segments(line: Line) -> list[Segment]:
    """The straight pieces of a line."""
    return list(pairwise(line.points))


def pieces(line: Line) -> list[Rectangle]:
    """The level and upright pieces of a line, as rectangles without width."""
    return [
        (min(a, c), min(b, d), max(a, c), max(b, d))
        for (a, b), (c, d) in segments(line)
        if abs(a - c) < CLOSE or abs(b - d) < CLOSE
    ]


def runs_into(segment: Segment, bounds: Rectangle) -> bool:
    """Whether a straight piece, slanted or not, goes through a rectangle (Liang & Barsky)."""
    (a, b), (c, d) = segment
    left, down, right, up = shrunk(bounds)
    low, high = 0.0, 1.0
    for at, way, least, most in ((a, c - a, left, right), (b, d - b, down, up)):
        if abs(way) < CLOSE:
            if not least < at < most:
                return False
            continue
        ends = sorted(((least - at) / way, (most - at) / way))
        low, high = max(low, ends[0]), min(high, ends[1])
    return low < high


def slanted(scene: Scene) -> list[str]:
    return [
        line.id
        for line in scene.lines
        for (a, b), (c, d) in segments(line)
        if abs(a - c) > CLOSE and abs(b - d) > CLOSE
    ]


def things(scene: Scene) -> list[Box]:
    """The boxes that nothing may cross."""
    around = ("frame", "note", "row", "term", "opening")
    return [box for box in scene.boxes.values() if box.role not in around and box.width]


def crossed_boxes(scene: Scene) -> list[tuple[str, str]]:
    return [
        (line.id, box.id)
        for line in scene.lines
        for box in things(scene)
        for segment in segments(line)
        if _through(segment, box)
    ]


def _through(segment: Segment, box: Box) -> bool:
    """Whether a piece goes through a box, or through the circle that it is."""
    if not box.width == box.height <= 2 * box.radius + CLOSE:
        return runs_into(segment, box.bounds)
    (a, b), (c, d) = segment
    long = (c - a) ** 2 + (d - b) ** 2
    along = ((box.x - a) * (c - a) + (box.y - b) * (d - b)) / long if long else 0.0
    along = max(0.0, min(1.0, along))
    away = math.hypot(a + along * (c - a) - box.x, b + along * (d - b) - box.y)
    return away < box.radius - 1e-3


def overlapping_boxes(scene: Scene) -> list[tuple[str, str]]:
    pairs = combinations(things(scene), 2)
    return [(a.id, b.id) for a, b in pairs if overlap(a.bounds, b.bounds)]


def touched_labels(scene: Scene) -> list[tuple[str, str]]:
    """Labels that a line, a box or another label runs into."""
    labels = [label for label in scene.labels if label.text]
    found = [
        (label.id, line.id)
        for label in labels
        for line in scene.lines
        for segment in segments(line)
        if runs_into(segment, label.bounds)
    ]
    found += [
        (label.id, box.id)
        for label in labels
        for box in things(scene)
        if overlap(label.bounds, box.bounds)
    ]
    return found + [(a.id, b.id) for a, b in combinations(labels, 2) if _meet(a, b)]


def _meet(a: Label, b: Label) -> bool:
    return overlap(a.bounds, b.bounds)


def shared_ways(scene: Scene) -> list[tuple[str, str]]:
    """Lines of different values that run on top of each other."""
    found = []
    for a, b in combinations(scene.lines, 2):
        if a.net == b.net:
            continue
        for left, down, right, up in pieces(a):
            for e, f, g, h in pieces(b):
                across = min(right, g) - max(left, e)
                along = min(up, h) - max(down, f)
                beside = min(across, along) > -CLOSE and max(across, along) > CLOSE
                if beside and (right - left > CLOSE) == (g - e > CLOSE):
                    found.append((a.id, b.id))
    return found


def problems(scene: Scene) -> dict[str, object]:
    """Everything that is wrong with a scene."""
    found: dict[str, object] = {
        "slanted": slanted(scene),
        "crossed boxes": crossed_boxes(scene),
        "overlapping boxes": overlapping_boxes(scene),
        "touched labels": touched_labels(scene),
        "shared ways": shared_ways(scene),
    }
    return {name: value for name, value in found.items() if value}
