"""What whoever wants a cell run asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Results = tuple[Sequence[Tensor], Sequence[Tensor]]
"""The recorded values, and the last states."""


class Request(NamedTuple):
    """What one layer in one direction, or one step, is to compute.

    Attributes:
        weights: by name.
        inputs: by name, (T, B, units), or (B, units) for a step; the first is the cell's own.
        states: before the first step, by name, (B, units); None if they are 0.
        record: names of the values to return for every step.
        reverse: whether steps run from the last to the first.
    """

    weights: Mapping[str, Tensor]
    inputs: Mapping[str, Tensor]
    states: Mapping[str, Tensor] | None
    record: tuple[str, ...]
    reverse: bool

    @property
    def key(self) -> tuple[object, ...]:
        """What requests have in common that are served alike, but for what guards compare."""
        x = next(iter(self.inputs.values()))
        grad = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        return x.shape, self.states is None, self.record, self.reverse, grad
