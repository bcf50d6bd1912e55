"""A picture: a figure, and the frames of its animation where it has one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from .scene import Scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HOLD = 1.6
"""Seconds for which the last frame of an animation stands."""


@final
@dataclass(frozen=True)
class Frame:
    """One frame of an animation and how many seconds it stands."""

    make: Callable[[], Figure]
    seconds: float = 0.5


@final
@dataclass(frozen=True)
class Picture:
    """What a drawing gives: shown by notebooks, written by `save`.

    Attributes:
        make: the still figure.
        frames: of the animation, empty where nothing moves.
        scene: what the still figure shows, where it is made of a scene.
        values: the numbers that it shows, by name.
    """

    make: Callable[[], Figure]
    frames: Sequence[Frame] = ()
    scene: Scene | None = None
    values: dict[str, Any] | None = None

    def figure(self) -> Figure:
        """The still picture as a matplotlib figure."""
        from .type import dressed, style

        with style():
            return dressed(self.make())

    def save(self, path: Any) -> None:
        """Write the picture; the ending says the kind: png, svg, pdf, json, gif or mp4.

        Raises:
            DrawError: a kind that cannot be written, or a still picture as an animation.
        """
        from .output import save

        save(self, path)

    def _repr_svg_(self) -> str:
        from .output import encode

        return encode(self, "svg").decode()

    def _repr_png_(self) -> bytes:
        from .output import encode

        return encode(self, "png")


def still(scene: Scene, **values: Any) -> Picture:
    """The picture of a scene."""
    from .render import figure

    return Picture(lambda: figure(scene), (), scene, values or None)


def moving(
    scenes: Sequence[Scene], seconds: float = 0.6, shown: Scene | None = None, **values: Any
) -> Picture:
    """The animation of scenes, all cut to the same bounds; the still picture is the last one."""
    from .render import figure

    sides = list(zip(*(scene.bounds for scene in scenes), strict=True))
    bounds = (min(sides[0]), min(sides[1]), max(sides[2]), max(sides[3]))
    frames = [
        Frame(
            lambda scene=scene: figure(scene, bounds),
            HOLD if number == len(scenes) - 1 else seconds,
        )
        for number, scene in enumerate(scenes)
    ]
    kept = shown if shown is not None else scenes[-1]
    return Picture(lambda: figure(kept), frames, kept, values or None)
