"""A sequence to one answer: classify, regress."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from ..equations import Cell
from ..nn.sequence import Lengths
from ..nn.weights import States
from . import ends
from .kind import Kind
from .structure import Structure, recurrent, require_time_first


@final
class ManyToOne(Structure):
    """Many → one: reads a sequence, then answers; a class, or numbers.

    The answer is a linear map of what the last layer put out at a row's last step; of both
    directions if it is bidirectional.

    Args:
        cell: of the recurrent layers.
        reads: what the input consists of: `Symbols` or `Vectors`.
        hidden_size: H.
        writes: what is answered: `Symbols` for classes, `Vectors` for numbers.
        num_layers: how many layers are stacked.
        dropout: between the layers and before the head, in training.
        options: further ones of `Recurrent`, such as ``bidirectional`` or ``zoneout``.

    >>> import torch, unrolled
    >>> from unrolled.structures import ManyToOne, Symbols, Vectors
    >>> model = ManyToOne(unrolled.cells.gru, Vectors(8), 32, Symbols(10))
    >>> logits, states = model(torch.randn(7, 3, 8), lengths=[7, 2, 5])
    >>> logits.shape, model.choose(logits).shape
    (torch.Size([3, 10]), torch.Size([3]))
    >>> loss = model.loss(logits, torch.tensor([1, 0, 9]))
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
        require_time_first(options)
        device, dtype = options.get("device"), options.get("dtype")
        self.embedding = reads.reader(device, dtype)
        self.recurrent = recurrent(cell, reads.width, hidden_size, num_layers, dropout, options)
        self.directions = 2 if self.recurrent.bidirectional else 1
        self.dropout = nn.Dropout(dropout)
        read = self.recurrent.output_size * self.directions
        self.readout = nn.Linear(read, writes.units, device=device, dtype=dtype)

    def forward(
        self, input: Tensor, states: States | None = None, *, lengths: Lengths | None = None
    ) -> tuple[Tensor, States]:
        """Read sequences, or their next parts.

        Args:
            input: symbols (T, B) or vectors (T, B, I).
            states: those before the first step, to go on with sequences read so far.
            lengths: (B,) how many steps each row has, 0 included; what comes after is not looked
                at.

        Returns:
            The answers after each row's last step, (B, units): logits of classes, or numbers; and
            the states to go on with, each (directions * layers, B, H).

        Raises:
            ValueError: states for a bidirectional network, which has to read everything at once.
            RuntimeError: sizes that do not fit, as `Recurrent`.
        """
        require_whole(self.recurrent.bidirectional, states)
        _, after = self.recurrent(
            self.embedding(ends.cleared(input, lengths)), states, lengths=lengths
        )
        last = _output(after, list(self.recurrent.graph.states), self.recurrent.graph.output)
        answer = torch.cat(list(last[-self.directions :]), -1)
        return self.readout(self.dropout(answer)), after


def _output(states: States, names: list[str], output: str) -> Tensor:
    """The state that a cell puts out."""
    return states if isinstance(states, Tensor) else states[names.index(output)]


def require_whole(bidirectional: bool, states: States | None) -> None:
    """ValueError for states that a bidirectional network cannot go on with."""
    if bidirectional and states is not None:
        raise ValueError(
            "a bidirectional network reads whole sequences: it cannot go on from states"
        )
