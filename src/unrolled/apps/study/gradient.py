"""The gradient of a loss against the distance from which it comes."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from ...probe.flow import gradient_flow
from .reader import Reader

LAYER = "recurrent.l0"
LEAST = 1e-300
"""Stands for 0 where a logarithm is taken."""


def gradient(model: Reader, x: Tensor, loss: Callable[[Tensor], Tensor]) -> list[float]:
    """The size of the loss's gradient by the states k steps before the end, k = 0, 1, …

    Relative to k = 0, the geometric mean over rows, in float64: a gradient of 1e-40 is seen as
    what it is. Infinite or NaN where the states are.
    """
    double = copy.deepcopy(model).double().eval()
    given = x.double() if x.is_floating_point() else x
    norms = gradient_flow(double, given, loss=loss, of=LAYER).norms[LAYER]
    sizes = norms.flip(0).clamp_min(LEAST).log().mean(1)
    return (sizes - sizes[0]).exp().to(torch.float64).tolist()
