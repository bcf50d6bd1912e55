"""The base of structures that read a sequence and answer, at its end or at every step."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..equations import Cell
from ..nn.sequence import Lengths
from ..nn.weights import States
from . import ends
from .kind import Kind
from .structure import Structure, recurrent


class Answering(Structure):
    """Abstract: layers that read a sequence, and a linear head on what they put out.

    Args:
        cell: of the recurrent layers.
        reads: what the input consists of: `Symbols` or `Vectors`.
        hidden_size: H.
        writes: what is answered: `Symbols`, such as classes or tags, or `Vectors`.
        num_layers: how many layers are stacked.
        dropout: between the layers and before the head, in training.
        options: further ones of `Recurrent`, such as ``bidirectional`` or ``zoneout``.
    """

    def __init__(
        self,
        cell: Cell,
        reads: Kind,
        hidden_size: int,
        writes: Kind,
        num_layers: int = 1,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(reads, writes)
        device, dtype = options.get("device"), options.get("dtype")
        self.embedding = reads.reader(device, dtype)
        self.recurrent = recurrent(cell, reads.width, hidden_size, num_layers, dropout, options)
        self.directions = 2 if self.recurrent.bidirectional else 1
        self.dropout = nn.Dropout(dropout)
        read = self.recurrent.output_size * self.directions
        self.readout = nn.Linear(read, writes.units, device=device, dtype=dtype)

    def _read(
        self, input: Tensor, states: States | None, lengths: Lengths | None
    ) -> tuple[Tensor, States]:
        """Return what the layers put out, (T, B, directions * H), and their states after it."""
        if self.recurrent.bidirectional and states is not None:
            raise ValueError(
                "a bidirectional network reads whole sequences: it cannot go on from states"
            )
        return self.recurrent(self.embedding(ends.cleared(input, lengths)), states, lengths=lengths)
