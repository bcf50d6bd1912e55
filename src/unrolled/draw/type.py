"""Fonts: what letters look like, and which fonts of this machine have the glyphs."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .palette import INK, PALE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

MATH = 1.12
"""Mathematics is set a little larger: its letters are small beside the sans serif ones."""
PLAIN, MONOSPACE = "DejaVu Sans", "DejaVu Sans Mono"
CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN"),
    *("PingFang SC", "Hiragino Sans GB", "Heiti SC", "STHeiti", "Microsoft YaHei", "SimHei"),
    *("WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "AR PL UMing CN"),
    *("Noto Sans CJK JP", "Noto Serif CJK SC", "Songti SC", "SimSun", "Arial Unicode MS"),
)
"""Fonts with Chinese glyphs, the first that is found is taken."""


_LETTER = "[\u2e80-\uffef]"
_CHINESE_WORD = re.compile(rf"\\mathrm(?=\{{[^{{}}]*{_LETTER}[^{{}}]*\}})")
_SIGNS_BELOW = re.compile(r"(?<=_\{)[^{}]*(?=\})")


def typeset(text: str) -> str:
    """Return mathematics as it is given to matplotlib: signs in subscripts without room around
    them, primes as letters, which it would raise too high, apostrophes as they are, and Chinese
    names in the font of the text, since those of mathematics have none.

    >>> typeset("$h'_{t-1}$"), typeset("$\\\\mathrm{门控}_t$"), typeset("a state's $h'$")
    ('$h′_{t{-}1}$', '$\\\\mathregular{门控}_t$', 'a state’s $h′$')
    """
    if "$" not in text:
        return _apostrophes(text)
    text = _CHINESE_WORD.sub(r"\\mathregular", text)
    tight = _SIGNS_BELOW.sub(lambda found: re.sub(r"[-+]", r"{\g<0>}", found[0]), text)
    parts = re.split(r"((?<!\\)\$.*?(?<!\\)\$)", tight)
    parts[::2] = map(_apostrophes, parts[::2])
    return "".join(parts).replace("'", "′")


def _apostrophes(text: str) -> str:
    """Return words with curly apostrophes."""
    return re.sub(r"(?<=[a-z])'(?=[a-z])", "’", text)


_MARK = re.compile(rf"\s*([,:;])(?:\s+|(?={_LETTER})|$)")
_BRACKETS = re.compile(rf"\s*\(([^()]*{_LETTER}[^()]*)\)\s*")
_WIDE = str.maketrans(",:;", "，：；")


def full_width(text: str) -> str:
    """Return a text with Chinese letters in it with the marks that stand between such letters.

    >>> full_width("$f_t$: 门, 已排序 (单元) 3,280"), full_width("a: b")
    ('$f_t$：门，已排序（单元）3,280', 'a: b')
    """
    parts = re.split(r"(?<!\\)(\$.*?\$)", text)
    if not re.search(_LETTER, "".join(parts[::2])):
        return text
    for n in range(0, len(parts), 2):
        wide = _MARK.sub(lambda found: found[1].translate(_WIDE), parts[n])
        parts[n] = _BRACKETS.sub(r"（\1）", wide)
    return "".join(parts)


def dressed(made: Figure, language: str = "en") -> Figure:
    """Return a figure whose texts are typeset, each in a font that has its letters.

    Args:
        made: the figure.
        language: of its words: in Chinese the marks between letters are as wide as these, in
            English they are not, though a cell's names may be Chinese.
    """
    from matplotlib.text import Text

    other = chinese()
    for text in made.findobj(Text):
        assert isinstance(text, Text)
        is_code = MONOSPACE in text.get_fontfamily()
        words = text.get_text()
        words = full_width(words) if language == "zh" and not is_code else words
        text.set_text(words if is_code and "$" not in words else typeset(words))
        if other and any(ord(letter) > 0x2E80 for letter in words):
            # Mathtext takes one font for all that is no formula.
            text.set_fontfamily([other] if "$" in words else [*text.get_fontfamily(), other])
    _fit(made)
    return made


def _fit(made: Figure) -> None:
    """Write what stands on a figure by itself, and the titles in it, so small that it ends
    inside.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    titles = {axes.get_title("left") for axes in made.axes}
    texts = [
        each
        for each in made.findobj(Text)
        if isinstance(each, Text)
        and each.get_text()
        and (each in made.texts or each.get_text() in titles)
    ]
    renderer = FigureCanvasAgg(made).get_renderer()
    width = made.bbox.width - EDGE
    for text in texts:
        for _ in range(3):  # the end of a text that is not at its left end moves with its size
            size, box = float(text.get_fontsize()), text.get_window_extent(renderer)
            over = max(box.x1 - width, EDGE - box.x0)
            if over <= 0 or size <= SMALLEST:
                break
            text.set_fontsize(max(SMALLEST, size * (1 - over / box.width)))


EDGE = 4.0
"""Dots between a text and the end of its figure."""
SMALLEST = 8.0
"""The smallest letters that a text is fitted by, in points."""


@lru_cache(maxsize=1)
def chinese() -> str | None:
    """Return the name of a font of this machine with Chinese glyphs, None without one."""
    return _known_chinese() or _added_chinese()


def _known_chinese() -> str | None:
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in CHINESE if name in known), None)


def _added_chinese() -> str | None:
    """Return the same, among fonts that were installed after matplotlib made its list of fonts."""
    from matplotlib import font_manager

    listed = {font.fname for font in font_manager.fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - listed):
        try:
            font_manager.fontManager.addfont(path)
        except (OSError, RuntimeError, ValueError):  # a font that matplotlib cannot read
            continue
    return _known_chinese()


def families() -> list[str]:
    """Return the fonts of plain text, in the order in which a glyph is looked for."""
    other = chinese()
    return [PLAIN, other] if other else [PLAIN]


@contextmanager
def style() -> Iterator[None]:
    """Set matplotlib's settings while a figure of ours is made or written."""
    import matplotlib

    settings: dict[Any, Any] = {
        "font.family": families(),
        "font.size": 13,
        "mathtext.fontset": "stix",
        "axes.unicode_minus": True,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 15,
        "axes.titlelocation": "left",
        "axes.titlepad": 12,
        "axes.grid": False,
        "grid.color": PALE,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "lines.linewidth": 2.4,
        "image.interpolation": "nearest",
        "svg.fonttype": "path",
        "svg.hashsalt": "unrolled",
        "pdf.fonttype": 42,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A character of the user's text without a glyph is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), facecolor="white")
