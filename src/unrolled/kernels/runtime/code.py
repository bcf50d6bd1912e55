"""Machine code that is run by one thread, or by those that PyTorch has."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import final

import torch

from ... import _torch
from ..codegen.ir import Target
from ..codegen.threads import OPENMP
from ..tuning import CODE, WORTH_A_THREAD
from . import cache as caches
from .abi import PARALLEL
from .jit import Machine


@cache
def openmp() -> dict[str, int]:
    """Return the addresses of what is needed of OpenMP: of the one that PyTorch has loaded.

    A kernel's threads are then PyTorch's own: they are awake, and no second pool competes with
    them. Where there is none, stand-ins that are never called.
    """
    names = (PARALLEL, *OPENMP)
    library = _torch.openmp(names)
    if library is None:
        return dict.fromkeys((*names, "sched_yield"), _address(_nothing))
    functions = {name: library[name] for name in names}
    functions["sched_yield"] = ctypes.CDLL(None).sched_yield
    return {name: _address(function) for name, function in functions.items()}


def _address(function: object) -> int:
    address = ctypes.cast(function, ctypes.c_void_p).value  # pyright: ignore[reportArgumentType]
    assert address is not None
    return address


_nothing = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 0)


@cache
def _has_threads() -> bool:
    return openmp()[PARALLEL] != _address(_nothing)


_forked = False
"""Whether this process is a fork: the threads of its parent did not come along."""


def _fork() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_fork)


def available(threads: int) -> int:
    """Return how many of so many threads there are to run on."""
    return 1 if _forked or not _has_threads() else threads


def worthwhile(operations: int) -> int:
    """Return on how many of PyTorch's threads so many floating-point operations are shared."""
    most = 1 + operations // WORTH_A_THREAD
    return 1 if most == 1 else min(available(torch.get_num_threads()), most)


@final
class Code:
    """Machine code that is run by one thread or by several.

    Args:
        text: of a module with the functions ``run`` and ``run_shard`` of an argument block.
        target: the processor.

    Attributes:
        run: where the function stands that one thread runs.
        run_shard: where the function stands that each of several threads runs.
        size: bytes that it takes.
    """

    def __init__(self, text: str, target: Target) -> None:
        self.size = CODE * len(text)
        caches.kernels.charge(self.size)
        self._machine = Machine(text, target, openmp())
        self.run, self.run_shard = self._machine.address("run"), self._machine.address("run_shard")
