"""What PyTorch's profiler is told of kernels: their names, and the products that they make.

The profiler counts floating-point operations by the names of PyTorch's operators and the shapes
that they are handed. A kernel makes its products inside a loop of its own; each is told as one
``aten::mm`` that takes no time, of the rows of all steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from .. import _torch


@contextmanager
def region(name: str) -> Iterator[None]:
    """Name what is run while entered.

    Args:
        name: of the cell, and of what is computed: ``lstm``, ``lstm_backward``.
    """
    with torch.profiler.record_function(f"unrolled::{name}"):
        yield


def forward(rows: int, weights: Sequence[tuple[int, ...]]) -> None:
    """Tell of the products of a run.

    Args:
        rows: of all steps.
        weights: the shapes of the parameters.
    """
    for shape in weights:
        if len(shape) == 2:
            units, width = shape
            _multiply(rows, width, units)


def backward(
    rows: int, weights: Sequence[tuple[int, ...]], sources: Sequence[int], wanted: Sequence[bool]
) -> None:
    """Tell of the products of a backward pass.

    Args:
        rows, weights: as for `forward`.
        sources: for each parameter, of how many rows of what it multiplies there is a gradient.
        wanted: for each parameter, whether its own gradient is asked for.
    """
    for shape, source, asked in zip(weights, sources, wanted, strict=True):
        if len(shape) == 2:
            units, width = shape
            if source:
                _multiply(source, units, width)
            if asked:
                _multiply(units, rows, width)


def _multiply(rows: int, inner: int, columns: int) -> None:
    """Tell of a product (rows, inner) x (inner, columns)."""
    number = torch.empty((), device="cpu")
    _torch.tell_profiler("aten::mm", [number.expand(rows, inner), number.expand(inner, columns)])
