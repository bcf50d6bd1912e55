"""Limits of the size of a cell: for the equations people write and for those in files alike.

All work on equations takes time and memory about linear in their size, so each limit bounds what
a file of a stranger can cost. They are far above the known cells: the largest of them has 60 nodes.
"""

from __future__ import annotations

from ..errors import CellError

NODES = 10_000
"""Values of one step: cells of 1,000 activations and chains of 2,000 operations fit several times;
tracing, printing and differentiating this many takes about a second."""

STORED_NODES = 20 * NODES
"""Values of any other stored graph: a derivative has up to about ten for each one of its cell."""

SOURCES = 10_000
"""What all learned layers of a cell read, counted for each layer: each is a matrix product."""

WIDTH = 500
"""What one learned layer reads: it is printed as one sum, and Python compiles no endless ones."""

VALUES = 10_000
"""Names for values: each is a line of the printed equations."""

STATES = 100
"""Each state is an array in memory and an argument of every call."""

NAME = 100
"""Letters of a name: it becomes a part of parameters' names, messages and pictures."""

STORED_NAME = 3 * NAME
"""Letters of a name in any other stored graph: a derivative puts words before and after it."""

DOC = 100_000
"""Letters of the text that describes a cell."""

POWER = 1_000
"""The greatest power of a symbol: v ** n is written out as n - 1 products."""

LARGEST = 3.4028234663852886e38
"""The greatest finite number of float32: every number of a cell has to fit the kernels' dtypes."""

MESSAGE = 200
"""Letters of what a message cites, such as an equation, a list of names or a part of a file."""


def check_count(owner: str, what: str, count: int, most: int) -> None:
    """Raise CellError, naming the number and the limit, if there are too many of something."""
    if count > most:
        raise CellError(f"{owner}: {count:,} {what}; a cell has at most {most:,}")


def short(text: str, longest: int = MESSAGE) -> str:
    """Return a text as a message cites it: cut where it is too long.

    >>> short("abcdefgh", 6)
    'abc...'
    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
