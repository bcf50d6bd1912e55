"""Kernels read and write nothing beyond their buffers: a part runs under guard pages."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import guard

pytestmark = pytest.mark.skipif(guard.compiler() is None, reason="needs a compiler of C")

ROOT = Path(__file__).parents[3]


def python(program: str) -> "subprocess.CompletedProcess[str]":
    return guard.run([sys.executable, "-c", program], capture_output=True)


def test_what_lies_beyond_a_tensor_cannot_be_read() -> None:
    """Or this would not test anything."""
    read = """
        import ctypes, torch
        read = lambda tensor, at: ctypes.c_float.from_address(tensor.data_ptr() + at).value
        few, many = torch.empty(5), torch.empty(3000)
        print(few.isnan().all(), read(few, 16), read(many, 11996), flush=True)
    """
    program = textwrap.dedent(read)
    inside = python(program)
    assert (inside.returncode, inside.stdout) == (0, "tensor(True) nan nan\n")
    for beyond in ("read(few, 20)", "read(many, 12000)"):
        assert python(program + beyond).returncode == -signal.SIGSEGV


@pytest.mark.slow
def test_kernels_stay_inside_their_buffers() -> None:
    names = ("recurrence", "product", "weight_gradients", "abi")
    part = [f"tests/kernels/runtime/test_{name}.py" for name in names]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *part]
    done = guard.run(command, capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_random_cells_stay_inside_their_buffers() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seeds", "0", "60", "--processes", "1"]
    done = guard.run(command, capture_output=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
