"""Stores of recorded values: in memory, or in a folder on disk."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple, final
from uuid import uuid4

import torch
from torch import Tensor

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.bool)
}
BUFFER = 1 << 20
"""Bytes of small values that are gathered before they are written."""


class Store:
    """Keeps the values of each name in memory, call after call, each (T, B, units).

    Args:
        limit: how many bytes may be kept; None for any number.
    """

    def __init__(self, limit: float | None = None) -> None:
        if limit is not None and (not isinstance(limit, Real) or isinstance(limit, bool)):
            raise TypeError(f"record: limit should be a number of bytes, got {limit!r}")
        self.limit = limit
        self.held = 0
        self._values: dict[str, list[Tensor]] = {}

    def reserve(self, needed: int, place: str) -> None:
        """Raise MemoryError if so many bytes more would exceed the limit."""
        if self.limit is not None and self.held + needed > self.limit:
            raise MemoryError(
                f"record: the next call of {place} needs {needed:,} bytes, {self.held:,} are held "
                f"and limit={self.limit:,.0f}: record fewer names, raise limit=, or write to disk "
                "with to="
            )

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Keep the values of one call."""
        self.held += sum(value.numel() * value.element_size() for value in values.values())
        for name, value in values.items():
            self._values.setdefault(name, []).append(value)

    def get(self, name: str) -> list[Tensor]:
        """Return the values of a name, call by call, or those of all calls in one."""
        return self._values[name]

    def discard(self) -> None:
        """Leave nothing on disk."""


class Piece(NamedTuple):
    """One call in a file."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize


@final
class Folder(Store):
    """Writes values to a folder, one file of raw numbers for each name, and reads them back.

    Until `finish` the folder has a temporary name beside its own.

    Args:
        path: of the folder, which must not exist yet.
        limit: how many bytes may be written.
        pieces: of a folder that was finished, what is in its files.

    Raises:
        FileExistsError: if there is something at `path`.
        FileNotFoundError: if there is no folder to make it in.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        limit: float | None = None,
        pieces: dict[str, list[Piece]] | None = None,
    ) -> None:
        super().__init__(limit)
        self.target = Path(path)
        if pieces is None and self.target.exists():
            raise FileExistsError(f"record: to={str(path)!r} exists: choose a new name")
        if not self.target.parent.is_dir():
            raise FileNotFoundError(f"record: {str(self.target.parent)!r} is no folder")
        self.path = None if pieces is None else self.target  # once something is written
        self.pieces = {} if pieces is None else pieces
        self._waiting_bytes = 0  # of `_values`, which are not written yet
        self._discarded = False

    def begin(self) -> Path:
        """Make the temporary folder."""
        if self.path is None:
            self.path = self.target.with_name(f".{self.target.name}.{uuid4().hex}.partial")
            self.path.mkdir()
        return self.path

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Keep the values of one call, and write many at once."""
        super().add({name: value.detach().cpu() for name, value in values.items()})
        for name, value in values.items():
            piece = Piece(str(value.dtype).removeprefix("torch."), tuple(value.shape))
            self.pieces.setdefault(name, []).append(piece)
            self._waiting_bytes += piece.size
        if self._waiting_bytes > BUFFER:
            self._write()

    def _write(self) -> None:
        """Write what waits."""
        for name, values in self._values.items():
            with self.file(name).open("ab") as file:
                for value in values:
                    file.write(value.contiguous().view(-1).view(torch.uint8).numpy().data)
        self._values.clear()
        self._waiting_bytes = 0

    def file(self, name: str) -> Path:
        """Return the file of a name."""
        return self.begin() / f"{list(self.pieces).index(name):05}.bin"

    def get(self, name: str) -> list[Tensor]:
        """Return the values of a name, mapped from its file; of calls of one shape all in one."""
        if self._discarded:
            raise RuntimeError("the recording was removed: its context ended with an error")
        self._write()
        pieces = self.pieces[name]
        first = pieces[0]
        if len({(piece.dtype, *piece.shape[1:]) for piece in pieces}) == 1:
            steps = sum(piece.shape[0] for piece in pieces)
            return [self._mapped(name, Piece(first.dtype, (steps, *first.shape[1:])))]
        total = sum(piece.size for piece in pieces)
        whole = self._mapped(name, Piece("bool", (total,))).view(torch.uint8)
        parts = whole.split([piece.size for piece in pieces])
        return [
            part.clone().view(DTYPES[piece.dtype]).view(piece.shape)
            for part, piece in zip(parts, pieces, strict=True)
        ]

    def _mapped(self, name: str, piece: Piece) -> Tensor:
        dtype = DTYPES[piece.dtype]
        if not piece.size:
            return torch.empty(piece.shape, dtype=dtype)
        count = piece.size // dtype.itemsize
        file = str(self.file(name))
        return torch.from_file(file, shared=False, size=count, dtype=dtype).view(piece.shape)

    def finish(self) -> None:
        """Give the folder its name."""
        self._write()
        self.path = self.begin().rename(self.target)

    def discard(self) -> None:
        """Remove what was written."""
        self._discarded = True
        self._values.clear()
        if self.path is not None:
            shutil.rmtree(self.path)

    def check(self) -> None:
        """Raise ValueError unless every file has the size that it should have."""
        for name, pieces in self.pieces.items():
            file, expected = self.file(name), sum(piece.size for piece in pieces)
            found = file.stat().st_size if file.is_file() else None
            if found != expected and (expected or found):
                raise ValueError(f"{file}: expected {expected} bytes of {name}, found {found}")

    @property
    def rows(self) -> int:
        """Steps that the files hold, over all names."""
        return sum(piece.shape[0] for pieces in self.pieces.values() for piece in pieces)

    def to_json(self) -> dict[str, Any]:
        """Return what is in the files, as data."""
        return {name: [list(piece) for piece in pieces] for name, pieces in self.pieces.items()}
