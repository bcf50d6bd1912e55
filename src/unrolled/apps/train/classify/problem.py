"""The problem of telling the class of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import msgspec
from msgspec import Meta
from torch import Tensor

from ....equations import Cell
from ....schema import Size, checked
from ....structures import ManyToOne, Symbols
from ..settings import Settings
from ..table.format import CSV, Format
from ..task import Problem, build
from .reading import Cells, Reading, Text, from_json
from .reading import Stored as StoredReading


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """A classification in a file."""

    columns: Annotated[tuple[str, ...], Meta(min_length=1)]
    text: bool
    step: Size
    label: str
    reading: StoredReading
    classes: Annotated[tuple[str, ...], Meta(min_length=1)]
    longest: Size
    format: Format = CSV


@final
@dataclass(frozen=True)
class Classification(Problem):
    """The classes there are, and how a record is read.

    Attributes:
        cells: which columns make the sequence.
        label: the column of the class.
        reading: how the sequence is read.
        classes: their names; the model's are their places.
        longest: of longer sequences only the last steps are read.
        format: how the table stood in its file.
    """

    kind: ClassVar[str] = "classify"
    data: ClassVar[str] = "table"
    cells: Cells
    label: str
    reading: Reading
    classes: tuple[str, ...]
    longest: int
    format: Format = CSV

    def model(self, settings: Settings, cell: Cell) -> ManyToOne:
        """Return a network that reads the sequence and tells its class: many → one."""
        return build(ManyToOne, settings, cell, self.reading.kind, Symbols(len(self.classes)))

    def encode(self, raw: Any) -> Tensor:
        """Return the last steps of a sequence."""
        return self.reading.encode(raw)[-self.longest :]

    def to_json(self) -> dict[str, Any]:
        """Return all of it in what JSON knows."""
        return {
            "columns": list(self.cells.columns),
            "text": self.cells.text,
            "step": self.cells.step,
            "label": self.label,
            "reading": self.reading.to_json(),
            "classes": list(self.classes),
            "longest": self.longest,
            "format": msgspec.to_builtins(self.format),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Classification:
        """Return what `to_json` gave.

        Raises:
            ValueError, UserError: it is damaged.
        """
        found = checked(stored, Stored)
        reading, columns = from_json(found.reading), found.columns
        if found.text != isinstance(reading, Text) or (found.text and len(columns) > 1):
            raise ValueError("reading: expected text of one column, or numbers")
        if len(columns) % found.step or (len(columns) > 1 and reading.kind.width != found.step):
            raise ValueError(
                f"step is {found.step}: {len(columns)} columns cannot be read so, with "
                f"{reading.kind.width} numbers a step"
            )
        if len(set(found.classes)) < len(found.classes):
            raise ValueError("classes: a name stands there twice")
        cells = Cells(columns, found.text, found.step)
        return cls(cells, found.label, reading, found.classes, found.longest, found.format)
