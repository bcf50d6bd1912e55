"""Cells as command lines name them."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path
from typing import Any

from ..cells import CELLS, find
from ..equations import Cell
from ..errors import CellError, CellWarning, UserError
from ..printable import decoded


def cell_of(name: str) -> Cell:
    """Return a known cell by its name, one of a Python file as ``FILE.py:NAME``, or that of a run
    by the run's folder.

    >>> cell_of("gru").states
    ('h',)

    Raises:
        UserError: there is none; the file cannot be run.
    """
    if not name:
        raise UserError("the name of the cell is empty: unrolled cells lists the known ones")
    file, colon, own = name.rpartition(":")
    own = decoded(own)
    if not colon or not file.endswith(".py"):
        is_run = name not in CELLS and Path(name).exists()
        return _of_run(Path(name)) if is_run else _known(decoded(name))
    if not Path(file).is_file():
        raise UserError(f"there is no file {file}")
    found, caught = _run(file)
    if not isinstance(found.get(own), Cell):
        others = sorted(each for each, value in found.items() if isinstance(value, Cell))
        known = f"it has {', '.join(others)}" if others else "write it under @unrolled.cell"
        raise UserError(f"{file} has no cell called {own!r}: {known}")
    for warning in caught:
        if not issubclass(warning.category, CellWarning) or _is_about(warning, found[own]):
            place = warning.filename, warning.lineno
            warnings.warn_explicit(warning.message, warning.category, *place)
    return found[own]


def _run(file: str) -> tuple[dict[str, Any], list[warnings.WarningMessage]]:
    """Return what a Python file defines, and the warnings on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")  # filters take those that are given again
        try:
            return runpy.run_path(file), caught
        except (Exception, SystemExit) as error:  # a script may end by itself
            raise UserError(f"{file} cannot be run: {type(error).__name__}: {error}") from error


def _is_about(warning: warnings.WarningMessage, cell: Cell) -> bool:
    """Return whether a warning of equations is of a cell: it then begins with the cell's name."""
    return str(warning.message).startswith(f"{cell.name}: ")


def _known(name: str) -> Cell:
    try:
        return find(name)
    except CellError as error:
        hint = "a cell of your own: FILE.py:NAME, or a run's folder"
        raise UserError(f"{error}; {hint}") from error


def _of_run(path: Path) -> Cell:
    from .train import checkpoint

    return checkpoint.load(path).cell
