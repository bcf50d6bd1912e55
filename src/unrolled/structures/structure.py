"""The base of all structures: kinds of steps, loss and choice."""

from __future__ import annotations

from abc import ABC
from typing import Any

from torch import Tensor, nn

from ..equations import Cell
from ..nn.recurrent import Recurrent
from ..nn.sequence import Lengths
from . import ends
from .kind import Kind, Symbols


class Structure(nn.Module, ABC):
    """Abstract: recurrent layers of any cell with a reader before them and a linear head behind.

    Attributes:
        reads: what the input consists of.
        writes: what the output consists of.
    """

    def __init__(self, reads: Kind, writes: Kind) -> None:
        super().__init__()
        self.reads = reads
        self.writes = writes

    def loss(self, outputs: Tensor, targets: Tensor, lengths: Lengths | None = None) -> Tensor:
        """Return the mean loss of a step: cross entropy of symbols in nats, mean square of vectors.

        Args:
            outputs: as the structure gives them, (…, units).
            targets: the steps that were wanted, (…) symbols or (…, size) vectors.
            lengths: (B,); steps (T, B) after the end of a row do not count, whatever stands there.
        """
        if lengths is not None:
            outputs, targets = ends.cleared(outputs, lengths), ends.cleared(targets, lengths)
        return ends.average(self.writes.loss(outputs, targets), lengths)

    def choose(self, outputs: Tensor) -> Tensor:
        """Return the likeliest symbols (…) of logits (…, V); vectors as they are."""
        return self.writes.choose(outputs)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return softmax of logits (…, V).

        Raises:
            TypeError: the structure writes no symbols.
        """
        return symbols(self.writes, "probabilities").probabilities(outputs)


def symbols(kind: Kind, what: str) -> Symbols:
    """Return the kind, if it is one of symbols; else TypeError."""
    if not isinstance(kind, Symbols):
        raise TypeError(f"{what}: only symbols have it, this structure writes {kind}")
    return kind


def recurrent(
    cell: Cell,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    dropout: float,
    options: dict[str, Any],
) -> Recurrent:
    """Return recurrent layers; a projected state gets half of the hidden size unless told
    otherwise.

    Raises:
        TypeError: for ``batch_first``: structures take sequences in one form.
    """
    if "batch_first" in options:
        raise TypeError("structures take sequences as (T, B, …): there is no batch_first")
    if cell.projects:
        options = {"proj_size": max(hidden_size // 2, 1), **options}
    between = dropout if num_layers > 1 else 0.0
    return Recurrent(
        cell, input_size, hidden_size, num_layers=num_layers, dropout=between, **options
    )
