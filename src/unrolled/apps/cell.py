"""Cells as command lines name them."""

from __future__ import annotations

import runpy
from pathlib import Path

from ..cells import CELLS, find
from ..equations import Cell
from ..errors import CellError, UserError


def cell_of(name: str) -> Cell:
    """Return a known cell by its name, one of a Python file as ``FILE.py:NAME``, or that of a run
    by the run's folder.

    >>> cell_of("gru").states
    ('h',)

    Raises:
        UserError: there is none; the file cannot be run.
    """
    file, colon, own = name.rpartition(":")
    if not colon or not file.endswith(".py"):
        return _of_run(Path(name)) if name not in CELLS and Path(name).exists() else _known(name)
    if not Path(file).is_file():
        raise UserError(f"there is no file {file}")
    try:
        found = runpy.run_path(file)
    except Exception as error:
        raise UserError(f"{file} cannot be run: {type(error).__name__}: {error}") from error
    if not isinstance(found.get(own), Cell):
        others = sorted(each for each, value in found.items() if isinstance(value, Cell))
        known = f"it has {', '.join(others)}" if others else "write it under @unrolled.cell"
        raise UserError(f"{file} has no cell called {own!r}: {known}")
    return found[own]


def _known(name: str) -> Cell:
    try:
        return find(name)
    except CellError as error:
        hint = "a cell of your own: FILE.py:NAME, or a run's folder"
        raise UserError(f"{error}; {hint}") from error


def _of_run(path: Path) -> Cell:
    from .train import checkpoint

    return checkpoint.load(path).cell
