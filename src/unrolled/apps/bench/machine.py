"""The machine at hand, and what runs on it."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ... import __version__
from ...kernels.runtime.jit import host

PACKAGES = ("llvmlite", "numpy", "onnxruntime", "openvino", "jax")


def machine() -> dict[str, Any]:
    """The processor, and the versions of what is measured."""
    target = host("float")
    return {
        "processor": processor(),
        "llvm_name": target.cpu,
        "cores": os.cpu_count(),
        "vector_bits": 8 * target.vector_bytes,
        "system": platform.platform(),
        "versions": {
            "unrolled": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            **{name: found for name in PACKAGES if (found := _version(name))},
        },
    }


def processor() -> str:
    """The processor's name, as the system has it."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
