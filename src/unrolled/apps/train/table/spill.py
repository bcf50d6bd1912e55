"""Many numbers, and many texts, on disk."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any, final

import numpy
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ....errors import refusing


@final
class Spill:
    """Numbers of any count, kept in a temporary file and mapped into memory as they are used."""

    def __init__(self, dtype: DTypeLike, chunk: int = 2**16) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this
        weakref.finalize(self, self._file.close)
        self._dtype, self._chunk = numpy.dtype(dtype), chunk
        self._waiting: list[float] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count + len(self._waiting)

    def append(self, value: float) -> None:
        """Add a number."""
        self._waiting.append(value)
        if len(self._waiting) >= self._chunk:
            self.extend(())

    def extend(self, values: ArrayLike) -> None:
        """Add numbers, (n,).

        Raises:
            UserError: there is no place for them.
        """
        with refusing(f"write a temporary file in {tempfile.gettempdir()}"):
            for each in (self._waiting, values):
                self._count += self._file.write(
                    numpy.ascontiguousarray(each, self._dtype).data
                ) // (self._dtype.itemsize)
            self._file.flush()
        self._waiting = []

    def array(self) -> NDArray[Any]:
        """All numbers, (N,); read-only."""
        self.extend(())
        if self._count == 0:
            return numpy.empty(0, self._dtype)
        return numpy.memmap(self._file, self._dtype, "r", shape=(self._count,))


def chunks(array: NDArray[Any], size: int = 2**18) -> Iterator[NDArray[Any]]:
    """An array part by part, so that what is computed of it fits into memory.

    What is mapped from a file is given back behind each part, so that it does not pile up.

    >>> [part.tolist() for part in chunks(numpy.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    mapped = _map_of(array)
    for number, first in enumerate(range(0, len(array), size), 1):
        yield array[first : first + size]
        if mapped is not None and number % GIVEN_BACK == 0:
            mapped.madvise(mmap.MADV_DONTNEED)


def taken(array: NDArray[Any], places: NDArray[Any]) -> NDArray[Any]:
    """Return the numbers at some places, of any shape.

    What is mapped of a large file is given back at once: each place maps pages around it, and these
    pile up.

    >>> taken(numpy.arange(5) * 10, numpy.array([[4, 0]])).tolist()
    [[40, 0]]
    """
    found = array[places]
    mapped = _map_of(array) if array.nbytes > LARGE else None
    if mapped is not None:
        mapped.madvise(mmap.MADV_DONTNEED)
    return found


GIVEN_BACK = 16
"""Parts after which what is mapped is given back."""

LARGE = 2**25
"""Bytes of an array from which on single places of it are not kept mapped."""


def _map_of(array: Any) -> mmap.mmap | None:
    """Return the map of a file that an array lies in; None where it lies in memory, or where the
    system takes no advice.
    """
    while isinstance(array, numpy.ndarray):
        array = array.base
    advised = isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED")
    return array if advised else None


@final
class Store:
    """Pieces of bytes of any count, kept in a temporary file and read from there one by one.

    >>> store = Store()
    >>> for text in ("a", "", "bcd"):
    ...     store.append(text.encode())
    >>> store[2], len(store)
    (b'bcd', 3)
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this
        weakref.finalize(self, self._file.close)
        self._starts = Spill("int64")
        self._starts.append(0)
        self._end = 0
        self._places: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self._starts) - 1

    def append(self, piece: bytes) -> None:
        """Add a piece.

        Raises:
            UserError: there is no place for it.
        """
        with refusing(f"write a temporary file in {tempfile.gettempdir()}"):
            self._file.write(piece)
        self._end += len(piece)
        self._starts.append(self._end)
        self._places = None

    def __getitem__(self, index: int) -> bytes:
        if self._places is None:
            with refusing(f"write a temporary file in {tempfile.gettempdir()}"):
                self._file.flush()
            self._places = self._starts.array()
        start, end = map(int, self._places[index : index + 2])
        return os.pread(self._file.fileno(), end - start, start)
