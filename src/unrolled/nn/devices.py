"""What runs where there are no kernels of this library, and what that costs."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from . import fused

_announced: set[tuple[str, str]] = set()  # cell and kind of device


def cost(module: Any, device: torch.device) -> str | None:
    """Return in words what runs a module on a device, and what that costs; None on the CPU.

    Args:
        module: a layer or a step.
        device: where its input lies.
    """
    if not fused.is_elsewhere(device):
        return None
    if fused.has_function(module):
        return (
            f"on {device.type} runs PyTorch's fused layer, no faster than torch.nn's; "
            "record() and edit() run the equations beside it, operation by operation"
        )
    return f"on {device.type} runs the eager definition: {operations(module)}"


def operations(module: Any) -> str:
    """Return in words how many operations of PyTorch a time step takes by the definition."""
    count = len(module._runner.program.steps)
    return (
        f"{count} operations of PyTorch a time step, each launched from Python, which is "
        "many times slower than a fused layer; kernels of this library are for CPUs"
    )


def announce(module: Any, device: torch.device) -> None:
    """Warn, once for each cell and kind of device, of what is slow there."""
    if not fused.is_elsewhere(device) or fused.has_function(module):
        return
    key = module.cell.name, device.type
    if key in _announced:
        return
    _announced.add(key)
    warnings.warn(f"{type(module).__name__} {cost(module, device)}", stacklevel=4)
