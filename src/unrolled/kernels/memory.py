"""New memory for the arrays of a run: large ones in large pages, those that nobody sees kept."""

from __future__ import annotations

import ctypes
import mmap
import threading
from collections.abc import Mapping
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

LARGE = 1 << 21
"""Bytes of a large page. The system hands out, and clears, few of them many times faster."""

KEPT = 1 << 29
"""Bytes that are kept at most while nobody uses them."""

ALIGNED = 128
"""Bytes to whose multiples arrays are aligned that stand in one piece of memory."""

CPU = torch.device("cpu")

_advise: Any = ctypes.CDLL(None).madvise if hasattr(mmap, "MADV_HUGEPAGE") else None
if _advise is not None:
    _advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def empty(like: Tensor, *shape: int) -> Tensor:
    """A tensor of the same dtype in the processor's memory, not filled.

    >>> import torch
    >>> empty(torch.ones(1, dtype=torch.float64), 2, 3).shape
    torch.Size([2, 3])
    """
    tensor = like.new_empty(shape)
    if tensor.nbytes >= LARGE:
        _in_large_pages(tensor.data_ptr(), tensor.nbytes)
    return tensor


def _in_large_pages(start: int, size: int) -> None:
    if _advise is not None:
        begin = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
        _advise(begin, start + size - begin, mmap.MADV_HUGEPAGE)


def aligned(place: int) -> int:
    """The first aligned place from there on.

    >>> aligned(128), aligned(129)
    (128, 256)
    """
    return -(-place // ALIGNED) * ALIGNED


@final
class Reserve:
    """Memory that is used again as soon as the tensors in it are gone.

    A training step takes the same arrays as the one before. To give them back to the system in
    between costs more than a small step itself: it clears every page that it hands out.

    Args:
        most: how many bytes are kept.

    >>> import torch
    >>> reserve = Reserve(most=1 << 30)
    >>> tensor = reserve.take(torch.float32, 1 << 20)
    >>> place = tensor.data_ptr()
    >>> del tensor
    >>> reserve.take(torch.float32, 1 << 20).data_ptr() == place
    True
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._blocks: list[torch.UntypedStorage] = []  # what was used last stands last
        self._lock = threading.Lock()
        self._uses: Any = getattr(torch._C, "_storage_Use_Count", None)

    def take(self, dtype: torch.dtype, count: int) -> Tensor:
        """A tensor (count,), not filled; small ones are not worth keeping."""
        size = count * dtype.itemsize
        if size < LARGE or self._uses is None or not self._lock.acquire(blocking=False):
            return torch.empty(count, dtype=dtype, device=CPU)
        try:
            block = self._free(size) or self._new(size)
            return torch.empty(0, dtype=dtype, device=CPU).set_(block, 0, (count,))
        finally:
            self._lock.release()

    def _free(self, size: int) -> torch.UntypedStorage | None:
        """The smallest block that no tensor uses and that fits, of at most twice the size."""
        fits = [b for b in self._blocks if size <= b.nbytes() <= 2 * size and self._is_free(b)]
        block = min(fits, key=torch.UntypedStorage.nbytes, default=None)
        if block is not None:
            self._blocks = [*(b for b in self._blocks if b is not block), block]
        return block

    def _is_free(self, block: torch.UntypedStorage) -> bool:
        return self._uses(block._cdata) == 1

    def _new(self, size: int) -> torch.UntypedStorage:
        """A new block; what was used longest ago is kept no longer if it becomes too much."""
        block = torch.UntypedStorage(size, device="cpu")
        _in_large_pages(block.data_ptr(), size)
        self._blocks.append(block)
        total = sum(block.nbytes() for block in self._blocks)
        while total > self._most:
            total -= self._blocks.pop(0).nbytes()
        return block


reserve = Reserve(KEPT)


class Layout(NamedTuple):
    """Arrays in one piece of memory.

    Attributes:
        starts: where each begins, counted in numbers.
        size: how many numbers all of them take.
    """

    starts: dict[str, int]
    size: int


def layout(counts: Mapping[str, int], dtype: torch.dtype) -> Layout:
    """Arrays of so many numbers one after the other, each aligned.

    >>> import torch
    >>> layout({"a": 3, "b": 40, "c": 2}, torch.float32)
    Layout(starts={'a': 0, 'b': 32, 'c': 96}, size=98)
    """
    starts, size = {}, 0
    for name, count in counts.items():
        starts[name] = aligned(size * dtype.itemsize) // dtype.itemsize
        size = starts[name] + count
    return Layout(starts, size)
