"""What a shell completes: the names that options and arguments take."""

from __future__ import annotations

from collections.abc import Callable, Iterable

Complete = Callable[[str], list[str]]
"""Returns the names that begin with what was typed."""


def of(names: Iterable[str]) -> Complete:
    """Return what completes some names.

    >>> of(["cosine", "constant"])("cos")
    ['cosine']
    """
    known = list(names)
    return lambda incomplete: _beginning(known, incomplete)


def cells(incomplete: str) -> list[str]:
    """Return the known cells that begin with what was typed.

    >>> cells("rnn")
    ['rnn_relu', 'rnn_tanh']
    """
    from ..cells import CELLS

    return _beginning(sorted(CELLS), incomplete)


def drawings(incomplete: str) -> list[str]:
    """Return the drawings that begin with what was typed."""
    from ..draw.drawings import DRAWINGS

    return _beginning(DRAWINGS, incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
