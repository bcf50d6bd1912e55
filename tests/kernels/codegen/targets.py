"""Processors that kernels are written for, wide and narrow; all run on this machine."""

import ctypes
from functools import cache

import numpy as np

from unrolled.kernels.codegen.ir import Target
from unrolled.kernels.runtime.jit import Machine, host

DTYPES = ("float", "double")

WIDTHS = {"host": None, "32 bytes": (32, 16), "16 bytes": (16, 16)}
"""Bytes of a vector register, and how many there are."""


def target(dtype: str, width: str) -> Target:
    """This machine's processor, of whose vectors no more than a part is used."""
    wide = host(dtype)
    size = WIDTHS[width]
    return wide if size is None else Target(dtype, *size, wide.cpu, wide.features)


@cache
def machine(text: str, target: Target) -> Machine:
    """The machine code of a module without declarations."""
    return Machine(text, target, {})


def function(text: str, name: str, target: Target, *arguments: type) -> ctypes._CFuncPtr:
    """A function of a module, to be called with pointers and integers."""
    kind = ctypes.CFUNCTYPE(None, *arguments)
    return kind(machine(text, target).address(name))


def numpy_type(dtype: str) -> type:
    """NumPy's type of a number."""
    return np.float32 if dtype == "float" else np.float64
