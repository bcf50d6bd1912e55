"""A request for a drawing: checked, and brought to the drawing's subject."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...draw.subject import Subject
from ...draw.words import Words
from ...equations import Cell
from ...errors import DrawError, refusing
from ...printable import decoded
from ..cell import cell_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...draw.drawing import Drawing

NEEDED = {"matplotlib": "matplotlib", "PIL": "pillow", "platformdirs": "platformdirs"}


def require() -> None:
    """Raise DrawError unless the packages that pictures need are there."""
    from importlib.util import find_spec

    missing = [name for module, name in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise DrawError(f"pictures need {', '.join(missing)}: pip install 'unrolled[draw]'")


def check(drawing: Drawing, **given: object) -> None:
    """Raise DrawError for something that is given, but that a drawing does not take."""
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
    """Return the subject of a drawing; its models are loaded or trained once they are asked for."""
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


def text_of(given: str | None) -> str | None:
    """Return what `unrolled.apps.train.text.given` does, without the end of a file's last line."""
    if given is None:
        return None
    from ...errors import UserError
    from ..train import text

    try:
        words = text.given(given)
    except UserError as error:
        raise DrawError(str(error)) from error
    return decoded(words) if words == given else words.rstrip("\n")


def write_all(folder: Path, make: Callable[[Drawing], object]) -> Iterator[Path]:
    """Write all drawings and charts into a folder: NAME.png, NAME.svg, and NAME.gif of what moves.

    Args:
        folder: made if it is not there.
        make: the picture of a drawing.

    Yields:
        Each file, after it is written.
    """
    from ...draw.drawings import DRAWINGS
    from ...draw.picture import save

    with refusing(f"make the folder {folder}", DrawError):
        folder.mkdir(parents=True, exist_ok=True)
    for drawing in DRAWINGS.values():
        picture = make(drawing)
        for kind in ("png", "svg", *(["gif"] if drawing.moves else [])):
            path = folder / f"{drawing.name}.{kind}"
            save(picture, path)  # pyright: ignore[reportArgumentType]
            yield path


def draw(
    name: str | None,
    cell: str | None,
    runs: list[Path],
    text: str | None,
    language: str,
    out: Path | None,
    listed: bool,
    everything: Path | None,
) -> Iterator[str]:
    """Do what the command asks; what there is to say about it, line by line."""
    asked = [
        what for what, given in (("NAME", name), ("--list", listed), ("--all", everything)) if given
    ]
    if len(asked) != 1:
        got = " and ".join(asked) or "none of them"
        raise DrawError(f"give the name of a drawing, or --list, or --all DIR: got {got}")
    require()
    if listed:
        yield from _list()
    elif everything is not None:
        if cell is not None or runs or text is not None or out is not None:
            raise DrawError(
                "--all draws every drawing as it is: leave out --cell, --run, --text and -o"
            )
        about = subject(language=language)
        for path in write_all(everything, lambda drawing: drawing.picture(about)):
            yield str(path)
    elif name is not None:
        yield str(_one(name, cell, runs, text, language, out))


def _list() -> Iterator[str]:
    from ...draw.drawings import ALIASES, DRAWINGS

    width = max(map(len, DRAWINGS))
    for alias, name in ALIASES.items():
        yield f"{alias:{width}}  the picture of any cell: draw {alias} --cell NAME (as {name})"
    for drawing in DRAWINGS.values():
        marks = " ".join(f"--{option}" for option in sorted(drawing.takes))
        moving = " (also .gif, .mp4)" if drawing.moves else ""
        only = f", of a cell with {drawing.cells}" if drawing.cells else ""
        options = f"  {marks}" if marks else ""
        yield f"{drawing.name:{width}}  {drawing.about}{moving}{options}{only}"


def _one(
    name: str, cell: str | None, runs: list[Path], text: str | None, language: str, out: Path | None
) -> Path:
    from ...draw.drawings import find
    from ...draw.picture import check_path, save

    drawing = find(decoded(name))
    path = out or Path(f"{name}.png")
    check(drawing, cell=cell, run=runs, text=text)
    check_path(path, drawing.moves)
    about = subject(cell_of(cell) if cell is not None else None, runs, text_of(text), language)
    save(drawing.picture(about), path)
    return path
