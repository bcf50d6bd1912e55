"""Kinds of steps of a sequence: a symbol out of a set, or a vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import torch.nn.functional as F
from torch import Tensor, nn


class Kind(ABC):
    """Abstract: how a step is read by recurrent layers, and written from them.

    Shapes are those of whole batches, (T, B, …), or of any leading dimensions.
    """

    @property
    @abstractmethod
    def width(self) -> int:
        """The number of units that recurrent layers read at each step."""

    @property
    @abstractmethod
    def units(self) -> int:
        """The number of units that the linear head writes at each step."""

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """The number of dimensions of a step: 0 for a symbol, 1 for a vector."""

    @abstractmethod
    def reader(self, device: Any = None, dtype: Any = None) -> nn.Module:
        """Return what turns steps into vectors (…, width)."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of each step, (…), of the head's outputs (…, units)."""

    @abstractmethod
    def choose(self, outputs: Tensor) -> Tensor:
        """Return the steps that the head's outputs (…, units) stand for."""


@final
@dataclass(frozen=True)
class Symbols(Kind):
    """Symbols or classes 0, 1, … count - 1: int64, (…). Read by an embedding, written by softmax.

    Attributes:
        count: V, how many there are.
        embedding: the units that each is read as; up to 64 unless given.

    Raises:
        ValueError: a number below 1.

    >>> Symbols(10).width, Symbols(100, embedding=16).width, Symbols(1000).width
    (10, 16, 64)
    """

    count: int
    embedding: int | None = None

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"Symbols: count has to be at least 1, got {self.count}")
        if self.embedding is not None and self.embedding < 1:
            raise ValueError(f"Symbols: embedding has to be at least 1, got {self.embedding}")

    @property
    def width(self) -> int:
        """The units of the embedding."""
        return min(self.count, 64) if self.embedding is None else self.embedding

    @property
    def units(self) -> int:
        """V logits."""
        return self.count

    @property
    def dimensions(self) -> int:
        """None: a number stands for it."""
        return 0

    def reader(self, device: Any = None, dtype: Any = None) -> nn.Module:
        """Return an embedding."""
        return nn.Embedding(self.count, self.width, device=device, dtype=dtype)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return cross entropy in nats: -log softmax(outputs)[target].

        >>> import torch
        >>> Symbols(4).loss(torch.zeros(2, 3, 4), torch.zeros(2, 3).long()).shape
        torch.Size([2, 3])
        """
        flat = F.cross_entropy(outputs.flatten(0, -2), targets.flatten().long(), reduction="none")
        return flat.view(outputs.shape[:-1])

    def choose(self, outputs: Tensor) -> Tensor:
        """Return the likeliest."""
        return outputs.argmax(-1)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return softmax of logits (…, V).

        >>> import torch
        >>> Symbols(2).probabilities(torch.zeros(2)).tolist()
        [0.5, 0.5]
        """
        return outputs.softmax(-1)


@final
@dataclass(frozen=True)
class Vectors(Kind):
    """Vectors of real numbers, (…, size). Read as they are, written by a linear map.

    Attributes:
        size: how many numbers each has.

    Raises:
        ValueError: a size below 1.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"Vectors: size has to be at least 1, got {self.size}")

    @property
    def width(self) -> int:
        """The numbers themselves."""
        return self.size

    @property
    def units(self) -> int:
        """The numbers themselves."""
        return self.size

    @property
    def dimensions(self) -> int:
        """One."""
        return 1

    def reader(self, device: Any = None, dtype: Any = None) -> nn.Module:
        """Return the identity: nothing is done to them."""
        return nn.Identity()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean square of the errors of a vector.

        >>> import torch
        >>> Vectors(2).loss(torch.zeros(3, 2), torch.tensor([[1.0, 3.0]] * 3)).tolist()
        [5.0, 5.0, 5.0]
        """
        return (outputs - targets).square().mean(-1)

    def choose(self, outputs: Tensor) -> Tensor:
        """Return the outputs themselves."""
        return outputs
