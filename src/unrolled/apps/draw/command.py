"""The command ``unrolled draw``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DrawError
from .request import cell_of, check, require, subject, text_of, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    from ...draw.drawings import DRAWINGS

    width = max(map(len, DRAWINGS))
    for drawing in DRAWINGS.values():
        marks = " ".join(f"--{option}" for option in sorted(drawing.takes))
        moving = " (also .gif, .mp4)" if drawing.moves else ""
        yield f"{drawing.name:{width}}  {drawing.about}{moving}{'  ' + marks if marks else ''}"


def _one(
    name: str, cell: str | None, runs: list[Path], text: str | None, language: str, out: Path | None
) -> Path:
    from ...draw.drawings import find
    from ...draw.picture import check_path, save

    drawing = find(name)
    path = out or Path(f"{name}.png")
    check(drawing, cell=cell, run=runs, text=text)
    check_path(path, drawing.moves)
    about = subject(cell_of(cell) if cell is not None else None, runs, text_of(text), language)
    save(drawing.picture(about), path)
    return path
