"""Pictures as files. A file is written whole under another name first, then renamed."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import atomic
from ..errors import DrawError
from .picture import Picture, still

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy import ndarray
    from PIL.Image import Image

    from .scene import Scene

STILL = ("png", "svg", "pdf", "json")
MOVING = ("gif", "mp4")
DPI = 144
"""Of pictures that stand still; animations have `FRAME_DPI`."""
FRAME_DPI = 90
COLORS = 128


def svg(scene: Scene) -> str:
    """A scene as SVG, its text as text."""
    return encode(still(scene), "svg").decode()


def kind_of(path: Path) -> str:
    """The kind of a file by its ending; DrawError if it is none of ours."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in (*STILL, *MOVING):
        raise DrawError(
            f"cannot write {path}: its ending {path.suffix or '(none)'} is not one of "
            f"{', '.join('.' + each for each in (*STILL, *MOVING))}"
        )
    return kind


def check_path(path: Path, moves: bool) -> None:
    """DrawError, before anything is computed, for a file that could not be written."""
    kind = kind_of(path)
    if kind in MOVING and not moves:
        raise DrawError(
            f"nothing moves in this drawing: write it as .png, .svg or .pdf, not .{kind}"
        )
    if kind == "mp4":
        _ffmpeg()
    if not path.parent.is_dir():
        raise DrawError(f"cannot write {path}: there is no folder {path.parent}")
    if path.is_dir():
        raise DrawError(f"cannot write {path}: it is a folder")


def save(picture: Picture, path: str | Path) -> None:
    """Write a picture in the kind that the path's ending says.

    Raises:
        DrawError: another ending, an animation of a picture in which nothing moves, an mp4
            without ffmpeg, a scene of a chart, or a place that cannot be written.
    """
    path = Path(path)
    data = encode(picture, kind_of(path))
    try:
        atomic.write(path, data)
    except OSError as error:
        raise DrawError(f"cannot write {path}: {error.strerror or error}") from error


def encode(picture: Picture, kind: str) -> bytes:
    """A picture as the bytes of a file."""
    if kind in MOVING and not picture.frames:
        raise DrawError(
            f"nothing moves in this drawing: write it as .png, .svg or .pdf, not .{kind}"
        )
    if kind == "json":
        if picture.scene is None:
            raise DrawError("this drawing is a chart, not a scene: write it as .png, .svg or .pdf")
        return json.dumps(picture.scene.to_json(), ensure_ascii=False, indent=1).encode()
    if kind == "gif":
        return _gif(picture)
    return _mp4(picture) if kind == "mp4" else _still(picture.figure(), kind)


def _still(figure: Figure, kind: str) -> bytes:
    from .type import style

    buffer = io.BytesIO()
    # Without a date the same picture is the same file.
    metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
    with style():
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
    data = buffer.getvalue()
    return _with_fallbacks(data) if kind == "svg" else data


def _with_fallbacks(data: bytes) -> bytes:
    """Name fonts that other machines have after those that matplotlib brings along."""
    text = data.decode()
    for own, others in (
        ("'STIXGeneral'", "'STIX Two Text', 'Times New Roman', Times, serif"),
        ("'DejaVu Sans'", "Verdana, Arial, sans-serif"),
        ("'DejaVu Sans Mono'", "Menlo, Consolas, monospace"),
    ):
        text = text.replace(own, f"{own}, {others}")
    return "\n".join(line.rstrip() for line in text.splitlines()).encode() + b"\n"


def _images(picture: Picture) -> list[Image]:
    """The frames as images of one size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    from .type import dressed, style

    images = []
    with style():
        for frame in picture.frames:
            canvas = FigureCanvasAgg(_at(dressed(frame.make()), FRAME_DPI))
            canvas.draw()
            images.append(Image.fromarray(_pixels(canvas)).convert("RGB"))
    return images


def _at(figure: Figure, dpi: int) -> Figure:
    figure.set_dpi(dpi)
    return figure


def _pixels(canvas: Any) -> Any:
    import numpy

    return numpy.asarray(canvas.buffer_rgba())


def _gif(picture: Picture) -> bytes:
    images = _images(picture)
    colors = _colors(images)
    frames = [_indexed(image, colors) for image in images]
    buffer = io.BytesIO()
    frames[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=[round(frame.seconds * 1000) for frame in picture.frames],
        loop=0,
        optimize=False,
    )
    return buffer.getvalue()


def _colors(images: list[Image]) -> ndarray:
    """The most frequent colours of all frames, (n, 3): one palette, so that nothing flickers."""
    import numpy

    counts: Counter[Any] = Counter()
    for image in images:
        for count, color in image.getcolors(image.width * image.height) or ():
            counts[color] += count
    return numpy.array([color for color, _ in counts.most_common(COLORS)], dtype=int)


def _indexed(image: Image, colors: ndarray) -> Image:
    """An image with a palette. Pillow's own way takes close colours for equal: white for grey."""
    import numpy
    import PIL.Image

    pixels = numpy.asarray(image).astype(int)
    codes = (pixels * (1 << 16, 1 << 8, 1)).sum(-1)
    found, places = numpy.unique(codes, return_inverse=True)
    own = numpy.stack([found >> 16, found >> 8 & 255, found & 255], -1)
    nearest = ((own[:, None] - colors) ** 2).sum(-1).argmin(1)
    made = PIL.Image.fromarray(nearest[places].reshape(codes.shape).astype(numpy.uint8), "P")
    made.putpalette(colors.ravel().tolist())
    return made


def _ffmpeg() -> str:
    program = shutil.which("ffmpeg")
    if program is None:
        raise DrawError("an .mp4 needs the program ffmpeg, which is not found: write a .gif")
    return program


def _mp4(picture: Picture, rate: int = 10) -> bytes:
    program = _ffmpeg()
    images = _images(picture)
    width, height = (size - size % 2 for size in images[0].size)
    command = [program, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{width}x{height}", "-r", str(rate), "-i", "-", "-pix_fmt", "yuv420p"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "film.mp4"
        frames = b"".join(
            image.crop((0, 0, width, height)).tobytes() * max(1, round(frame.seconds * rate))
            for image, frame in zip(images, picture.frames, strict=True)
        )
        done = subprocess.run(
            [*command, str(target)], input=frames, capture_output=True, check=False
        )
        if done.returncode:
            raise DrawError(f"ffmpeg failed: {done.stderr.decode(errors='replace').strip()}")
        return target.read_bytes()
