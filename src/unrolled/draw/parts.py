"""Pieces that several drawings are put together from."""

from __future__ import annotations

from .formulas import measured
from .scene import Scene
from .shapes import Box, Label, Line, Point, Shape

CIRCLE = 0.38
"""Radius of inputs and outputs."""
FREE = 0.12
"""Of their width, what letters leave free."""
WIDE, HIGH, PITCH = 1.5, 1.1, 2.5
"""The closed box of a step, and from one to the next."""


def circle(id_: str, role: str, x: float, y: float, text: str, radius: float = CIRCLE) -> Box:
    """Return an input or output; letters that would fill it from wall to wall are smaller."""
    size = min(1.0, (2 * radius - FREE) / max(measured(text), FREE)) if text else 1.0
    return Box(id_, role, x, y, 2 * radius, 2 * radius, radius, text, size)


def block(id_: str, x: float, text: str = "$A$") -> Box:
    """Return a step whose inside is not shown."""
    return Box(id_, "closed", x, 0, WIDE, HIGH, 0.18, text, 1.15)


def arrow(id_: str, *points: Point, head: bool = True) -> Line:
    """Return an arrow through points."""
    return Line(id_, points, net=id_, arrow=head)


def above(scene: Scene, text: str) -> Scene:
    """Return a scene with a title over it, in the middle."""
    left, _, right, up = scene.bounds
    return scene + Scene((Label("title", text, (left + right) / 2, up + 0.45, "title"),))


def below(scene: Scene, text: str) -> Scene:
    """Return a scene with a line of words under it, in the middle."""
    left, down, right, _ = scene.bounds
    return scene + Scene(
        (Label("under", text, (left + right) / 2, down - 0.5, "caption", size=0.8),)
    )


def step(id_: str, x: float, token: str, out: str) -> list[Shape]:
    """Return a closed step with its input below and its output above."""
    low, high = -HIGH / 2, HIGH / 2
    return [
        Line(f"in {id_}", ((x, low - 0.85), (x, low)), net=f"x {id_}"),
        Line(f"out {id_}", ((x, high), (x, high + 0.85)), net=f"h {id_}"),
        block(f"A {id_}", x),
        circle(f"x {id_}", "input", x, low - 0.85 - CIRCLE, token),
        circle(f"h {id_}", "output", x, high + 0.85 + CIRCLE, out),
    ]
