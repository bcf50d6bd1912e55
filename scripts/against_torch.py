"""Run the tests with a given version of PyTorch, in an environment of its own.

    python scripts/against_torch.py 2.8.0
    python scripts/against_torch.py 2.14.1 tests/kernels tests/nn -n 2

What stands after the version goes to pytest. PyTorch comes with CUDA libraries of several
gigabytes, without which it cannot be imported; the environment is made in a temporary folder and
deleted afterwards, unless ``--folder`` names one, which is kept and used again. Everything else is
installed in the versions of constraints.txt, except what this PyTorch wants in others.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NEEDED = 15 << 30
"""Bytes that are free on the disk before anything is installed: wheels, and what is in them."""


def main() -> int:
    """Install, run pytest, and return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("version", help="of PyTorch, such as 2.8.0")
    parser.add_argument("--folder", type=Path, help="where the environment is kept")
    own, rest = parser.parse_known_args()
    if own.folder is not None:
        return _run(own.folder.resolve(), own.version, rest)
    with tempfile.TemporaryDirectory(prefix="unrolled-torch-") as folder:
        return _run(Path(folder), own.version, rest)


def _run(folder: Path, version: str, arguments: list[str]) -> int:
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        _require_space(folder)
        venv.create(folder, with_pip=True)
    _install(python, version)
    told = "import torch, sys; print('PyTorch', torch.__version__, 'Python', sys.version)"
    subprocess.run([python, "-c", told], check=True)
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def _require_space(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < NEEDED:
        sys.exit(f"{folder}: {NEEDED >> 30} GiB should be free for PyTorch, found {free >> 30}")


def _install(python: Path, version: str) -> None:
    """Install PyTorch with what it wants, then the rest beside it."""
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-cache-dir"]
    subprocess.run([*install, f"torch=={version}"], check=True)
    freeze = [*pip, "freeze", "--exclude", "unrolled"]
    there = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    constraints = python.parent.parent / "constraints.txt"
    ours = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    constraints.write_text(_merged(there, ours), encoding="utf-8")
    extras = f"{ROOT}[dev]"
    subprocess.run([*install, "-c", constraints, "-e", extras], check=True)


def _merged(first: str, second: str) -> str:
    """The versions of both lists; of packages in both, the first one's."""
    versions: dict[str, str] = {}
    for line in [*first.splitlines(), *second.splitlines()]:
        name, equals, version = line.partition("==")
        if equals:
            versions.setdefault(re.sub(r"[-_.]+", "-", name).lower(), version)
    return "".join(f"{name}=={version}\n" for name, version in versions.items())


if __name__ == "__main__":
    sys.exit(main())
