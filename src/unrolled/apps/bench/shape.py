"""The sizes of one piece of work."""

from typing import NamedTuple

from ...errors import UserError


class Shape(NamedTuple):
    """T steps of B rows of I features, into H units."""

    T: int
    B: int
    I: int  # noqa: E741  the field's name
    H: int

    def __str__(self) -> str:
        return ",".join(map(str, self))


GRID = tuple(
    Shape(*sizes)
    for sizes in (
        (100, 1, 32, 32),
        (100, 32, 32, 64),
        (50, 64, 128, 128),
        (100, 64, 256, 256),
        (100, 1, 256, 256),
        (100, 32, 512, 512),
        (128, 1, 1024, 1024),
        (6, 3, 10, 20),
        (35, 20, 650, 650),
        (1000, 16, 64, 128),
        (50, 128, 1024, 1024),
    )
)
"""From a toy to what fills a server: thin, long, odd and large."""

QUICK = (Shape(100, 1, 32, 32), Shape(100, 32, 32, 64), Shape(50, 64, 128, 128))
"""Some of the grid, each a matter of milliseconds."""

MIDDLE = (Shape(50, 64, 128, 128), Shape(100, 64, 256, 256))
"""Where one cell is compared with another: large enough that products are most of the work."""

STREAM = Shape(100, 1, 64, 64)
"""A stream: T steps, each its own call."""


def shape(text: str) -> Shape:
    """The shape that a user wrote.

    Raises:
        UserError: unless it is four whole numbers above 0.

    >>> shape("50,64,128,128")
    Shape(T=50, B=64, I=128, H=128)
    """
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() and int(part) for part in parts):
        raise UserError(
            f"--own {text!r}: expected T,B,I,H, four whole numbers above 0, such as 50,64,128,128"
        )
    return Shape(*map(int, parts))
