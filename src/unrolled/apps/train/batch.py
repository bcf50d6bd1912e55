"""Batches: the rows of one shard, padded, and the states carried from one to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, final

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


@final
@dataclass(frozen=True)
class Shard:
    """One of ``of`` equal parts of every batch: of a process, and of its turns if it takes several.

    >>> Shard(1, 4).rows(8), Shard().rows(8)
    (range(2, 4), range(0, 8))
    """

    index: int = 0
    of: int = 1

    def rows(self, batch: int) -> range:
        """Return which rows of a batch are this shard's; ``batch`` is a multiple of ``of``."""
        size = batch // self.of
        return range(self.index * size, (self.index + 1) * size)


States: TypeAlias = Tensor | tuple[Tensor, ...]
"""What a recurrent layer carries: (L, B, H), one for each state of its cell."""

ROWS = 1
"""The dimension of the batch."""


def detach(states: States) -> States:
    """Return the same states, cut off from the steps that led to them."""
    if isinstance(states, Tensor):
        return states.detach()
    return tuple(state.detach() for state in states)


def listed(states: States) -> list[Tensor]:
    """Return the states one by one, in the order of their cell's."""
    return [states] if isinstance(states, Tensor) else list(states)


def unlisted(states: Sequence[Tensor]) -> States:
    """Return what `listed` was given."""
    return states[0] if len(states) == 1 else tuple(states)


def joined(parts: Sequence[States]) -> list[Tensor]:
    """Return the states of several shards side by side, one by one."""
    return [torch.cat(each, ROWS) for each in zip(*map(listed, parts), strict=True)]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """The rows of one shard.

    Attributes:
        inputs: what the model is called with.
        targets: what its answers are compared with.
        count: how many predictions the whole batch has, those of all shards together: the loss
            of a step is the sum over all shards, divided by it.
        fresh: whether states begin anew, instead of going on from the batch before.
    """

    inputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    count: int
    fresh: bool = True

    def to(self, device: torch.device) -> Batch:
        """Return the same batch on a device."""
        return replace(
            self,
            inputs=tuple(tensor.to(device) for tensor in self.inputs),
            targets=tuple(tensor.to(device) for tensor in self.targets),
        )


def padded(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return rows (T, …) as one tensor (T, B, …), 0 after their ends, and their lengths (B,).

    There is at least one step, also if all rows are empty.

    >>> padded([torch.tensor([1, 2]), torch.tensor([3])])
    (tensor([[1, 3],
            [2, 0]]), tensor([2, 1]))
    """
    lengths = torch.tensor([len(row) for row in rows])
    joined = pad_sequence(list(rows))
    if len(joined) == 0:
        joined = joined.new_zeros(1, *joined.shape[1:])
    return joined, lengths
