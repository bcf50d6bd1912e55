"""The random masks that a training layer reads: zoneout and variational dropout."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from .sequence import Sequence


def probability(name: str, value: object) -> float:
    """A probability; ValueError, in PyTorch's words, for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError(
            f"{name} should be a number in range [0, 1] representing the probability of an "
            f"element being zeroed, got {value!r}"
            if name != "zoneout"
            else f"zoneout should be a number in range [0, 1] representing the probability of a "
            f"unit keeping its old value, got {value!r}"
        )
    return float(value)


def zoneout_masks(
    probabilities: Mapping[str, float], units: Mapping[str, int], data: Tensor
) -> dict[str, Tensor]:
    """The inputs, by name, that are 1 where a unit keeps its old value, for every step anew."""
    masks = {}
    for name, p in probabilities.items():
        shape = (*data.shape[:-1], units[name])
        masks[name] = (torch.rand(shape, device=data.device) < p).to(data.dtype)
    return masks


def variational_masks(
    p: float, units: Mapping[str, int], sequence: Sequence, data: Tensor
) -> dict[str, Tensor]:
    """The inputs, by name, that are dropout masks that are the same at every step of a row."""
    masks = {}
    for name, count in units.items():
        mask = F.dropout(data.new_ones(sequence.batch, count), p)
        if sequence.batch_sizes is None:
            masks[name] = mask.expand(*data.shape[:-1], count)
        else:
            masks[name] = torch.cat([mask[:0], *(mask[:n] for n in sequence.batch_sizes)])
    return masks
