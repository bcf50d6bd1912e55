"""New memory for the arrays of a run: large ones in large pages, those that nobody sees kept."""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from ... import _torch
from ..tuning import ALIGNED, ARRAYS, LARGE_PAGE

CPU = torch.device("cpu")

_advise: Any = ctypes.CDLL(None).madvise if hasattr(mmap, "MADV_HUGEPAGE") else None
if _advise is not None:
    _advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


def empty(like: Tensor, *shape: int) -> Tensor:
    """Return a tensor of the same dtype in the processor's memory, not filled.

    >>> import torch
    >>> empty(torch.ones(1, dtype=torch.float64), 2, 3).shape
    torch.Size([2, 3])
    """
    tensor = like.new_empty(shape)
    if tensor.nbytes >= LARGE_PAGE:
        _in_large_pages(tensor.data_ptr(), tensor.nbytes)
    return tensor


def rows_like(tensor: Tensor) -> Tensor:
    """Return new memory for a tensor of this shape and dtype, contiguous however this one stands.

    >>> import torch
    >>> rows_like(torch.ones(2, 3).t()).stride()
    (2, 1)
    """
    return torch.empty_like(tensor, memory_format=torch.contiguous_format)


def _in_large_pages(start: int, size: int) -> None:
    if _advise is not None:
        begin = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
        _advise(begin, start + size - begin, mmap.MADV_HUGEPAGE)


def aligned(place: int) -> int:
    """Return the first aligned place from there on.

    >>> aligned(128), aligned(129)
    (128, 256)
    """
    return -(-place // ALIGNED) * ALIGNED


@final
class Reserve:
    """Memory that is used again as soon as the tensors in it are gone.

    A training step takes the same arrays as the one before. To give them back to the system in
    between costs more than a small step itself: it clears every page that it hands out.

    There is no lock: a thread takes a block out before it looks whether the block is free. One
    that is interrupted then gives it back to the system, and other threads never wait.

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
        self._blocks: dict[int, Tensor] = {}  # what was used last stands last
        self._alone = self._users(torch.empty(1, device=CPU)) if _torch.counts_users else None

    def take(self, dtype: torch.dtype, count: int) -> Tensor:
        """Return a tensor (count,), not filled; small ones are not worth keeping."""
        size = count * dtype.itemsize
        if size < LARGE_PAGE or self._alone is None:
            return torch.empty(count, dtype=dtype, device=CPU)
        block = self._free(size)
        if block is None:
            block = self._new(size)
        tensor: Any = torch.empty(0, dtype=dtype, device=CPU)
        tensor.set_(block.untyped_storage(), 0, (count,))
        self._keep(block)  # it is in use by now: no other thread is going to find it free
        return tensor

    def _free(self, size: int) -> Tensor | None:
        """Return the smallest free block that fits, of at most twice the size; None if none."""
        known = list(self._blocks.items())
        sizes = {key: b.nbytes for key, b in known if self._is_free(b)}
        fits = [key for key, nbytes in sizes.items() if size <= nbytes <= 2 * size]
        for key in sorted(fits, key=sizes.__getitem__):
            block = self._blocks.pop(key, None)
            if block is None:
                continue  # another thread was first
            if self._is_free(block):
                return block
            self._keep(block)
        return None

    def _is_free(self, block: Tensor) -> bool:
        return self._users(block) == self._alone

    def _users(self, block: Tensor) -> tuple[int, int]:
        """Return how many tensors, and how many names in Python, have the storage of a block.

        A hook may keep a storage without a tensor: it is the same object for all who ask for it.
        """
        storage = block.untyped_storage()
        return _torch.users(storage), sys.getrefcount(storage)

    def _new(self, size: int) -> Tensor:
        """Return a block for that and a little more: sequences may grow by some steps."""
        part = 1 << max(0, size.bit_length() - 4)
        size = -(-size // part) * part
        block = torch.empty(size, dtype=torch.uint8, device=CPU)
        _in_large_pages(block.data_ptr(), size)
        return block

    def _keep(self, block: Tensor) -> None:
        """Keep a block; what was used longest ago is kept no longer if it becomes too much."""
        self._blocks[id(block)] = block
        known = list(self._blocks.items())
        total = sum(each.nbytes for _, each in known)
        for key, each in known:
            if total <= self._most:
                break
            total -= each.nbytes
            self._blocks.pop(key, None)


reserve = Reserve(ARRAYS)


class Offsets(NamedTuple):
    """Arrays in one piece of memory.

    Attributes:
        starts: where each begins, counted in numbers.
        size: how many numbers all of them take.
    """

    starts: dict[Any, int]
    size: int


def offsets(counts: Mapping[Any, int], dtype: torch.dtype) -> Offsets:
    """Return where arrays of so many numbers stand one after the other, each aligned.

    >>> import torch
    >>> offsets({"a": 3, "b": 40, "c": 2}, torch.float32)
    Offsets(starts={'a': 0, 'b': 32, 'c': 96}, size=98)
    """
    starts, size = {}, 0
    for name, count in counts.items():
        starts[name] = aligned(size * dtype.itemsize) // dtype.itemsize
        size = starts[name] + count
    return Offsets(starts, size)
