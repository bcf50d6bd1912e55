"""The problem of turning one text into another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import msgspec
import torch
from msgspec import Meta
from torch import Tensor

from ....equations import Cell
from ....errors import UserError
from ....schema import checked
from ....structures import EncoderDecoder, Symbols
from ..alphabet import Alphabet
from ..batch import padded
from ..settings import Settings
from ..task import Problem, build

LONGEST = 10_000
"""Symbols of a text at most: attention looks at each pair of them, and a model that does not end
what it writes goes on for twice as many."""


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """A translation in a file."""

    source: dict[str, Any]
    target: dict[str, Any]
    longest: Annotated[int, Meta(ge=1, le=LONGEST)]
    attention: bool


@final
@dataclass(frozen=True)
class Translation(Problem):
    """The symbols of both sides.

    Attributes:
        source, target: the alphabets; after the target's symbols comes the one that ends a text.
        longest: the most symbols a text has in training.
        attention: whether the decoder looks at every step of the source.
    """

    kind: ClassVar[str] = "pairs"
    data: ClassVar[str] = "table"
    source: Alphabet
    target: Alphabet
    longest: int
    attention: bool

    @property
    def end(self) -> int:
        """The symbol that ends a target."""
        return len(self.target)

    def model(self, settings: Settings, cell: Cell) -> EncoderDecoder:
        """Encoder, in both directions, and decoder."""
        return build(
            settings,
            lambda: EncoderDecoder(
                cell,
                Symbols(len(self.source)),
                settings.hidden,
                Symbols(len(self.target) + 1),
                settings.layers,
                settings.dropout,
                attention=self.attention,
                bidirectional=True,
            ),
        )

    def sources(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Symbols (S, B) and lengths (B,) of sources."""
        return padded([torch.tensor(self.source.encode(text)).long() for text in texts])

    def targets(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Symbols (T, B) and lengths (B,) of targets, their ends included."""
        return padded([torch.tensor([*self.target.encode(text), self.end]) for text in texts])

    def translate(self, model: EncoderDecoder, texts: Sequence[str], beam: int = 1) -> list[str]:
        """What the model makes of some texts, by the best of ``beam`` sequences kept at a time.

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

    def to_json(self) -> dict[str, Any]:
        """All of it in what JSON knows."""
        return {
            "source": self.source.to_json(),
            "target": self.target.to_json(),
            "longest": self.longest,
            "attention": self.attention,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Translation:
        """What `to_json` gave.

        Raises:
            ValueError, UserError: it is damaged.
        """
        found = checked(stored, Stored)
        source, target = Alphabet.from_json(found.source), Alphabet.from_json(found.target)
        return cls(source, target, found.longest, found.attention)
