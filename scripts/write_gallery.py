"""Write docs/gallery.md and its pictures: every drawing and chart, small enough to be kept.

The pictures show numbers of models that are trained here, so another machine's differ in the last
places: they are written on request (`make gallery`), not checked.
"""

import io
from pathlib import Path

from PIL import Image

from unrolled.apps.draw.request import subject
from unrolled.draw.drawing import Drawing, capital
from unrolled.draw.drawings import DRAWINGS
from unrolled.draw.picture import encode

DOCS = Path(__file__).parents[1] / "docs"
SCALE, COLORS = 0.62, 256
HEAD = """# The gallery

<!-- Written by scripts/write_gallery.py: `make gallery`. -->

Every drawing by its name: `unrolled draw NAME`, or `unrolled.draw.draw("NAME")` in a notebook.
Cells are drawn from their equations, values from a model's own numbers. What the commands take,
and how a cell becomes a picture, is in [drawing](drawing.md).
"""


def picture(drawing: Drawing) -> str:
    """The name of a drawing's file."""
    return f"{drawing.name}.{'gif' if drawing.moves else 'png'}"


def section(drawing: Drawing) -> str:
    """One drawing as Markdown."""
    takes = ", ".join(f"`--{option}`" for option in sorted(drawing.takes))
    also = f" Takes {takes}." if takes else ""
    return (
        f"\n## {drawing.name}\n\n{capital(drawing.about)}.{also}\n\n"
        f"![{drawing.name}](gallery/{picture(drawing)})\n"
    )


def page() -> str:
    """The whole page."""
    return HEAD + "".join(map(section, DRAWINGS.values()))


def small(data: bytes) -> bytes:
    """A PNG with fewer pixels and colours."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    size = (round(image.width * SCALE), round(image.height * SCALE))
    few = image.resize(size, Image.Resampling.LANCZOS).quantize(COLORS)
    buffer = io.BytesIO()
    few.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    """Write the page and the pictures."""
    folder = DOCS / "gallery"
    folder.mkdir(exist_ok=True)
    for drawing in DRAWINGS.values():
        made = drawing.picture(subject())
        data = encode(made, "gif") if drawing.moves else small(encode(made, "png"))
        (folder / picture(drawing)).write_bytes(data)
    (DOCS / "gallery.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
