"""Guard pages: memory for tensors of which not a byte more can be read than they have."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "guard.c"


def compiler() -> str | None:
    """A compiler of C, where there is one and programs can be loaded before others."""
    return (shutil.which("cc") or shutil.which("gcc")) if os.name == "posix" else None


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program whose tensors end at guard pages."""
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "guard.so"
        build = [compiler() or "cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
        subprocess.run(build, check=True)
        environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, env=environment, text=True, check=False, **options)


def is_on() -> bool:
    """Whether this process has guard pages."""
    return os.name == "posix" and hasattr(ctypes.CDLL(None), "guarded_blocks")
