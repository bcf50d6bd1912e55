"""A drawing: a name, and how its picture is made."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

from ..cells import CELLS
from ..display import text_of, titled
from ..errors import DrawError
from ..printing.latex import equations
from ..printing.unicode import formula
from .picture import Picture
from .subject import Subject
from .svg import BETWEEN
from .timeline import cell_name, plain


@final
@dataclass(frozen=True)
class Drawing:
    """One of the drawings.

    Attributes:
        number: its place in the list; charts come after the drawings, from `CHARTS` on.
        name: what `unrolled draw` takes.
        about: what it shows.
        make: its picture of a subject.
        takes: which of cell, run and text change it.
        moves: whether it has an animation.
        cells: which cells it is of, in words; empty: of any.
    """

    number: int
    name: str
    about: str
    make: Callable[[Subject], Picture]
    takes: frozenset[str]
    moves: bool
    cells: str = ""

    __repr__ = text_of

    def picture(self, subject: Subject | None = None) -> Picture:
        """Return the picture of a subject.

        Raises:
            DrawError: for a subject that does not fit.
        """
        subject = subject or Subject()
        if subject.cell is not None and "cell" not in self.takes:
            raise DrawError(f"{self.name} is not about one cell: leave out --cell")
        made = self.make(subject)
        title = made.title or self._title(subject)
        about = made.about or _equations(made, subject)
        return replace(made, title=title, about=about, language=subject.words.language)

    def _title(self, subject: Subject) -> str:
        """Return what the picture is; of a cell as a whole, the cell."""
        words, cell = subject.words, subject.cell
        about = words(self.about)
        about = capital(about) if words.language == "en" else about
        if cell is None:
            return about
        name, summary = cell_name(cell), plain(cell.summary)
        if self.takes != {"cell"}:
            return f"{about}{words('; ')}{name}"
        return titled(name, summary) if words.language == "en" else name

    @property
    def chart(self) -> bool:
        """Whether it is a chart of a recording rather than one of the drawings."""
        return self.number >= CHARTS


def capital(words: str) -> str:
    """Return words that begin with a capital letter, unless they begin with a symbol.

    >>> capital("the whole"), capital("h', y"), capital("dC/dh")
    ('The whole', "h', y", 'dC/dh')
    """
    symbol = re.match(r"[a-z]*[A-Z'_(]", words)
    return words if symbol else words[0].upper() + words[1:]


def _equations(made: Picture, subject: Subject) -> str:
    """Return the equations of the cell that a scene is about, in plain letters; else nothing."""
    cell = subject.cell or CELLS.get(made.scene.title if made.scene else "")
    if made.scene is None or cell is None:
        return ""
    lines = equations(cell.graph).values()
    parts = (formula(f"{left} = {right}") for left, right in lines)
    return BETWEEN[subject.words.language].join(parts)


CHARTS = 100

DRAWINGS: dict[str, Drawing] = {}
"""Every drawing by its name; the package of the drawings sorts them by their numbers."""


def drawing(
    number: int, name: str, about: str, takes: str = "", moves: bool = False, cells: str = ""
) -> Callable[[Callable[[Subject], Picture]], Drawing]:
    """Make a drawing of the function under it."""

    def made(function: Callable[[Subject], Picture]) -> Drawing:
        return DRAWINGS.setdefault(
            name, Drawing(number, name, about, function, frozenset(takes.split()), moves, cells)
        )

    return made
