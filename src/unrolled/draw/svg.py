"""SVG that looks the same everywhere: letters as outlines, and beside them the words themselves.

Each piece of text is drawn as outlines, which need no font, and stands once more as an invisible
``<text>`` over them, as long as they are, in plain letters: it can be found, marked and copied.
"""

from __future__ import annotations

import hashlib
import io
import re
from typing import TYPE_CHECKING, Any, NamedTuple, final
from xml.sax.saxutils import escape

from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG

from ..printing.unicode import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


IMAGE_DPI = 144
"""Of the images in a file."""


class Word(NamedTuple):
    """A piece of text that was drawn.

    Attributes:
        text: in plain letters.
        x, y: where its base line begins, in points from the upper left corner.
        length: in points.
        size: of its font, in points.
        angle: of the base line, in degrees against the clock.
    """

    text: str
    x: float
    y: float
    length: float
    size: float
    angle: float


@final
class Renderer(RendererSVG):
    """Matplotlib's renderer of SVG, which writes what it drew as text, too."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.words: list[Word] = []

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        """Draw a text as outlines, and keep its words for the end."""
        super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
        text = readable(s) if ismath else s
        if text.strip():
            length = self.get_text_width_height_descent(s, prop, ismath)[0]
            self.words.append(Word(text, x, y, length, prop.get_size_in_points(), angle))

    def finalize(self) -> None:
        """Write the words, then the end of the file."""
        self.writer.start("g", **{"fill-opacity": "0", "font-family": "sans-serif"})
        for word in self.words:
            x, y = f"{word.x:.2f}", f"{word.y:.2f}"
            place = {"x": x, "y": y, "font-size": f"{word.size:.4g}"}
            if word.angle:
                place["transform"] = f"rotate({-word.angle:.4g} {x} {y})"
            if word.length > 0:
                place |= {"textLength": f"{word.length:.2f}", "lengthAdjust": "spacingAndGlyphs"}
            self.writer.element("text", word.text, attrib=place)
        self.writer.end("g")
        super().finalize()


@final
class FigureCanvas(FigureCanvasSVG):
    """The canvas that `Figure.savefig` takes for a file of this module as its backend."""

    def print_svg(self, filename: Any, **options: Any) -> None:
        """Write the figure into an open binary file."""
        size = self.figure.get_size_inches()
        stream = io.TextIOWrapper(filename, encoding="utf-8", write_through=True)
        self.figure.dpi = 72  # a point is a pixel
        renderer = Renderer(
            *(size * 72), stream, metadata=options.get("metadata"), image_dpi=IMAGE_DPI
        )
        # It turns into images what has more pieces than can be seen, such as the bars of colours.
        mixed: Any = MixedModeRenderer
        self.figure.draw(mixed(self.figure, *size, IMAGE_DPI, renderer))
        renderer.finalize()
        stream.detach()


def element(
    figure: Figure,
    title: str = "",
    about: str = "",
    transparent: bool = False,
    language: str = "en",
) -> str:
    """Return a figure as an ``<svg>`` element.

    Ids begin with a hash of the figure, so that several can stand in one page.

    Args:
        figure: of matplotlib.
        title: its ``<title>``, in plain letters or with mathematics between dollar signs.
            Without: its first words.
        about: its ``<desc>``: what it shows. Without: the headings in it, else all its words.
        transparent: whether the page behind it is seen.
        language: of its words, en or zh.
    """
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="svg", backend=f"module://{__name__}", metadata={"Date": None},
        transparent=transparent,
    )  # fmt: skip
    text = buffer.getvalue().decode()
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    # A rule for `*` would hold for the whole page: the root hands the same down.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)
    body = re.sub(r"\s*\n\s*", "\n", body)
    body = _PLACES.sub(lambda found: found[1] + _LONG.sub(r"\1", found[2]), body)
    said = _headings(figure) or re.findall(r"<text[^>]*>([^<]*)</text>", body)
    about = escape(readable(about)) or BETWEEN[language].join(said[:MOST])
    title = escape(readable(title)) or next(iter(said), "")
    return _headed(body, title, about, language)


_PLACES = re.compile(r'( d="| x="| y="|translate\()([^")]*)')
_LONG = re.compile(r"(\.\d\d)\d+")
"""Places are written to a hundredth of a point: a third of the file less, nothing to be seen."""
BETWEEN = {"en": "; ", "zh": "；"}
"""What stands between the parts of a description."""
LANG = {"zh": "zh-Hans"}
"""How documents name a language."""
MOST = 60
"""Words in a description that is made of a picture's words."""


def _headings(figure: Figure) -> list[str]:
    """Return a figure's own words, titles and the names of its axes, escaped."""
    found = [each.get_text() for each in figure.texts]
    for axes in figure.axes:
        titles = (axes.get_title(loc) for loc in ("left", "center", "right"))
        found += [*titles, axes.get_xlabel(), axes.get_ylabel()]
    return [escape(readable(each)) for each in dict.fromkeys(found) if each.strip()]


def _headed(body: str, title: str, about: str, language: str) -> str:
    """Give an element ids of its own, a title, a description, and a language but English."""
    prefix = "g" + hashlib.sha256(f"{title}{about}{body}".encode()).hexdigest()[:8]
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', body))
    body = re.sub(
        r' id="([^"]+)"',
        lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "",
        body,
    )
    body = re.sub(r'(url\(#|href="#)', rf"\1{prefix}-", body)
    named = f"{prefix}-title {prefix}-desc" if about else f"{prefix}-title"
    spoken = "" if language == "en" else f' lang="{LANG[language]}"'
    head = f'<svg role="img"{spoken} aria-labelledby="{named}" stroke-linejoin="round"'
    words = f'\n<title id="{prefix}-title">{title}</title>'
    if about:
        words += f'\n<desc id="{prefix}-desc">{about}</desc>'
    start = body.index(">") + 1
    return head + body[4:start] + words + body[start:].rstrip() + "\n"
