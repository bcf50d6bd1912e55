"""Numbers in cells, and many numbers on disk."""

from __future__ import annotations

import math
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any, final

import numpy
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ....errors import UserError
from ....schema import parse
from .table import Record, Table

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-"})
"""What stands in a cell that has no value, in lower case."""


def missing(value: Any) -> bool:
    """Whether a cell has no value.

    >>> missing(None), missing(" NA "), missing(0)
    (True, True, False)
    """
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value.strip().lower() in MISSING)


def is_number(value: Any) -> bool:
    """Whether a cell holds a number."""
    return _number(value) is not None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def number(table: Table, record: Record, column: int) -> float:
    """The number in a cell.

    Raises:
        UserError: there is none; the message names line, column and value.
    """
    value = record.values[column]
    found = _number(value)
    if found is None:
        where = table.where(record, column)
        if missing(value):
            raise UserError(f"{where}: the cell is empty: a number is expected")
        raise UserError(f"{where}: {str(value)[:60]!r} is not a finite number")
    return found


def numbers(value: Any) -> list[list[float]] | None:
    """The steps in a cell that holds a list: of numbers, or of lists of as many; else None.

    >>> numbers("[1, 2.5]"), numbers("1 2 3"), numbers([[1, 2], [3, 4]]), numbers("one")
    ([[1.0], [2.5]], [[1.0], [2.0], [3.0]], [[1.0, 2.0], [3.0, 4.0]], None)
    """
    if isinstance(value, str):
        value = _parsed(value)
    if not isinstance(value, list):
        return None
    steps = [step if isinstance(step, list) else [step] for step in value]
    found = [[_number(each) for each in step] for step in steps]
    whole = [[each for each in step if each is not None] for step in found]
    if whole != found or len({len(step) for step in steps}) > 1 or [] in steps:
        return None
    return whole


def _parsed(text: str) -> Any:
    if text.lstrip().startswith("["):
        try:
            return parse(text)
        except ValueError:
            return None
    return text.replace(",", " ").replace(";", " ").split()


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
        try:
            for each in (self._waiting, values):
                self._count += self._file.write(numpy.asarray(each, self._dtype).data) // (
                    self._dtype.itemsize
                )
            self._file.flush()
        except OSError as error:
            raise UserError(
                f"cannot write a temporary file in {tempfile.gettempdir()}: "
                f"{error.strerror or error}"
            ) from error
        self._waiting = []

    def array(self) -> NDArray[Any]:
        """All numbers, (N,); read-only."""
        self.extend(())
        if self._count == 0:
            return numpy.empty(0, self._dtype)
        return numpy.memmap(self._file, self._dtype, "r", shape=(self._count,))


def chunks(array: NDArray[Any], size: int = 2**18) -> Iterator[NDArray[Any]]:
    """An array part by part, so that what is computed of it fits into memory.

    >>> [part.tolist() for part in chunks(numpy.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    return (array[first : first + size] for first in range(0, len(array), size))
