"""An entrant: a cell, how its weights start, and the network around it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from ...equations import Cell
from ...errors import UserError
from ...graph import parameters, storage
from ...nn import Recurrent
from ...probe.gates import keeping, offsets
from .problems import GapProblem


def identity(layer: Recurrent) -> None:
    """Set recurrent weights to the identity, biases to 0 (IRNN; Le, Jaitly & Hinton 2015)."""
    for name, parameter in layer.named_parameters():
        with torch.no_grad():
            if name.startswith("weight_hh"):
                nn.init.eye_(parameter)
            elif name.startswith("bias"):
                parameter.zero_()


def forget(layer: Recurrent) -> None:
    """Open the gate that keeps the memory: a bias of 1 more (Gers et al. 2000)."""
    found = keeping(layer.graph)
    assert found is not None  # as the entrant has seen
    rows = next(iter(offsets(layer.graph, found.gate)))
    with torch.no_grad():
        rows.of(layer.get_parameter(f"{rows.name}_l0")).add_(found.sign / rows.times)


STARTS: dict[str, Callable[[Recurrent], None]] = {"identity": identity, "forget": forget}
"""By their names, as they stand behind a cell's name and a plus sign."""


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
        start: a name of `unrolled.apps.study.entrant.STARTS`; empty: as PyTorch draws them,
            U(-1/sqrt(H), 1/sqrt(H)).

    Raises:
        UserError: for a start that there is not, or that the cell cannot have.
    """

    cell: Cell
    start: str = ""

    def __post_init__(self) -> None:
        name, rows = self.name, {each.name: each.rows for each in parameters(self.cell.graph)}
        if self.start and self.start not in STARTS:
            known = ", ".join(f"+{each}" for each in STARTS)
            raise UserError(f"{name}: a start is one of {known}")
        if self.start == "identity" and len(rows.get("weight_hh", ())) != 1:
            raise UserError(f"{name}: the cell has not one recurrent matrix")
        if self.start == "forget" and keeping(self.cell.graph) is None:
            raise UserError(f"{name}: the cell has no gate that keeps its memory")

    @classmethod
    def of(cls, name: str, find: Callable[[str], Cell]) -> Entrant:
        """Return the entrant of a name such as ``lstm`` or ``lstm+forget``."""
        cell, _, start = name.partition("+")
        return cls(find(cell), start)

    @property
    def name(self) -> str:
        """As it stands in tables."""
        return f"{self.cell.name}+{self.start}" if self.start else self.cell.name

    @property
    def digest(self) -> str:
        """Of the equations, so that a changed cell is another one."""
        text = json.dumps(storage.equations(self.cell.graph), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def pace(self) -> float:
        """The learning rate beside that of a gated cell."""
        if self.start == "identity":
            return IDENTITY
        return 1.0 if keeping(self.cell.graph) is not None else UNGATED

    def layer(self, inputs: int, hidden: int) -> Recurrent:
        """Return a layer with its weights as they start; the generator is PyTorch's."""
        projection = max(1, hidden // 2) if self.cell.projects else 0
        layer = Recurrent(self.cell, inputs, hidden, proj_size=projection)
        if self.start:
            STARTS[self.start](layer)
        return layer


EMBEDDING = 32


@final
class Reader(nn.Module):
    """Network of an entrant; all have the same embedding and readout.

    >>> import torch
    >>> from unrolled.cells import find
    >>> from unrolled.apps.study.problems import problem
    >>> reader = Reader(problem("copy", 5), Entrant(find("gru")), hidden=8)
    >>> reader(torch.zeros(25, 3, dtype=torch.int64)).shape
    torch.Size([25, 3, 9])
    """

    def __init__(self, problem: GapProblem, entrant: Entrant, hidden: int) -> None:
        super().__init__()
        self.asked = problem.asked
        width = EMBEDDING if problem.symbols else problem.width
        self.embedding = nn.Embedding(problem.symbols, width) if problem.symbols else nn.Identity()
        self.recurrent = entrant.layer(width, hidden)
        self.dropout = nn.Dropout(problem.dropout)
        self.readout = nn.Linear(self.recurrent.output_size, problem.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs (asked, B, O), from symbols (T, B) or numbers (T, B, I)."""
        y = self.recurrent(self.embedding(x))[0]
        return self.readout(self.dropout(y[-self.asked :]))
