"""The launcher: machine code that looks at tensors before it hands their addresses to a kernel."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from ... import _torch
from ...locks import compiling
from .abi import (
    ANY,
    FITS,
    FUNCTIONS,
    HEADER,
    PARALLEL,
    SCATTERED,
    WORD,
    WRONG,
    Copy,
    Operand,
    Relocation,
    header,
)
from .extent import extent, reach


class Form(NamedTuple):
    """What an operand has to be, besides strided, on the CPU and inside its storage.

    Attributes:
        label: what messages call it.
        shape: its rows and units; a tensor of more dimensions may hold the same rows.
    """

    label: str
    shape: tuple[Any, ...]

    @property
    def numbers(self) -> Any:
        """How many numbers it has."""
        count: Any = 1
        for size in self.shape:
            count *= size
        return count


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


class Functions(NamedTuple):
    """The functions of the launcher's table: see `codegen.launcher.text`."""

    prepare: Callable[[int], None]
    launch: Callable[[int], int]
    finish: Callable[[int], None]


@cache
def functions() -> Functions | None:
    """Return the machine code; None where PyTorch has no such functions, or llvmlite no build."""
    library = _library()
    if library is None:
        return None
    symbols = {name: _address(library[name]) for name in FUNCTIONS.values()}
    with compiling():  # a fork waits for imports, too: they have locks of their own
        try:
            from ..codegen.launcher import text
            from .code import openmp
            from .jit import Machine, host
        except ImportError:
            return None
        target = host("float")
        machine = Machine(text(target), target, {**symbols, PARALLEL: openmp()[PARALLEL]})
        _alive.append(machine)
    running = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)
    # Looking is short: Python's lock stays held. A kernel runs without it.
    looking = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
    return Functions(
        looking(machine.address("prepare")),
        running(machine.address("launch")),
        looking(machine.address("finish")),
    )


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


_alive: list[Any] = []

FIRST = len(HEADER) * WORD
"""Where PyTorch's handles of the operands stand in the table."""

_kernel = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@final
class Table:
    """What the launcher is told of a launch; one for each that runs at the same time.

    Args:
        dtypes: of each operand; `ANY` for any of its size.
        itemsizes: bytes of a number of each operand.
        scalars: the words of the table that are not counts.
        rest: the words that differ with sizes: numbers and width of each operand, relocations,
            copies before and after the kernel, in the order of `launch.Template`.
        counts: of relocations, copies before, and copies after.
    """

    def __init__(
        self,
        dtypes: Sequence[int],
        itemsizes: Sequence[int],
        scalars: Mapping[str, int],
        rest: Sequence[int],
        counts: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        count = len(dtypes)
        known = dict(zip(("relocations", "before", "after"), counts, strict=True))
        known |= {"operands": count, "arrived": -1, **scalars}
        words = [known.get(name, 0) for name in HEADER]
        words += [0] * (2 * count) + [*itemsizes, *dtypes]
        self._rest = len(words)
        self._words = (ctypes.c_int64 * (len(words) + len(rest)))(*words, *rest)
        self.address = ctypes.addressof(self._words)
        self._pack = struct.Struct(f"={count}q").pack_into
        self._addresses = slice(len(HEADER) + count, len(HEADER) + 2 * count)
        self._functions = functions()
        self.run = self._runner()

    def load(self, rest: ctypes.Array[ctypes.c_int64]) -> None:
        """Take the words that differ with sizes."""
        ctypes.memmove(self.address + WORD * self._rest, rest, ctypes.sizeof(rest))

    def _runner(self) -> Callable[[Sequence[Tensor]], int]:
        """Return what runs the kernel if all operands are as they have to be.

        What it returns is the worst that is to be said of them.
        """
        if self._functions is None:
            return self._run_slowly
        pack, words, launch, address = self._pack, self._words, self._functions.launch, self.address
        handle = _torch.address

        def run(tensors: Sequence[Tensor]) -> int:
            pack(words, FIRST, *map(handle, tensors))
            return launch(address)

        return run

    def _run_slowly(self, tensors: Sequence[Tensor]) -> int:
        """Do the same on one thread: a kernel's barriers count the threads that there are."""
        worst = self.inspect(tensors)
        if worst == FITS:
            _kernel(self.get("function"))(self.get("arguments"))
            self.finish()
        return worst

    def set(self, name: str, value: int) -> None:
        """Set a scalar."""
        self._words[header(name)] = value

    def get(self, name: str) -> int:
        """Return a scalar."""
        return self._words[header(name)]

    def inspect(self, tensors: Sequence[Tensor]) -> int:
        """Return the worst that is to be said of the operands; addresses are told if they fit."""
        if self._functions is not None:
            self._pack(self._words, FIRST, *map(_torch.address, tensors))
            self._functions.prepare(self.address)
            return self._words[header("worst")]
        count, start = len(tensors), len(HEADER)
        columns = [self._words[start + n * count :][:count] for n in range(2, len(Operand._fields))]
        said = [slow(*each) for each in zip(tensors, *columns, strict=True)]
        worst = max((verdict for verdict, _ in said), default=FITS)
        self._words[self._addresses] = [address for _, address in said]
        if worst == FITS:
            block = self.get("arguments")
            for word, operand, offset in self._entries(Relocation, "relocations"):
                ctypes.c_int64.from_address(block + WORD * word).value = said[operand][1] + offset
            if self.get("arrived") >= 0:
                ctypes.c_int64.from_address(block + WORD * self.get("arrived")).value = 0
            self._copy("before")
        return worst

    def finish(self) -> None:
        """Make the copies after the kernel."""
        if self._functions is not None:
            self._functions.finish(self.address)
        else:
            self._copy("after")

    def _entries(self, kind: type[Any], name: str) -> Iterator[Any]:
        """Yield the relocations, or the copies before or after the kernel."""
        start = self._rest + 2 * self.get("operands")
        start += len(Relocation._fields) * self.get("relocations") * (name != "relocations")
        start += len(Copy._fields) * self.get("before") * (name == "after")
        size = len(kind._fields)
        for number in range(self.get(name)):
            yield kind(*self._words[start + number * size :][:size])

    def _copy(self, which: str) -> None:
        addresses = self._words[self._addresses]
        for source, source_at, target, target_at, size, times in self._entries(Copy, which):
            for turn in range(times):
                into = addresses[target] + target_at + turn * size
                ctypes.memmove(into, addresses[source] + source_at, size)


def slow(tensor: Tensor, itemsize: int, dtype: int, numbers: int, width: int) -> tuple[int, int]:
    """Return what is said of a tensor, and where it stands: the meaning of the machine code."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        return WRONG, 0
    if dtype != ANY and dtype != _numbers().get(tensor.dtype):
        return WRONG, 0
    if numbers != ANY:
        last = tensor.shape[-1] if tensor.dim() else 1
        if tensor.numel() != numbers or last != width:
            return WRONG, 0
    if reach(tensor) > extent(tensor):
        return WRONG, 0
    return FITS if tensor.is_contiguous() else SCATTERED, tensor.data_ptr()


@cache
def _numbers() -> dict[torch.dtype, int]:
    return {dtype: dtype_number(dtype) for dtype in (torch.float32, torch.float64)}
