"""A sequence to a sequence of equal length: tag, predict what comes next."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from ..equations import Cell
from ..nn.sequence import Lengths
from ..nn.weights import States
from . import ends
from .kind import Kind
from .many_to_one import require_whole
from .structure import Structure, recurrent, require_time_first


@final
class ManyToMany(Structure):
    """Many → many of equal length: an answer at every step.

    With the sequence itself, one step ahead, as its target it is a language model.

    Args:
        cell: of the recurrent layers.
        reads: what the input consists of: `Symbols` or `Vectors`.
        hidden_size: H.
        writes: what is answered: `Symbols` or `Vectors`.
        num_layers: how many layers are stacked.
        dropout: between the layers and before the head, in training.
        options: further ones of `Recurrent`, such as ``bidirectional`` or ``zoneout``.

    >>> import torch, unrolled
    >>> from unrolled.structures import ManyToMany, Symbols
    >>> model = ManyToMany(unrolled.cells.lstm, Symbols(50), 32, Symbols(5))
    >>> words = torch.randint(50, (7, 3))
    >>> logits, states = model(words, lengths=[7, 2, 5])
    >>> logits.shape
    torch.Size([7, 3, 5])
    >>> begun, states = model(words[:4])              # streaming: part by part
    >>> rest, states = model(words[4:], states)
    >>> torch.allclose(logits[:, 0], torch.cat([begun, rest])[:, 0], atol=1e-6)
    True
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
        self.dropout = nn.Dropout(dropout)
        directions = 2 if self.recurrent.bidirectional else 1
        read = self.recurrent.output_size * directions
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
            The answers, (T, B, units): logits of symbols, or numbers; 0 after the end of a row.
            And the states to go on with, each (directions * layers, B, H).

        Raises:
            ValueError: states for a bidirectional network, which has to read everything at once.
            RuntimeError: sizes that do not fit, as `Recurrent`.
        """
        require_whole(self.recurrent.bidirectional, states)
        outputs, after = self.recurrent(
            self.embedding(ends.cleared(input, lengths)), states, lengths=lengths
        )
        return ends.cleared(self.readout(self.dropout(outputs)), lengths), after
