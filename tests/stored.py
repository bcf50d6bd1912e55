"""Checkpoints, changed as no run would."""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor


def rewrite(path: Path, tensors: dict[str, torch.Tensor] | None = None, **header: Any) -> None:
    """Save the checkpoint at ``path`` with some tensors or entries of its header replaced."""
    with safe_open(path, "pt") as file:
        stored = json.loads(file.metadata()["unrolled"])
        kept = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    metadata = {"unrolled": json.dumps(stored | header)}
    safetensors.torch.save_file(kept | (tensors or {}), path, metadata)


def keep(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write these tensors, and no others, beside the header that is there."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    safetensors.torch.save_file(tensors, path, metadata)
