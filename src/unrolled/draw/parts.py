"""Pieces that several drawings are put together from."""

from __future__ import annotations

from .scene import Scene
from .shapes import Box, Label, Light, Line, Point, Shape

CIRCLE = 0.38
"""Radius of inputs and outputs."""
WIDE, HIGH, PITCH = 1.5, 1.1, 2.5
"""The closed box of a step, and from one to the next."""


def circle(id_: str, role: str, x: float, y: float, text: str, radius: float = CIRCLE) -> Box:
    """Return an input or output."""
    return Box(id_, role, x, y, 2 * radius, 2 * radius, radius, text)


def block(
    id_: str, x: float, y: float, text: str = "$A$", width: float = WIDE, height: float = HIGH
) -> Box:
    """Return a step whose inside is not shown."""
    return Box(id_, "closed", x, y, width, height, 0.18, text, 1.15)


def arrow(
    id_: str, *points: Point, light: Light = "plain", net: str = "", head: bool = True
) -> Line:
    """Return an arrow through points."""
    return Line(id_, points, net=net or id_, arrow=head, light=light)


def caption(id_: str, x: float, y: float, text: str, size: float = 0.8) -> Label:
    """Return a line of plain words."""
    return Label(id_, text, x, y, "caption", size=size)


def above(scene: Scene, text: str, size: float = 1.0, gap: float = 0.45) -> Scene:
    """Return a scene with a title over it, in the middle."""
    left, _, right, up = scene.bounds
    return scene + Scene((Label("title", text, (left + right) / 2, up + gap, "title", size=size),))


def below(scene: Scene, text: str, size: float = 0.8, gap: float = 0.5) -> Scene:
    """Return a scene with a line of words under it, in the middle."""
    left, down, right, _ = scene.bounds
    return scene + Scene(
        (Label("under", text, (left + right) / 2, down - gap, "caption", size=size),)
    )


def step(
    id_: str, x: float, token: str, out: str, light: Light = "plain", y: float = 0.0
) -> list[Shape]:
    """Return a closed step with its input below and its output above."""
    low, high = y - HIGH / 2, y + HIGH / 2
    return [
        Line(f"in {id_}", ((x, low - 0.85), (x, low)), net=f"x {id_}", light=light),
        Line(f"out {id_}", ((x, high), (x, high + 0.85)), net=f"h {id_}", light=light),
        block(f"A {id_}", x, y),
        circle(f"x {id_}", "input", x, low - 0.85 - CIRCLE, token),
        circle(f"h {id_}", "output", x, high + 0.85 + CIRCLE, out),
    ]
