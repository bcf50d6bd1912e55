"""A sequence to one answer: classify, regress."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ..nn.sequence import Lengths
from ..nn.weights import States
from .answering import Answering


@final
class ManyToOne(Answering):
    """Many → one: reads a sequence, then answers; a class, or numbers.

    The answer is a linear map of what the last layer put out at a row's last step; of both
    directions if it is bidirectional.

    Its arguments are those of `Answering`.

    >>> import torch, unrolled
    >>> from unrolled.structures import ManyToOne, Symbols, Vectors
    >>> model = ManyToOne(unrolled.cells.gru, Vectors(8), 32, Symbols(10))
    >>> logits, states = model(torch.randn(7, 3, 8), lengths=[7, 2, 5])
    >>> logits.shape, model.choose(logits).shape
    (torch.Size([3, 10]), torch.Size([3]))
    >>> loss = model.loss(logits, torch.tensor([1, 0, 9]))
    """

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
        _, after = self._read(input, states, lengths)
        graph = self.recurrent.graph
        place = list(graph.states).index(graph.output)
        last = after if isinstance(after, Tensor) else after[place]
        answer = torch.cat(list(last[-self.directions :]), -1)
        return self.readout(self.dropout(answer)), after
