"""The contrast of colours, and ink that can be read on one."""

from __future__ import annotations

READABLE = 4.5
"""The least contrast of words with what they stand on (WCAG 2, level AA)."""
BLACK, WHITE = "#000000", "#ffffff"


def contrast(one: str, other: str = WHITE) -> float:
    """Return the contrast of two colours, as ``#rrggbb``, by WCAG 2: from 1 to 21.

    >>> contrast("#000000"), round(contrast("#767676", "#ffffff"), 2)
    (21.0, 4.54)
    """
    low, high = sorted(map(_luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    channels = (each / 255 for each in bytes.fromhex(color[1:]))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(part * c for part, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def ink_on(fill: str) -> str:
    """Return black or white, whichever has more contrast on a colour: 4.5 at least.

    >>> ink_on("#fee838"), ink_on("#00224e")
    ('#000000', '#ffffff')
    """
    return max((BLACK, WHITE), key=lambda ink: contrast(ink, fill))
