"""Kernels read and write nothing beyond their buffers: a part runs under guard pages."""

import signal
import subprocess
import sys

import pytest

import guard

pytestmark = pytest.mark.skipif(guard.compiler() is None, reason="needs a compiler of C")

PART = (
    "tests/kernels/test_compiled.py",
    "tests/kernels/test_recurrence.py",
    "tests/nn/test_quick.py",
)


def python(program: str) -> "subprocess.CompletedProcess[str]":
    return guard.run([sys.executable, "-c", program], capture_output=True)


def test_what_lies_beyond_a_tensor_cannot_be_read() -> None:
    """Or this would not test anything."""
    read = "import ctypes, torch; t = torch.empty({}); print(t.isnan().all()); "
    read += "ctypes.c_float.from_address(t.data_ptr() + {}).value"
    assert python(read.format(5, 16)).stdout == "tensor(True)\n"
    assert python(read.format(5, 16)).returncode == 0
    assert python(read.format(5, 20)).returncode == -signal.SIGSEGV
    assert python(read.format(3000, 12000)).returncode == -signal.SIGSEGV


@pytest.mark.slow
def test_kernels_stay_inside_their_buffers() -> None:
    options = ["-q", "-p", "no:cacheprovider", "-k", "not spawn and not fork"]
    done = guard.run([sys.executable, "-m", "pytest", *PART, *options], capture_output=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
