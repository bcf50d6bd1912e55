import math
from itertools import pairwise

import numpy
import pytest

from unrolled.cells import CELLS
from unrolled.draw import scene_of
from unrolled.draw.scene import Scene
from unrolled.draw.shapes import Line, Point
from unrolled.draw.strokes import GAP, strokes


def length(points: tuple[Point, ...]) -> float:
    return sum(math.dist(a, b) for a, b in pairwise(points))


def union(lines: list[Line]) -> float:
    """How long lines are together, by cutting them at all their points."""
    cuts = sorted({v for line in lines for p in line.points for v in p})
    pieces = set()
    for line in lines:
        for (a, b), (c, d) in pairwise(line.points):
            low, high = min((a, b), (c, d)), max((a, b), (c, d))
            along = [v for v in cuts if low[a == c] <= v <= high[a == c]]
            pieces |= {(a == c, a if a == c else b, v, w) for v, w in pairwise(along)}
    return sum(w - v for _, _, v, w in pieces)


@pytest.mark.parametrize("name", CELLS)
def test_no_piece_of_a_value_is_drawn_twice(name: str) -> None:
    lines = scene_of(CELLS[name]).lines
    by_net: dict[str, list[Line]] = {}
    for line in lines:
        by_net.setdefault(line.net, []).append(line)
    found = strokes(lines)
    assert len(found) == len(by_net)
    for group, stroke in zip(by_net.values(), found, strict=True):
        drawn = sum(map(length, stroke.pieces))
        # Branches begin where the curve does; heads, gaps and joins change a little at their ends.
        ends = len(group) * (0.17 + 0.2) + 2 * GAP * len(stroke.pieces)
        assert abs(drawn - union(group)) < ends


def test_a_level_line_has_a_gap_where_another_value_passes() -> None:
    level = Line("a", ((0, 0), (4, 0)), net="a", arrow=False)
    upright = Line("b", ((2, -1), (2, 1)), net="b", arrow=False)
    one, two = strokes([level, upright])
    assert one.pieces == (((0, 0), (2 - GAP, 0)), ((2 + GAP, 0), (4, 0)))
    assert two.pieces == (((2, -1), (2, 1)),)
    backwards = Line("a", ((4, 0), (0, 0)), net="a", arrow=False)
    assert strokes([backwards, upright])[0].pieces[0] == ((4, 0), (2 + GAP, 0))


def test_lines_of_one_value_are_not_cut_by_each_other() -> None:
    fork = [
        Line("a", ((0, 0), (4, 0)), net="a", arrow=False, radius=0.25),
        Line("b", ((0, 0), (2, 0), (2, 1)), net="a", arrow=False, radius=0.25),
    ]
    (stroke,) = strokes(fork)
    assert stroke.pieces == (((0, 0), (4, 0)), ((1.75, 0), (2, 0), (2, 1)))


def test_a_drawn_gap_shows_the_ground_whatever_its_colour() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from unrolled.draw.render import figure
    from unrolled.draw.shapes import Box

    ground = Box("frame", "frame", 0, 0, 4, 4)
    lines = (
        Line("a", ((-1, 0), (1, 0)), net="a", arrow=False),
        Line("b", ((0, -1), (0, 1)), net="b", arrow=False),
    )
    scene = Scene((ground, *lines))
    canvas = FigureCanvasAgg(figure(scene.shapes, scene.bounds))
    canvas.draw()
    pixels = numpy.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    row = pixels[pixels.shape[0] // 2]
    middle = pixels.shape[1] // 2
    dark = row.sum(-1) < 300
    assert dark[middle] or dark[middle - 1]
    beside = dark[middle + 2 : middle + 12]
    assert not beside[1:4].any()  # the gap
    assert dark[middle + 10 : middle + 30].all()  # the line goes on
