"""New memory for the arrays of a run: large ones in large pages."""

from __future__ import annotations

import ctypes
import math
import mmap

import torch
from torch import Tensor

HUGE = 1 << 21
"""Bytes of a large page. The system hands out, and clears, few of them many times faster."""

_advise = ctypes.CDLL(None).madvise if hasattr(mmap, "MADV_HUGEPAGE") else None
if _advise is not None:
    _advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def empty(dtype: torch.dtype, *shape: int) -> Tensor:
    """A tensor in the processor's memory, not filled.

    >>> import torch
    >>> empty(torch.float64, 2, 3).shape
    torch.Size([2, 3])
    """
    tensor = torch.empty(shape, dtype=dtype, device="cpu")
    if _advise is not None:
        size = math.prod(shape) * dtype.itemsize
        if size >= HUGE:
            start = tensor.data_ptr()
            begin = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
            _advise(begin, start + size - begin, mmap.MADV_HUGEPAGE)
    return tensor
