"""A few cases out of a grid: where what goes wrong depends on one or two values, not on all."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations, product
from typing import Any


def pairwise(*axes: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return rows in which any two values of two axes meet; the two longest axes come first."""
    values = [list(axis) for axis in axes]
    rows = list(product(*(range(len(axis)) for axis in values[:2])))
    for axis in values[2:]:
        met: set[tuple[int, int, int]] = set()
        for turn, row in enumerate(rows):
            choices = [(turn + k) % len(axis) for k in range(len(axis))]
            new = max(choices, key=lambda k: sum((*at, k) not in met for at in enumerate(row)))
            met |= {(*at, new) for at in enumerate(row)}
            rows[turn] = (*row, new)
    for (a, first), (b, second) in combinations(enumerate(values), 2):
        pairs = {(row[a], row[b]) for row in rows}
        assert len(pairs) == len(first) * len(second), "the two longest axes should come first"
    return [tuple(axis[k] for axis, k in zip(values, row, strict=True)) for row in rows]


def in_turn(longest: Iterable[Any], *axes: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return a row for each value of the longest axis, with the values of the others in turn."""
    others = [list(axis) for axis in axes]
    return [
        (value, *(axis[turn % len(axis)] for axis in others)) for turn, value in enumerate(longest)
    ]
