"""Who takes part: a cell, and how its weights start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from ...equations import Cell
from ...nn import Recurrent
from ...probe.gates import keeping
from .start import STARTS, check

DEFAULT = ("rnn_tanh", "rnn_relu", "rnn_relu+identity", "gru", "lstm", "lstm+forget")
"""Who takes part unless told otherwise."""
UNGATED, IDENTITY = 0.3, 0.1
"""The learning rate beside that of a gated cell: greater steps make such cells diverge."""


@final
@dataclass(frozen=True)
class Entrant:
    """A cell and how its weights start.

    Attributes:
        cell: its equations.
        start: a name of `unrolled.apps.study.start.STARTS`; empty: as PyTorch draws them.
    """

    cell: Cell
    start: str = ""

    def __post_init__(self) -> None:
        check(self.cell, self.start)

    @classmethod
    def of(cls, name: str, find: Callable[[str], Cell]) -> Entrant:
        """The entrant of a name such as ``lstm`` or ``lstm+forget``."""
        cell, _, start = name.partition("+")
        return cls(find(cell), start)

    @property
    def name(self) -> str:
        """As it stands in tables."""
        return f"{self.cell.name}+{self.start}" if self.start else self.cell.name

    @property
    def digest(self) -> str:
        """Of the equations, so that a changed cell is another one."""
        text = json.dumps(self.cell.to_json()["graph"], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def pace(self) -> float:
        """The learning rate beside that of a gated cell."""
        if self.start == "identity":
            return IDENTITY
        return 1.0 if keeping(self.cell.graph) is not None else UNGATED

    def layer(self, inputs: int, hidden: int) -> Recurrent:
        """A layer with its weights as they start; the generator is PyTorch's."""
        projection = max(1, hidden // 2) if self.cell.projects else 0
        layer = Recurrent(self.cell, inputs, hidden, proj_size=projection)
        STARTS[self.start](layer)
        return layer
