"""A run of `unrolled train text`, in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, ClassVar, final

import numpy
from numpy.typing import NDArray
from torch.nn import functional

from ...display import counted
from ...errors import UserError
from .batch import States
from .language import Characters, sample
from .run import Run, require_finite
from .task import BITS, evaluating
from .text import encode

PIECE = 8192
"""Characters that are scored at a time."""


@final
class TextRun(Run[Characters]):
    """A model that writes text, character by character."""

    PROBLEM: ClassVar = Characters
    DOES: ClassVar = "writes text"

    @property
    def reads(self) -> str:
        """What the model reads, in words."""
        return f"text of {counted(len(self.problem.vocabulary), 'characters')}"

    @property
    def writes(self) -> str:
        """What it answers, in words."""
        return "the next character"

    def sample(
        self, prompt: str = "", length: int = 500, temperature: float = 0.8, seed: int = 0
    ) -> str:
        """Return text that goes on from a prompt, without it.

        Args:
            prompt: where to start; empty: at the beginning of a line.
            length: how many characters to write.
            temperature: 1 is the model's own distribution, 0 takes the likeliest character.
            seed: of the draws; the same seed writes the same text.

        Raises:
            UserError: a value is out of range, or the prompt has a character that the run does not
                know.
        """
        return "".join(self.stream(prompt, length, temperature, seed))

    def stream(
        self, prompt: str = "", length: int = 500, temperature: float = 0.8, seed: int = 0
    ) -> Iterator[str]:
        """Yield the characters of `sample` one by one, as they are written."""
        vocabulary = self.problem.vocabulary
        return sample(self.model, vocabulary, prompt, length, temperature, seed)

    def score(self, text: str) -> NDArray[Any]:
        """Return how surprising each character is to the model after those before it, in bits.

        The mean is the model's bits per character on the text.

        Args:
            text: of N characters, at least two.

        Returns:
            float64, (N - 1,): of all characters but the first.

        Raises:
            UserError: the text is too short, or has a character that the run does not know.
        """
        if len(text) < 2:
            raise UserError(f"score: {text!r} has {len(text)} characters, at least 2 are expected")
        ids = encode(text, self.problem.vocabulary)
        states: States | None = None
        found: list[NDArray[Any]] = []
        with evaluating(self.model) as device:
            for start, stop in pairwise([*range(0, len(ids) - 1, PIECE), len(ids) - 1]):
                part = ids[start : stop + 1].to(device)
                logits, states = self.model(part[:-1, None], states)
                nats = functional.cross_entropy(logits[:, 0], part[1:].long(), reduction="none")
                require_finite(nats, "scores")
                found.append(nats.double().cpu().numpy() * BITS.scale)
        return numpy.concatenate(found)

    def encode(self, texts: str | Sequence[str]) -> list[NDArray[Any]]:
        """Return the hidden states of the last layer over texts.

        Args:
            texts: one or several.

        Returns:
            For each text float32 (T, H): a row after every character.

        Raises:
            UserError: a text has a character that the run does not know.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        layers, vocabulary = self.model.recurrent, self.problem.vocabulary
        return [self._hidden(layers, [encode(text, vocabulary)])[0] for text in texts]
