"""What one share of one step trains on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Batch:
    """The rows of one share.

    Attributes:
        inputs: what the model is called with.
        targets: what its answers are compared with.
        count: how many predictions the whole batch has, those of all shares together: the loss
            of a step is the sum over all shares, divided by it.
        fresh: whether states begin anew, instead of going on from the batch before.
    """

    inputs: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    count: int
    fresh: bool = True

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return replace(
            self,
            inputs=tuple(tensor.to(device) for tensor in self.inputs),
            targets=tuple(tensor.to(device) for tensor in self.targets),
        )
