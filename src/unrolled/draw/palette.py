"""Colours and type: one place for how everything looks.

The hues are from Okabe & Ito's palette, which people with colour blindness can tell apart; fills
differ in lightness as well, so that pictures can be read in grey.
"""

from __future__ import annotations

from typing import Any, NamedTuple

INK = "#1b2a3a"
PALE, FADED = "#b9c2cc", "#626d79"
"""Of grids, and of text that is put back but can still be read."""
PAPER = "#ffffff"
BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SKY, PINK, YELLOW = "#56b4e9", "#cc79a7", "#f0e442"
GREY = "#5a6673"
"""Of what is said aside; readable on white."""
SERIES = (BLUE, RED, GREEN, PINK, ORANGE, SKY, INK, "#8a5a2b")
"""Colours of curves, in this order."""
DASHES = (
    *("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5))),
    *((0, (10, 2.5)), (0, (2.6, 2.6)), (0, (5, 1.2, 1.2, 1.2, 1.2, 1.2)), (0, (1.2, 3.2))),
)
"""Strokes of curves, so that they can be told apart in grey."""


def stroke(number: int) -> dict[str, Any]:
    """Return the colour and the stroke of a curve by its number.

    Each of the first eight has a colour and a stroke of its own, each of the first 64 a pair.
    """
    count = len(SERIES)
    dashes = DASHES[(number + number // count) % len(DASHES)]
    return {"color": SERIES[number % count], "linestyle": dashes}


class Look(NamedTuple):
    """The colours and the stroke of a shape."""

    fill: str
    edge: str
    text: str = INK
    width: float = 1.6


LOOKS: dict[str, Look] = {
    "frame": Look("#eef4f1", "#9fb5aa"),
    "layer": Look("#fbe08a", "#a8790a"),
    "operation": Look("#f4c6d8", "#a03a6b"),
    "learned": Look("#fdf0c4", "#a8790a"),
    "constant": Look("#ffffff", "#6b7885"),
    "input": Look("#cfe6f7", "#1f6fa5"),
    "output": Look("#e3d5ee", "#6d4a94"),
    "closed": Look("#d9e8df", "#7f9c8d"),
    "carrier": Look("#fbd5bf", RED, width=2.2),
    "note": Look("#f6f7f9", "#c5ccd4"),
    "head": Look("#dfe3ea", "#6b7885"),
    "row": Look("#fff1e4", "#fff1e4", width=0.0),
    "term": Look("#ffc795", "#ffc795", width=0.0),
    "opening": Look("#f1bd4b", "#a8790a", width=0.6),
}
DIM: dict[str, Look] = {
    role: Look("#f4f6f8" if role != "frame" else "#fafbfb", "#b4bdc7", FADED, look.width)
    for role, look in LOOKS.items()
}
LIT_EDGE = 2.6
WIRE, WIRE_DIM, WIRE_LIT = INK, "#bec7d0", RED
TEXT_LIT = "#b34700"
"""Of letters: darker than lines, so that they stand out from white by more than 4.5 to 1."""
