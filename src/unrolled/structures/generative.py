"""The base of structures that write a sequence step by step, reading what they wrote."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ..equations import Cell
from ..nn.sequence import Lengths
from . import decoding, ends
from .attention import Attention
from .decoding import Carried, Decoded
from .kind import Kind
from .structure import Structure, recurrent, symbols


class Generative(Structure):
    """Abstract: a decoder that reads, at each step, what it wrote at the step before.

    The first step reads a vector that a subclass makes of its input.

    Args:
        cell: of the recurrent layers.
        reads: what it is told: `Symbols` or `Vectors`.
        hidden_size: H.
        writes: what the sequence consists of: `Symbols` or `Vectors`.
        num_layers: how many layers are stacked.
        dropout: between the layers and before the head, in training.
        options: further ones of `Recurrent`, such as ``zoneout``.

    Raises:
        ValueError: ``bidirectional``.
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
        if options.get("bidirectional"):
            raise ValueError("a decoder writes from first to last: it cannot be bidirectional")
        device, dtype = options.get("device"), options.get("dtype")
        self.previous = writes.reader(device, dtype)
        self.decoder = recurrent(cell, writes.width, hidden_size, num_layers, dropout, options)
        self.attention: Attention | None = None
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(self.decoder.output_size, writes.units, device=device, dtype=dtype)

    @abstractmethod
    def _open(self, source: Tensor, lengths: Lengths | None) -> tuple[Tensor, Carried]:
        """Return the first input of the decoder, (B, W), and what it starts from."""

    def begin(
        self, source: Tensor, source_lengths: Lengths | None = None
    ) -> tuple[Tensor, Carried]:
        """Take the first step of writing.

        Args:
            source: what is written from.
            source_lengths: (B,), of sources that are sequences.

        Returns:
            The outputs of the first step, (B, units), and what to go on with.
        """
        first, opened = self._open(source, source_lengths)
        outputs, carried = self._advance(first[None], opened, None)
        return outputs[0], carried

    def step(self, written: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """Take the next step.

        Args:
            written: what was chosen at the step before: symbols (B,) or vectors (B, N).
            carried: what that step gave.

        Returns:
            The outputs of this step, (B, units), and what to go on with.
        """
        outputs, after = self._advance(self.previous(written)[None], carried, None)
        return outputs[0], after

    def _teach(
        self,
        source: Tensor,
        targets: Tensor,
        source_lengths: Lengths | None,
        target_lengths: Lengths | None,
    ) -> Tensor:
        """Return the outputs at every step when each step reads the target before it."""
        first, opened = self._open(source, source_lengths)
        before = self.previous(ends.cleared(targets, target_lengths)[:-1])
        inputs = torch.cat([first[None], before])
        outputs, _ = self._advance(inputs, opened, target_lengths)
        return ends.cleared(outputs, target_lengths)

    def _advance(
        self, inputs: Tensor, carried: Carried, lengths: Lengths | None
    ) -> tuple[Tensor, Carried]:
        """Return the outputs (T, B, units) of the next steps, and what to go on with."""
        outputs, states = self.decoder(inputs, carried.states, lengths=lengths)
        weights = None
        if self.attention is not None and carried.memory is not None:
            outputs, every = self.attention(outputs, carried.memory, carried.mask)
            weights = every[-1]
        after = replace(carried, states=states, weights=weights)
        return self.readout(self.dropout(outputs)), after

    @torch.no_grad()
    def roll(self, source: Tensor, steps: int, source_lengths: Lengths | None = None) -> Tensor:
        """Write vectors, (steps, B, N), each step reading the one before.

        Raises:
            TypeError: the structure writes symbols: see `greedy`, `sample` and `beam`.
        """
        if steps < 1:
            raise ValueError(f"steps has to be at least 1, got {steps}")
        if self.writes.dimensions == 0:
            raise TypeError("roll: this structure writes symbols: use greedy, sample or beam")
        outputs, carried = self.begin(source, source_lengths)
        rolled = [outputs]
        while len(rolled) < steps:
            outputs, carried = self.step(rolled[-1], carried)
            rolled.append(outputs)
        return torch.stack(rolled)

    @torch.no_grad()
    def greedy(
        self,
        source: Tensor,
        steps: int,
        end: int | None = None,
        source_lengths: Lengths | None = None,
    ) -> Decoded:
        """Write the likeliest symbol at every step.

        Args:
            source: what is written from.
            steps: how many at most.
            end: the symbol that ends a row; None: rows have ``steps`` symbols.
            source_lengths: (B,), of sources that are sequences.

        Raises:
            TypeError: the structure writes no symbols.
        """
        symbols(self.writes, "greedy")
        return decoding.greedy(self.begin(source, source_lengths), self.step, steps, end)

    @torch.no_grad()
    def sample(
        self,
        source: Tensor,
        steps: int,
        end: int | None = None,
        source_lengths: Lengths | None = None,
        *,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Decoded:
        """Draw a symbol at every step; see `greedy`.

        Args:
            temperature: divides the logits; small: nearly greedy.
            generator: of the draws.

        Raises:
            TypeError: the structure writes no symbols.
            ValueError: a temperature that is not above 0.
        """
        symbols(self.writes, "sample")
        begun = self.begin(source, source_lengths)
        return decoding.sample(begun, self.step, steps, end, temperature, generator)

    @torch.no_grad()
    def beam(
        self,
        source: Tensor,
        steps: int,
        end: int | None = None,
        source_lengths: Lengths | None = None,
        *,
        width: int = 4,
        normalise: float = 0.0,
    ) -> Decoded:
        """Search for the likeliest sequence, keeping the best ``width`` at every step.

        Args:
            width: K; 1 is greedy, and V^steps finds the likeliest of all.
            normalise: α of score / lengthᵅ, by which sequences are compared; 0 prefers short ones,
                1 compares the mean of a symbol.

        Raises:
            TypeError: the structure writes no symbols.
            ValueError: a width below 1.
        """
        symbols(self.writes, "beam")
        begun = self.begin(source, source_lengths)
        return decoding.beam(begun, self.step, steps, end, width, normalise)
