"""A sequence to a sequence of equal length: tag, predict what comes next."""

from __future__ import annotations

from typing import final

from torch import Tensor

from ..nn.sequence import Lengths
from ..nn.weights import States
from . import ends
from .answering import Answering


@final
class ManyToMany(Answering):
    """Many → many of equal length: an answer at every step.

    With the sequence itself, one step ahead, as its target it is a language model.

    Its arguments are those of `Answering`.

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
        outputs, after = self._read(input, states, lengths)
        return ends.cleared(self.readout(self.dropout(outputs)), lengths), after
