"""The problem of telling the class of a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from ...equations import Cell
from ...structures import ManyToOne, Symbols
from ..making import made
from ..problem import Problem
from ..settings import Settings
from .reading import Cells, Reading, from_json


@final
@dataclass(frozen=True)
class Classification(Problem):
    """Which classes there are, and how a record is read.

    Attributes:
        cells: which columns make the sequence.
        label: the column of the class.
        reading: how the sequence is read.
        classes: their names; the model's are their places.
        longest: of longer sequences only the last steps are read.
    """

    kind: ClassVar[str] = "classify"
    data: ClassVar[str] = "table"
    cells: Cells
    label: str
    reading: Reading
    classes: tuple[str, ...]
    longest: int

    def model(self, settings: Settings, cell: Cell) -> ManyToOne:
        """Many → one."""
        return made(
            settings,
            lambda: ManyToOne(
                cell,
                self.reading.kind,
                settings.hidden,
                Symbols(len(self.classes)),
                settings.layers,
                settings.dropout,
            ),
        )

    def encode(self, raw: Any) -> Tensor:
        """The last steps of a sequence."""
        return self.reading.encode(raw)[-self.longest :]

    def to_json(self) -> dict[str, Any]:
        """All of it in what JSON knows."""
        return {
            "columns": list(self.cells.columns),
            "text": self.cells.text,
            "step": self.cells.step,
            "label": self.label,
            "reading": self.reading.to_json(),
            "classes": list(self.classes),
            "longest": self.longest,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Classification:
        """What `to_json` gave."""
        columns = tuple(map(str, stored["columns"]))
        return cls(
            Cells(columns, bool(stored["text"]), int(stored["step"])),
            str(stored["label"]),
            from_json(stored["reading"]),
            tuple(map(str, stored["classes"])),
            int(stored["longest"]),
        )


def probabilities(model: ManyToOne, rows: Tensor, lengths: Tensor) -> Tensor:
    """The probability of every class, (B, C)."""
    with torch.no_grad():
        return model.probabilities(model(rows, lengths=lengths)[0])
