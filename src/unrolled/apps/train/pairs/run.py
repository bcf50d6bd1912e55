"""A run of `unrolled train pairs`, in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from numpy.typing import NDArray

from ..run import Run
from ..settings import require
from .command import WIDTH
from .problem import Translation

CHUNK = 64
"""How many texts are translated at a time."""


@final
class PairsRun(Run[Translation]):
    """A model that turns one text into another."""

    PROBLEM: ClassVar = Translation
    DOES: ClassVar = "translates"

    @property
    def reads(self) -> str:
        """What the model reads, in words."""
        source = self.problem.source
        return f"texts as {source.by}, {len(source.symbols):,} different"

    @property
    def writes(self) -> str:
        """What it answers, in words."""
        target = self.problem.target
        return f"texts as {target.by}, {len(target.symbols):,} different"

    def translate(self, texts: str | Sequence[str], *, beam: int = 4) -> list[str]:
        """Return what the model makes of texts; of an empty one, an empty one.

        Args:
            texts: one or several; blanks at their ends do not matter.
            beam: how many sequences are kept at a time; 1 is greedy.

        Returns:
            One text for each.

        Raises:
            UserError: ``beam`` is out of range, or the model's scores are not finite.
        """
        require("--beam", beam, WIDTH)
        bare = self._stripped(texts)
        there = [place for place, text in enumerate(bare) if text]
        written = [""] * len(bare)
        for start in range(0, len(there), CHUNK):
            places = there[start : start + CHUNK]
            found = self.problem.translate(self.model, [bare[place] for place in places], beam)
            for place, text in zip(places, found, strict=True):
                written[place] = text
        return written

    def encode(self, texts: str | Sequence[str]) -> list[NDArray[Any]]:
        """Return the hidden states of the encoder's last layer over texts, both directions.

        Args:
            texts: one or several.

        Returns:
            For each text float32 (S, 2 H): a row for every symbol.
        """
        symbols = [torch.tensor(self.problem.source.encode(text)) for text in self._stripped(texts)]
        return [self._hidden(self.model.encoder, [each.long()])[0] for each in symbols]

    @staticmethod
    def _stripped(texts: str | Sequence[str]) -> list[str]:
        return [text.strip() for text in ([texts] if isinstance(texts, str) else texts)]
