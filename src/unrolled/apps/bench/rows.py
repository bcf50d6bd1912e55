"""All rows, and those that a user asks for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from .highway import lstm_highway
from .layers import Inference, Packed, Projected, Training
from .others import BesideInference, BesideTraining, Loop, Taps
from .problem import CLASSES
from .row import Row
from .shape import GRID, MIDDLE, QUICK, STREAM, Shape
from .streaming import StreamingCell, StreamingLayer

KINDS = (
    "inference",
    "training",
    "packed",
    "projected",
    "streaming",
    "cells",
    "loop",
    "taps",
)
"""What rows can be asked for by."""

OTHERS = ("lstm_peephole", "lstm_coupled", lstm_highway.name, "lstm_layernorm")
"""Cells that are compared with our LSTM."""

CELLS = (*CLASSES, *OTHERS)
"""Cells that have rows."""


@final
@dataclass(frozen=True)
class Shapes:
    """The shapes of the rows beside torch.nn, of those beside ourselves, and of streams."""

    grid: Sequence[Shape] = GRID
    middle: Sequence[Shape] = MIDDLE
    stream: Sequence[Shape] = (STREAM,)


FEW = Shapes(QUICK, MIDDLE[:1])


def every(shapes: Shapes) -> Iterator[Row]:
    """All rows in the order of the table."""
    for kind in (Inference, Training):
        for cell in CLASSES:
            yield from (kind(cell, shape) for shape in shapes.grid)
    for kind in (Packed, Projected):
        yield from (kind("lstm", shape) for shape in shapes.grid)
    for kind in (StreamingCell, StreamingLayer):
        yield from (kind("lstm", shape) for shape in shapes.stream)
    for kind in (BesideInference, BesideTraining):
        for cell in OTHERS:
            yield from (kind(cell, shape) for shape in shapes.middle)
    yield from (Loop(lstm_highway.name, shape) for shape in shapes.middle[:1])
    for cell in ("lstm", "gru"):
        yield from (Taps(cell, shape) for shape in shapes.middle)
