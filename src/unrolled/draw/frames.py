"""The frames of an animation as images: few figures, and what moves painted over them.

A frame is a figure with parts of other figures shown in it and strips on top. However many frames
there are, matplotlib draws each figure once; the rest is copied and painted on indexed images.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy

from ..display import text_of
from .palette import (
    DIM,
    FADED,
    GREY,
    INK,
    LOOKS,
    PALE,
    PAPER,
    SERIES,
    TEXT_LIT,
    WIRE_DIM,
    WIRE_LIT,
)
from .render import shade
from .shapes import Point, Strip
from .type import dressed, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

FRAME_DPI, PIXELS = 90, 900_000
"""Of the frames of animations; large figures get fewer dots, so that no frame has more pixels."""
COLORS = 192
"""Of an animation, all frames together."""

Make = Callable[[], "Figure"]


@final
@dataclass(frozen=True)
class Cutout:
    """A part of another figure that is shown in a frame, at the same place.

    Attributes:
        make: the other figure, of the same size.
        points: in the coordinates of its axes.
        width: of the line through the points; 0 for the area that they enclose.
    """

    make: Make
    points: tuple[Point, ...]
    width: float = 0.0


@final
@dataclass(frozen=True)
class Frame:
    """One frame of an animation and how many seconds it stands.

    Attributes:
        make: its figure.
        cutouts: parts of other figures, shown over it in this order.
        strips: what moves, painted on top.
    """

    make: Make
    seconds: float = 0.5
    cutouts: tuple[Cutout, ...] = ()
    strips: tuple[Strip, ...] = ()

    __repr__ = text_of


def images(frames: Sequence[Frame], language: str = "en", pixels: int = PIXELS) -> list[Image]:
    """Return the frames as images of one size and with one palette, so that nothing flickers.

    Args:
        frames: of the animation.
        language: of the words in it.
        pixels: of a frame, at most.
    """
    makes = dict.fromkeys(make for frame in frames for make in _makes(frame))
    plates = {make: _plate(make, language, pixels) for make in makes}
    values = [value for frame in frames for strip in frame.strips for value in strip.values]
    colors = _colors([plate.image for plate in plates.values()], _shades(values))
    indexed = {
        make: plate._replace(image=_indexed(plate.image, colors)) for make, plate in plates.items()
    }
    return [_composed(frame, indexed, colors) for frame in frames]


def _makes(frame: Frame) -> list[Make]:
    return [frame.make, *(cutout.make for cutout in frame.cutouts)]


class _Plate(NamedTuple):
    """A drawn figure.

    Attributes:
        image: its pixels.
        place: from points of its axes to pixels.
        pixels: for one unit of its axes.
    """

    image: Image
    place: Callable[[Sequence[Point]], list[Point]]
    pixels: float


def _plate(make: Make, language: str, pixels: int) -> _Plate:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    with style():
        figure = dressed(make(), language)
        width, height = figure.get_size_inches()
        figure.set_dpi(min(FRAME_DPI, (pixels / (width * height)) ** 0.5))
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    image = Image.fromarray(numpy.asarray(canvas.buffer_rgba())).convert("RGB")
    transform = figure.axes[0].transData

    def place(points: Sequence[Point]) -> list[Point]:
        return [(x, image.height - y) for x, y in transform.transform(points).tolist()]

    (a, _), (b, _) = transform.transform([(0.0, 0.0), (1.0, 0.0)]).tolist()
    return _Plate(image, place, b - a)


def _composed(frame: Frame, plates: dict[Make, _Plate], colors: numpy.ndarray) -> Image:
    from PIL import Image, ImageDraw

    plate = plates[frame.make]
    made = plate.image.copy()
    for make, cutouts in groupby(frame.cutouts, key=lambda cutout: cutout.make):
        mask = Image.new("1", made.size)
        pen = ImageDraw.Draw(mask)
        for cutout in cutouts:
            points = plate.place(cutout.points)
            if cutout.width:
                pen.line(points, 1, max(1, round(cutout.width * plate.pixels)), "curve")
            else:
                pen.polygon(points, 1)
        made.paste(plates[make].image, mask=mask)
    pen = ImageDraw.Draw(made)
    for strip in frame.strips:
        _painted(strip, plate, pen, colors)
    return made


def _painted(strip: Strip, plate: _Plate, pen: Any, colors: numpy.ndarray) -> None:
    """Paint the fields of a strip, each with an edge, so that it stands out from its line."""
    left, up = strip.bounds[0], strip.bounds[3]
    side = strip.field
    for n, value in enumerate(strip.values):
        x, y = (left + n * side, up) if strip.across else (left, up - n * side)
        (a, b), (c, d) = plate.place([(x, y), (x + side, y - side)])
        box = [round(a), round(b), round(c), round(d)]
        pen.rectangle(box, _nearest(shade(value), colors), _nearest(INK, colors))


def _nearest(color: str, colors: numpy.ndarray) -> int:
    channels = numpy.array(list(bytes.fromhex(color[1:])))
    return int(((colors - channels) ** 2).sum(1).argmin())


SHADES = 48
"""Colours of a palette that are kept for the values on their way; more of them are rounded."""


def _shades(values: Sequence[float]) -> list[str]:
    """Return the colours of values on their way: each, or as many evenly between the ends."""
    found = {shade(value) for value in values}
    if len(found) <= SHADES:
        return sorted(found)
    even = [shade(float(place)) for place in numpy.linspace(-1, 1, SHADES)]
    return [*even, *([shade(math.nan)] if shade(math.nan) in found else [])]


def _named() -> list[str]:
    """Return the colours of lines, boxes and letters, that of lines first."""
    looks = [color for table in (LOOKS, DIM) for look in table.values() for color in look[:3]]
    return [INK, PAPER, WIRE_LIT, WIRE_DIM, TEXT_LIT, PALE, FADED, GREY, *SERIES, *looks]


def _colors(images: list[Image], moving: Sequence[str]) -> numpy.ndarray:
    """Return the palette, (n, 3), of all images: the colours of what moves, those of lines and
    letters that are seen, then the most frequent ones that are unlike any before.

    Colours that are unlike come first: of a field of close shades the rarer ones are not lost.
    """
    counts: Counter[Any] = Counter()
    for image in images:
        for count, color in image.getcolors(image.width * image.height) or ():
            counts[color] += count
    reserved = [tuple(bytes.fromhex(color[1:])) for color in moving]
    named = (tuple(bytes.fromhex(color[1:])) for color in _named())
    reserved += [color for color in named if color in counts]
    kept = list(dict.fromkeys(reserved))
    wanted = numpy.array([color for color, _ in counts.most_common()], dtype=int)
    apart = numpy.full(len(wanted), numpy.inf)  # of each from the nearest that is kept
    for color in kept:
        apart = numpy.minimum(apart, ((wanted - color) ** 2).sum(1))
    for least in UNLIKE:
        while len(kept) < COLORS and (apart > least**2).any():
            color = wanted[int((apart > least**2).argmax())]
            kept.append(tuple(color.tolist()))
            apart = numpy.minimum(apart, ((wanted - color) ** 2).sum(1))
    return numpy.array(kept[:COLORS], dtype=int)


UNLIKE = (24, 12, 6, 3, 0)
"""Distances of red, green and blue, 0 to 255: colours are first taken this far from each other."""


def _indexed(image: Image, colors: numpy.ndarray) -> Image:
    """Return an image with a palette. Pillow's own way takes close colours for equal: white for
    grey.
    """
    import PIL.Image

    pixels = numpy.asarray(image).astype(int)
    codes = (pixels * (1 << 16, 1 << 8, 1)).sum(-1)
    found, places = numpy.unique(codes, return_inverse=True)
    own = numpy.stack([found >> 16, found >> 8 & 255, found & 255], -1)
    nearest = ((own[:, None] - colors) ** 2).sum(-1).argmin(1)
    made = PIL.Image.fromarray(nearest[places].reshape(codes.shape).astype(numpy.uint8), "P")
    made.putpalette(colors.ravel().tolist())
    return made
