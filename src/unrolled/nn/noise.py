"""The random masks that a layer reads in training: of zoneout and variational dropout."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..graph.graph import Graph
from ..graph.rewrite import zoneout_input
from .sequence import Sequences
from .stack import Stack


def masks(stack: Stack, graph: Graph, steps: Sequences, data: Tensor) -> list[Tensor]:
    """Return new masks for one layer in one direction.

    Args:
        stack: whose equations have zoneout, variational dropout or both.
        graph: these equations with them: its inputs are the cell's own, then the masks.
        steps: of all layers.
        data: what the layer reads, (T, B, units), or (N, units) if ragged.
    """
    units = {**stack._units, "input": data.shape[-1]}
    kept = {zoneout_input(stack.graph, state): p for state, p in stack.zoneout.items()}
    made = []
    for name, size in graph.inputs.items():
        if name in kept:
            made.append(_zoneout_mask(kept[name], units[size], data))
        elif name in stack._mask_rates:
            made.append(_dropout_mask(stack._mask_rates[name], units[size], steps, data))
    return made


def _zoneout_mask(p: float, units: int, data: Tensor) -> Tensor:
    """Return 1 where a unit keeps its old value, else 0; for every step anew."""
    return (torch.rand((*data.shape[:-1], units), device=data.device) < p).to(data.dtype)


def _dropout_mask(p: float, units: int, steps: Sequences, data: Tensor) -> Tensor:
    """Return a mask of dropout that is the same at every step of a row."""
    mask = F.dropout(data.new_ones(steps.batch, units), p)
    if steps.batch_sizes is None:
        return mask.expand(*data.shape[:-1], units)
    return torch.cat([mask[:0], *(mask[:n] for n in steps.batch_sizes)])
