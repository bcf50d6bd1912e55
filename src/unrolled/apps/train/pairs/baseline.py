"""How alike two texts are, and what copying reaches: the figures that a network has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from ..alphabet import split


def exact(written: Sequence[str], wanted: Sequence[str]) -> float:
    """The share of texts that are written as they were wanted.

    >>> exact(["ab", "c"], ["ab", "d"])
    0.5
    """
    return sum(a == b for a, b in zip(written, wanted, strict=True)) / len(wanted)


def symbols(written: Sequence[str], wanted: Sequence[str], by: str) -> float:
    """The share of places that hold the wanted symbol, of those that either text has.

    >>> symbols(["abx"], ["abcd"], "characters")
    0.5
    """
    hits = places = 0
    for one, other in zip(written, wanted, strict=True):
        ours, theirs = split(one, by), split(other, by)
        hits += sum(a == b for a, b in zip(ours, theirs, strict=False))
        places += max(len(ours), len(theirs))
    return hits / max(places, 1)
