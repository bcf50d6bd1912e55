"""A picture: a figure, the frames of its animation where it has one, and their files.

A file is written whole under another name first, then renamed.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from .. import atomic
from ..display import LETTERS, brief, drawing, listed, short
from ..errors import DrawError, refusing
from .frames import PIXELS, Frame, images
from .render import encoded, figure, svg_file
from .scene import Scene
from .shapes import hull
from .type import dressed, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST, HOLD = 1.0, 1.6
"""Seconds for which the first and the last frame of an animation stand: both are the finished
picture, the first for whoever shows a file without playing it.
"""
STILL = ("png", "svg", "pdf", "json")
MOVING = ("gif", "mp4")


@final
@dataclass(frozen=True)
class Picture:
    """The result of a drawing: shown by notebooks, written by `save`.

    Attributes:
        make: the still figure.
        frames: of the animation, empty where nothing moves.
        scene: what the still figure shows, where it is made of a scene.
        values: the numbers that it shows, by name.
        title: what it is, for who cannot see it.
        about: what it shows, for who cannot see it.
        language: of its words, en or zh.
    """

    make: Callable[[], Figure]
    frames: Sequence[Frame] = ()
    scene: Scene | None = None
    values: dict[str, Any] | None = None
    title: str = ""
    about: str = ""
    language: str = "en"

    def figure(self) -> Figure:
        """Return the still picture as a matplotlib figure."""
        with style():
            return dressed(self.make(), self.language)

    def save(self, path: Any) -> None:
        """Write the picture; the ending says the kind: png, svg, pdf, json, gif or mp4.

        Raises:
            DrawError: a kind that cannot be written, or a still picture as an animation.
        """
        save(self, path)

    def __repr__(self) -> str:
        parts = [brief(self._name)] if self._name else []
        parts += [] if self.scene is None else [f"{len(self.scene.shapes)} shapes"]
        seconds = sum(frame.seconds for frame in self.frames)
        parts += [f"{len(self.frames)} frames, {seconds:.3g} s"] if self.frames else []
        parts += [f"values: {listed(list(self.values))}"] if self.values else []
        return short(f"Picture({'; '.join(parts)})", LETTERS)

    @property
    def _name(self) -> str:
        return self.title or ("" if self.scene is None else self.scene.title)

    def _repr_html_(self) -> str:
        """Return the animation, or else the picture, no wider than the page that shows it."""
        if not self.frames:
            return drawing(encode(self, "svg").decode())
        film = base64.b64encode(encode(self, "gif")).decode()
        says = escape(". ".join(filter(None, (self._name, self.about))) or "animation", quote=True)
        return f"<img style='max-width:100%' alt='{says}' src='data:image/gif;base64,{film}'>"

    def _repr_svg_(self) -> str | None:
        return None if self.frames else encode(self, "svg").decode()

    def _repr_png_(self) -> bytes:
        return encode(self, "png")


def animated(
    make: Callable[[Any], Figure],
    moments: Sequence[Any],
    seconds: float,
    values: dict[str, Any] | None = None,
) -> Picture:
    """Return the animation of a figure that is made for each of some moments.

    It begins with the still picture, then shows the moments.

    Args:
        make: the figure of a moment; that of the last one is the still picture.
        moments: in their order.
        seconds: for which each stands; the last one stands for `HOLD`.
        values: the numbers that it shows, by name.
    """
    frames = [Frame(partial(make, moment), seconds) for moment in moments[:-1]]
    last = partial(make, moments[-1])
    return Picture(last, [Frame(last, FIRST), *frames, Frame(last, HOLD)], values=values)


def still(scene: Scene, **values: Any) -> Picture:
    """Return the picture of a scene."""
    return Picture(lambda: figure(scene.shapes, scene.bounds), (), scene, values or None)


def moving(scenes: Sequence[Scene], seconds: float = 0.6, **values: Any) -> Picture:
    """Return the animation of scenes, all cut to the same bounds; the still picture is the last
    one, and what it begins with.
    """
    bounds = hull([scene.bounds for scene in scenes])
    film = animated(lambda scene: figure(scene.shapes, bounds), scenes, seconds)
    return replace(still(scenes[-1], **values), make=film.make, frames=film.frames)


# Files.


def kind_of(path: Path) -> str:
    """Return the kind of a file by its ending; raise DrawError if it is none of ours."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in (*STILL, *MOVING):
        raise DrawError(
            f"cannot write {path}: its ending {path.suffix or '(none)'} is not one of "
            f"{', '.join('.' + each for each in (*STILL, *MOVING))}"
        )
    return kind


def check_path(path: Path, moves: bool) -> None:
    """Raise DrawError, before anything is computed, for a file that could not be written."""
    kind = kind_of(path)
    _check_moves(kind, moves)
    if kind == "mp4":
        _ffmpeg()
    if not path.parent.is_dir():
        raise DrawError(f"cannot write {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise DrawError(f"cannot write {path}: it is a folder")


def _check_moves(kind: str, moves: bool) -> None:
    if kind in MOVING and not moves:
        raise DrawError(
            f"nothing moves in this drawing: write it as .png, .svg or .pdf, not .{kind}"
        )


def save(picture: Picture, path: str | Path) -> None:
    """Write a picture in the kind that the path's ending says.

    Raises:
        DrawError: another ending, an animation of a picture in which nothing moves, an mp4
            without ffmpeg, a scene of a chart, or a place that cannot be written.
    """
    path = Path(path)
    data = encode(picture, kind_of(path))
    with refusing(f"write {path}", DrawError):
        atomic.write(path, data)


def encode(picture: Picture, kind: str) -> bytes:
    """Return a picture as the bytes of a file."""
    _check_moves(kind, bool(picture.frames))
    if kind == "json":
        if picture.scene is None:
            raise DrawError("this drawing is a chart, not a scene: write it as .png, .svg or .pdf")
        return json.dumps(picture.scene.to_json(), ensure_ascii=False, indent=1).encode()
    if kind == "gif":
        return _gif(picture)
    if kind == "mp4":
        return _mp4(picture)
    if kind == "svg":
        return svg_file(picture.figure(), picture._name, picture.about, picture.language)
    return encoded(picture.figure(), kind)


LARGEST = 1_000_000
"""Bytes of a GIF: for a larger one its frames get fewer pixels."""


def _gif(picture: Picture) -> bytes:
    for share in (1, 0.75, 0.5):
        data = _gif_of(picture, round(PIXELS * share))
        if len(data) <= LARGEST:
            break
    return data


def _gif_of(picture: Picture, pixels: int) -> bytes:
    first, *others = images(picture.frames, picture.language, pixels)
    buffer = io.BytesIO()
    first.save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=others,
        duration=[round(frame.seconds * 1000) for frame in picture.frames],
        loop=0,
        optimize=True,  # of each frame, what differs from the one before
    )
    return buffer.getvalue()


def _ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        raise DrawError("an .mp4 needs the program ffmpeg, which is not found: write a .gif")
    return program


RATE = 25
"""Frames a second of an mp4."""


def _mp4(picture: Picture) -> bytes:
    program = _ffmpeg()
    found = images(picture.frames, picture.language)
    width, height = (size - size % 2 for size in found[0].size)
    command = [program, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{width}x{height}", "-r", str(RATE), "-i", "-", "-pix_fmt", "yuv420p"]
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        target = Path(folder) / "film.mp4"
        with subprocess.Popen(
            [*command, str(target)], stdin=subprocess.PIPE, stderr=errors
        ) as process:
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it has stopped, and says why
                for image, frame in zip(found, picture.frames, strict=True):
                    data = image.convert("RGB").crop((0, 0, width, height)).tobytes()
                    for _ in range(max(1, round(frame.seconds * RATE))):
                        process.stdin.write(data)
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        if process.returncode:
            errors.seek(0)
            raise DrawError(f"ffmpeg failed: {errors.read().decode(errors='replace').strip()}")
        return target.read_bytes()
