"""One vector or symbol to a sequence: generate."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from ..equations import Cell
from ..nn.sequence import Lengths
from .decoding import Carried
from .generative import Generative
from .kind import Kind, Vectors


@final
class OneToMany(Generative):
    """One → many: writes a sequence from one vector or symbol.

    The first step reads the start, a vector through a linear map, a symbol through an embedding;
    every later step reads what was written before it (as Vinyals et al. 2015 caption images).

    Its arguments are those of `Generative`; ``reads`` is what the start is.

    >>> import torch, unrolled
    >>> from unrolled.structures import OneToMany, Symbols, Vectors
    >>> model = OneToMany(unrolled.cells.lstm, Vectors(5), 32, Symbols(27))
    >>> start, targets = torch.randn(3, 5), torch.randint(27, (7, 3))
    >>> logits = model(start, targets, lengths=[7, 2, 5])     # training: each reads the target
    >>> logits.shape
    torch.Size([7, 3, 27])
    >>> loss = model.loss(logits, targets, lengths=[7, 2, 5])
    >>> model.greedy(start, steps=10, end=0).symbols.shape[1]
    3
    >>> logits, carried = model.begin(start)                  # streaming: step by step
    >>> logits, carried = model.step(model.choose(logits), carried)
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
        super().__init__(cell, reads, hidden_size, writes, num_layers, dropout, **options)
        device, dtype = options.get("device"), options.get("dtype")
        opening = nn.Linear(reads.width, writes.width, device=device, dtype=dtype)
        if isinstance(reads, Vectors):
            self.opening = opening
        else:
            self.opening = nn.Sequential(reads.reader(device, dtype), opening)

    def forward(self, start: Tensor, targets: Tensor, *, lengths: Lengths | None = None) -> Tensor:
        """Return the outputs at every step when each step reads the target before it (teacher
        forcing).

        Args:
            start: vectors (B, I) or symbols (B,).
            targets: symbols (T, B) or vectors (T, B, N).
            lengths: (B,) how many steps each target has.

        Returns:
            (T, B, units): logits of symbols, or numbers; 0 after the end of a row.
        """
        return self._teach(start, targets, None, lengths)

    def _open(self, source: Tensor, lengths: Lengths | None) -> tuple[Tensor, Carried]:
        if lengths is not None:
            raise ValueError("one → many starts with one step: it takes no source_lengths")
        return self.opening(source), Carried(None)
