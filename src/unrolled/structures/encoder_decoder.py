"""A sequence to a sequence of another length: translate."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn

from ..equations import Cell
from ..nn.sequence import Lengths
from . import ends
from .attention import Attention
from .decoding import Carried
from .generative import Generative
from .kind import Kind
from .structure import recurrent


@final
class EncoderDecoder(Generative):
    """Many → many of unequal length: an encoder reads, then a decoder writes.

    The decoder starts from the encoder's last states (Sutskever et al. 2014), layer by layer; from
    those of the backward direction if the encoder is bidirectional (Bahdanau et al. 2015). Its
    first step reads a learned vector, every later step what was written before it.

    Its arguments are those of `Generative`, of both encoder and decoder, and these.

    Args:
        attention: whether the decoder looks at the encoder's outputs at every step
            (Luong et al. 2015).
        bidirectional: whether the encoder reads in both directions.

    >>> import torch, unrolled
    >>> from unrolled.structures import EncoderDecoder, Symbols
    >>> model = EncoderDecoder(unrolled.cells.gru, Symbols(30), 32, Symbols(20), attention=True)
    >>> source, targets = torch.randint(30, (9, 2)), torch.randint(20, (5, 2))
    >>> logits = model(source, targets, source_lengths=[9, 4], target_lengths=[3, 5])
    >>> logits.shape
    torch.Size([5, 2, 20])
    >>> loss = model.loss(logits, targets, lengths=[3, 5])
    >>> written = model.beam(source, steps=10, end=0, source_lengths=[9, 4], width=3)
    >>> written.symbols.shape[1], written.scores.shape
    (2, torch.Size([2]))
    """

    def __init__(
        self,
        cell: Cell,
        reads: Kind,
        hidden_size: int,
        writes: Kind,
        num_layers: int = 1,
        dropout: float = 0.0,
        *,
        attention: bool = False,
        bidirectional: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(cell, reads, hidden_size, writes, num_layers, dropout, **options)
        device, dtype = options.get("device"), options.get("dtype")
        self.embedding = reads.reader(device, dtype)
        self.encoder = recurrent(
            cell,
            reads.width,
            hidden_size,
            num_layers,
            dropout,
            {**options, "bidirectional": bidirectional},
        )
        self.first = nn.Parameter(torch.zeros(writes.width, device=device, dtype=dtype))
        if attention:
            directions = 2 if bidirectional else 1
            memory = self.encoder.output_size * directions
            self.attention = Attention(self.decoder.output_size, memory, device, dtype)

    def forward(
        self,
        source: Tensor,
        targets: Tensor,
        *,
        source_lengths: Lengths | None = None,
        target_lengths: Lengths | None = None,
    ) -> Tensor:
        """Return the outputs at every step when each step reads the target before it (teacher
        forcing).

        Args:
            source: symbols (S, B) or vectors (S, B, I).
            targets: symbols (T, B) or vectors (T, B, N).
            source_lengths: (B,) how many steps each source has, 0 included.
            target_lengths: (B,) how many steps each target has, 0 included.

        Returns:
            (T, B, units): logits of symbols, or numbers; 0 after the end of a row.
        """
        return self._teach(source, targets, source_lengths, target_lengths)

    def _open(self, source: Tensor, lengths: Lengths | None) -> tuple[Tensor, Carried]:
        read = self.embedding(ends.cleared(source, lengths))
        outputs, states = self.encoder(read, lengths=lengths)
        if self.encoder.bidirectional:
            backward = slice(1, None, 2)
            if isinstance(states, Tensor):
                states = states[backward].contiguous()
            else:
                states = tuple(state[backward].contiguous() for state in states)
        first = self.first.expand(source.shape[1], -1)
        if self.attention is None:
            return first, Carried(states)
        mask = None if lengths is None else ends.mask(lengths, len(outputs), outputs.device)
        return first, Carried(states, outputs, mask)
