"""What a user asks for: checked, and brought to the subject of a drawing."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING

from ...cells import find as find_cell
from ...draw.subject import Subject
from ...draw.words import Words
from ...equations import Cell
from ...errors import CellError, DrawError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...draw.drawing import Drawing

NEEDED = {"matplotlib": "matplotlib", "PIL": "pillow", "platformdirs": "platformdirs"}


def require() -> None:
    """DrawError unless the packages that pictures need are there."""
    from importlib.util import find_spec

    missing = [name for module, name in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise DrawError(f"pictures need {', '.join(missing)}: pip install 'unrolled[draw]'")


def check(drawing: Drawing, **given: object) -> None:
    """DrawError for something that is given, but that a drawing does not take."""
    for option, value in given.items():
        if value is not None and value != () and value != [] and option not in drawing.takes:
            takes = (
                ", ".join(f"--{each}" for each in sorted(drawing.takes)) or "nothing of the kind"
            )
            raise DrawError(f"{drawing.name} does not take --{option}; it takes {takes}")


def subject(
    cell: Cell | None = None,
    runs: Sequence[Path] = (),
    text: str | None = None,
    language: str = "en",
) -> Subject:
    """The subject of a drawing; models are loaded or trained when their numbers are asked for."""
    words = Words(language)
    return Subject(cell, _Later(runs, text, cell, words), words)  # pyright: ignore[reportArgumentType]


class _Later:
    """Numbers that are imported, and models that are read, on the first use."""

    def __init__(
        self, runs: Sequence[Path], text: str | None, cell: Cell | None, words: Words
    ) -> None:
        self._given = runs, text, cell, words

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        from .numbers import Measured

        runs, text, cell, words = self._given
        if runs and cell is not None:
            raise DrawError("--run and --cell contradict each other: a run has a cell of its own")
        return getattr(Measured(runs, text, cell=cell, words=words), name)


def cell_of(name: str) -> Cell:
    """A known cell by its name, or one of a Python file as ``FILE.py:NAME``."""
    file, colon, own = name.rpartition(":")
    if not colon or not file.endswith(".py"):
        try:
            return find_cell(name)
        except CellError as error:
            raise DrawError(f"{error}; a cell of your own: FILE.py:NAME") from error
    if not Path(file).is_file():
        raise DrawError(f"there is no file {file}")
    try:
        found = runpy.run_path(file).get(own)
    except Exception as error:
        raise DrawError(f"{file} cannot be run: {type(error).__name__}: {error}") from error
    if not isinstance(found, Cell):
        raise DrawError(f"{file} has no cell called {own}: write it under @unrolled.cell")
    return found


def text_of(given: str | None) -> str | None:
    """The text itself, or what the UTF-8 file of that name holds."""
    if given is None:
        return None
    try:
        is_file = Path(given).is_file()
    except (OSError, ValueError):  # longer than a name can be
        is_file = False
    if not is_file:
        return given
    from ...errors import UserError
    from ..train.text import read

    try:
        return read(Path(given)).rstrip("\n")
    except UserError as error:
        raise DrawError(str(error)) from error


def write_all(folder: Path, make: Callable[[Drawing], object]) -> Iterator[Path]:
    """Write all drawings into a folder: NAME.png, NAME.svg, and NAME.gif of those that move.

    Args:
        folder: made if it is not there.
        make: the picture of a drawing.

    Yields:
        Each file, after it is written.
    """
    from ...draw.drawings import DRAWINGS
    from ...draw.picture import save

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DrawError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    for drawing in DRAWINGS.values():
        if drawing.chart:
            continue
        picture = make(drawing)
        for kind in ("png", "svg", *(["gif"] if drawing.moves else [])):
            path = folder / f"{drawing.name}.{kind}"
            save(picture, path)  # pyright: ignore[reportArgumentType]
            yield path
