"""Where a table is read from: a file, compressed or not, a pipe, or standard input."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import hashlib
import lzma
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, final

from ....errors import UserError, refusing
from ....locks import cached_property
from ...files import Input

BLOCK = 2**20

COMPRESSED: dict[bytes, Callable[[Any], IO[bytes]]] = {
    b"\x1f\x8b": gzip.open,  # pyright: ignore[reportAssignmentType]
    b"BZh": bz2.open,  # pyright: ignore[reportAssignmentType]
    b"\xfd7zXZ\x00": lzma.open,  # pyright: ignore[reportAssignmentType]
}
"""How a compressed file is opened, by what it begins with."""

ZIP = b"PK\x03\x04"

STRANGERS = {
    b"\x28\xb5\x2f\xfd": "compressed by zstd: decompress it first",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save it as CSV",
    b"%PDF": "a PDF: a table is expected",
    b"SQLite format 3": "a SQLite database: write the table as CSV",
    b"\x89HDF": "an HDF5 file: write the table as CSV or Parquet",
    b"\x93NUMPY": "a NumPy array: write it as CSV, by numpy.savetxt",
    b"\x80\x04\x95": "a pickle: write the table as CSV or Parquet",
    b"<!DOCTYPE": "a web page: a table is expected",
    b"<html": "a web page: a table is expected",
}
"""What files are that hold no table that is read here, by what they begin with."""


@final
class Source:
    """The bytes of a table.

    Args:
        path: of a file; ``-`` is standard input.

    Attributes:
        name: for messages.
        suffix: of the file's name, in lower case, without that of a compression.
        beginning: its first bytes, decompressed.

    Raises:
        UserError: it cannot be read, is empty, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._input = Input(path)
        self.name, self.path = self._input.name, self._input.path
        suffixes = [each.lower() for each in path.suffixes]
        while suffixes and suffixes[-1] in (".gz", ".bz2", ".xz", ".zip"):
            suffixes.pop()
        self.suffix = suffixes[-1] if suffixes else ""
        with refusing(f"read {self.name}"), self.path.open("rb") as file:
            self._mark = file.read(max(map(len, (*COMPRESSED, *STRANGERS, ZIP))))
        for mark, what in STRANGERS.items():
            if self._mark.startswith(mark):
                raise UserError(f"{self.name} is {what}")
        with self.opened() as file:
            self.beginning = file.read(BLOCK // 16)
        if not self.beginning:
            raise UserError(f"{self.name} is empty: a table is expected")

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open it, decompressed, while entered."""
        with refusing(f"read {self.name}"), contextlib.ExitStack() as stack:
            try:
                yield self._stream(stack)
            except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile) as error:
                raise UserError(f"{self.name} is damaged: {error}") from error

    def _stream(self, stack: contextlib.ExitStack) -> Any:
        for mark, open_ in COMPRESSED.items():
            if self._mark.startswith(mark):
                return stack.enter_context(open_(self.path))
        if self._mark.startswith(ZIP):
            archive = stack.enter_context(zipfile.ZipFile(self.path))
            names = [each for each in archive.namelist() if not each.endswith("/")]
            if "[Content_Types].xml" in names:
                raise UserError(f"{self.name} is an Excel workbook: save it as CSV")
            if len(names) != 1:
                raise UserError(
                    f"{self.name} holds {len(names)} files: one is expected, unpack the one to read"
                )
            return stack.enter_context(archive.open(names[0]))
        return stack.enter_context(self.path.open("rb"))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes as they stand in the file, in hexadecimal."""
        digest = hashlib.sha256()
        with refusing(f"read {self.name}"), self.path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()
