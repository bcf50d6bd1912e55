"""The states that a model carries from batch to batch."""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

States: TypeAlias = Tensor | tuple[Tensor, ...]
"""What a recurrent layer carries: (L, B, H), one for each state of its cell."""

ROWS = 1
"""The dimension of the batch."""


def detach(states: States) -> States:
    """The same states, cut off from the steps that led to them."""
    if isinstance(states, Tensor):
        return states.detach()
    return tuple(state.detach() for state in states)


def listed(states: States) -> list[Tensor]:
    """The states one by one, in the order of their cell's."""
    return [states] if isinstance(states, Tensor) else list(states)


def unlisted(states: Sequence[Tensor]) -> States:
    """What `listed` was given."""
    return states[0] if len(states) == 1 else tuple(states)


def joined(parts: Sequence[States]) -> list[Tensor]:
    """The states of several shares side by side, one by one."""
    return [torch.cat(each, ROWS) for each in zip(*map(listed, parts), strict=True)]
