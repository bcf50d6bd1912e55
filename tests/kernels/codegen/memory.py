"""Arrays at the edge of memory that must not be touched, and processes that may end at it."""

import ctypes
import faulthandler
import mmap
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

PAGE = mmap.PAGESIZE

posix = pytest.mark.skipif(not hasattr(os, "fork"), reason="pages cannot be locked here")


def guarded(values: Any, before: bool = False) -> Any:
    """A copy of an array that ends where a page begins that cannot be read or written.

    With `before`, it begins where such a page ends.
    """
    values = np.ascontiguousarray(values)
    pages = -(-values.nbytes // PAGE)
    room = mmap.mmap(-1, (pages + 2) * PAGE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(room))
    for locked in (0, pages + 1):
        if ctypes.CDLL(None).mprotect(ctypes.c_void_p(first + locked * PAGE), PAGE, 0):
            raise OSError("a page cannot be locked")
    begin = PAGE if before else (pages + 1) * PAGE - values.nbytes
    copy = np.frombuffer(room, values.dtype, values.size, begin).reshape(values.shape)
    copy[...] = values
    return copy


def survives(function: Callable[[], Any]) -> bool:
    """Whether a process comes to the end of a function: it dies where it touches such a page."""
    child = os.fork()
    if not child:
        faulthandler.disable()  # what is meant to happen is not told
        try:
            function()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0
