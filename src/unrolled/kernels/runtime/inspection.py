"""What tensors are at this moment: types, sizes, strides, and how far their storage reaches.

From Python to ask one tensor costs as much as a small kernel. PyTorch exports the same questions
as functions of C; a few lines of machine code ask them of all tensors of a launch.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from ... import _torch
from ...locks import compiling
from ..codegen.inspection import ANY, FITS, FUNCTIONS, HEADER, SCATTERED, WRONG, text
from .extent import extent, reach


class Expected(NamedTuple):
    """What a tensor has to be besides strided, on the CPU and inside its storage.

    Attributes:
        itemsize: bytes of a number.
        dtype: PyTorch's number of it, or `ANY`.
        numbers: how many the tensor has, or `ANY`.
        width: how many of them stand in the last dimension; of no meaning for `ANY` number.
    """

    itemsize: int
    dtype: int = ANY
    numbers: int = ANY
    width: int = ANY


@cache
def _library() -> ctypes.CDLL | None:
    """Return PyTorch's library that has the functions; None where there is none."""
    return _torch.library(tuple(FUNCTIONS.values())) if _torch.has_addresses else None


@cache
def dtype_number(dtype: torch.dtype) -> int:
    """Return PyTorch's number of a dtype that kernels know."""
    library = _library()
    if library is None:
        return {torch.float32: 6, torch.float64: 7}[dtype]  # c10/core/ScalarType.h
    return getattr(library, f"aoti_torch_dtype_{str(dtype).removeprefix('torch.')}")()


@cache
def _inspect() -> Callable[[int], None]:
    """Return the machine code, of a table's address. It is short: Python's lock stays held."""
    library = _library()
    if library is None:
        return _slowly
    addresses = {
        name: ctypes.cast(library[name], ctypes.c_void_p).value or 0 for name in FUNCTIONS.values()
    }
    with compiling():  # a fork waits for imports, too: they have locks of their own
        try:
            from .jit import Machine, host
        except ImportError:  # llvmlite has no build for every platform
            return _slowly
        machine = Machine(text(host("float")), host("float"), addresses)
        _alive.append(machine)
    return ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(machine.address("inspect"))


_alive: list[Any] = []


def _slowly(address: int) -> None:
    """Where PyTorch has no such functions: `Inspection` asks the tensors themselves."""
    del address


@final
class Inspection:
    """Asks some tensors whether they are as expected.

    Args:
        expected: of each.

    >>> import torch
    >>> four = Inspection([Expected(4, dtype_number(torch.float32), numbers=4, width=4)])
    >>> worst, (address,) = four([torch.zeros(4)])
    >>> worst == FITS, four([torch.zeros(8)[::2]])[0] == SCATTERED
    (True, True)
    >>> four([torch.zeros(5)])[0] == four([torch.zeros(4).double()])[0] == WRONG
    True
    """

    def __init__(self, expected: Sequence[Expected]) -> None:
        self._expected = list(expected)
        count = len(self._expected)
        numbers = [
            count,
            FITS,
            *[0] * (2 * count),
            *chain.from_iterable(zip(*expected, strict=True)),
        ]
        self._kind = ctypes.c_int64 * len(numbers)
        self._numbers = bytes(self._kind(*numbers))
        self._pack = struct.Struct(f"={count}q").pack_into  # faster than to assign a slice
        self._addresses = slice(HEADER + count, HEADER + 2 * count)
        self._tables: list[tuple[ctypes.Array[ctypes.c_int64], int]] = []  # for calls to come
        self._run = _inspect()

    def __call__(self, tensors: Sequence[Tensor]) -> tuple[int, list[int]]:
        """Return the worst that is to be said of the tensors, and where each stands."""
        if self._run is _slowly:
            return self._ask(tensors)
        try:
            ready = self._tables.pop()
        except IndexError:
            table = self._kind.from_buffer_copy(self._numbers)
            ready = table, ctypes.addressof(table)
        table, address = ready
        self._pack(table, HEADER * 8, *map(_torch.address, tensors))
        self._run(address)
        worst, addresses = table[1], table[self._addresses]
        self._tables.append(ready)
        return worst, addresses

    def _ask(self, tensors: Sequence[Tensor]) -> tuple[int, list[int]]:
        """Return the same, asked a tensor at a time, in Python."""
        found = [
            slow(each, expected) for each, expected in zip(tensors, self._expected, strict=True)
        ]
        return max((said for said, _ in found), default=FITS), [address for _, address in found]


def slow(tensor: Tensor, expected: Expected) -> tuple[int, int]:
    """Return what is said of a tensor, and where it stands: the meaning of the machine code."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return WRONG, 0
    if expected.dtype != ANY and expected.dtype != _numbers().get(tensor.dtype):
        return WRONG, 0
    if expected.numbers != ANY:
        last = tensor.shape[-1] if tensor.dim() else 1
        if tensor.numel() != expected.numbers or last != expected.width:
            return WRONG, 0
    if reach(tensor) > extent(tensor):
        return WRONG, 0
    return FITS if tensor.is_contiguous() else SCATTERED, tensor.data_ptr()


@cache
def _numbers() -> dict[torch.dtype, int]:
    return {dtype: dtype_number(dtype) for dtype in (torch.float32, torch.float64)}
