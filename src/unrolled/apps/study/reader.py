"""The model of a trial: embedding, one recurrent layer, readout of the steps that are asked."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn

from .entrant import Entrant
from .problem import Problem

EMBEDDING = 32


@final
class Reader(nn.Module):
    """Reads a problem's sequences; all entrants have the same embedding and readout.

    >>> import torch
    >>> from unrolled.cells import find
    >>> from unrolled.apps.study.problems import problem
    >>> reader = Reader(problem("copy", 5), Entrant(find("gru")), hidden=8)
    >>> reader(torch.zeros(25, 3, dtype=torch.int64)).shape
    torch.Size([25, 3, 9])
    """

    def __init__(self, problem: Problem, entrant: Entrant, hidden: int) -> None:
        super().__init__()
        self.asked = problem.asked
        width = EMBEDDING if problem.symbols else problem.width
        self.embedding = nn.Embedding(problem.symbols, width) if problem.symbols else nn.Identity()
        self.recurrent = entrant.layer(width, hidden)
        self.dropout = nn.Dropout(problem.dropout)
        self.readout = nn.Linear(self.recurrent.output_size, problem.outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (asked, B, O), from symbols (T, B) or numbers (T, B, I)."""
        y = self.recurrent(self.embedding(x))[0]
        return self.readout(self.dropout(y[-self.asked :]))
