"""The known cells, found by themselves: every cell of every module in this folder.

>>> from unrolled import cells
>>> cells.lstm
Cell(lstm: x, h, c)
"""

import difflib
import importlib
import pkgutil

from ..equations import Cell
from ..errors import CellError

CELLS: dict[str, Cell] = {
    value.name: value
    for module in pkgutil.iter_modules(__path__)
    for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values()
    if isinstance(value, Cell)
}
"""Every known cell by its name."""


def find(name: str) -> Cell:
    """Return the cell of a name; raise CellError, with the nearest names, if there is none."""
    if name not in CELLS:
        close = difflib.get_close_matches(name, CELLS, 3)
        hint = f"did you mean {' or '.join(close)}? " if close else ""
        raise CellError(
            f"no cell is called {name!r}; {hint}known cells: {', '.join(sorted(CELLS))}"
        )
    return CELLS[name]


def __getattr__(name: str) -> Cell:
    try:
        return find(name)
    except CellError as error:
        raise AttributeError(str(error)) from None


def __dir__() -> list[str]:
    return sorted(["CELLS", "find", *CELLS])
