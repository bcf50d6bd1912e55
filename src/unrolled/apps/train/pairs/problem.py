"""The problem of turning one text into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, final

import torch
from msgspec import Meta
from torch import Tensor

from ....equations import Cell
from ....errors import UserError
from ....structures import EncoderDecoder, Symbols
from ..alphabet import LONGEST, Alphabet
from ..batch import Batch, padded
from ..settings import Settings
from ..table.format import CSV, Format
from ..task import Problem, build


@final
@dataclass(frozen=True)
class Translation(Problem):
    """The symbols of both sides.

    Attributes:
        source, target: the alphabets; after the target's symbols comes the one that ends a text.
        longest: the most symbols a text has in training.
        attention: whether the decoder looks at every step of the source.
        format: how the table stood in its file.
    """

    kind: ClassVar[str] = "pairs"
    data: ClassVar[str] = "table"
    source: Alphabet
    target: Alphabet
    longest: Annotated[int, Meta(ge=1, le=LONGEST)]
    attention: bool
    format: Format = CSV

    @property
    def end(self) -> int:
        """The symbol that ends a target."""
        return len(self.target)

    def model(self, settings: Settings, cell: Cell) -> EncoderDecoder:
        """Return an encoder, in both directions, and a decoder."""
        reads, writes = Symbols(len(self.source)), Symbols(len(self.target) + 1)
        options = {"attention": self.attention, "bidirectional": True}
        return build(EncoderDecoder, settings, cell, reads, writes, **options)

    def sources(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return symbols (S, B) and lengths (B,) of sources."""
        return padded([torch.tensor(self.source.encode(text)).long() for text in texts])

    def targets(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return symbols (T, B) and lengths (B,) of targets, their ends included."""
        return padded([torch.tensor([*self.target.encode(text), self.end]) for text in texts])

    def batch(self, pairs: Sequence[tuple[str, str]], count: int) -> Batch:
        """Return what the model reads of pairs; ``count`` is that of the whole batch."""
        sources, source_lengths = self.sources([source for source, _ in pairs])
        targets, target_lengths = self.targets([target for _, target in pairs])
        return Batch(
            inputs=(sources, source_lengths), targets=(targets, target_lengths), count=count
        )

    def translate(self, model: EncoderDecoder, texts: Sequence[str], beam: int = 1) -> list[str]:
        """Return what the model makes of texts, by the best of ``beam`` sequences kept at a time.

        Raises:
            UserError: its scores are not finite.
        """
        device = next(model.parameters()).device
        sources, lengths = self.sources(texts)
        steps = 2 * self.longest
        written = model.beam(
            sources.to(device), steps, self.end, lengths, width=beam, normalise=0.6
        )
        if not torch.isfinite(written.scores).all():
            raise UserError("the scores are not finite: the model's weights are too large")
        return [
            self.target.decode(written.symbols[: int(length), row].tolist())
            for row, length in enumerate(written.lengths)
        ]
