"""The lines of a UTF-8 file, one at a time, with their places in bytes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, final

from ....errors import UserError

LONGEST = 16 * 2**20
"""The longest line, in bytes: more is no table, and must not fill the memory."""


@final
class Lines(Iterator[str]):
    """The lines of an open file from where it stands on, line ends included.

    Attributes:
        offset: in bytes, where the next line begins.
        number: of the line given last, counted from 1 in what is read.

    Raises:
        UserError: a line is not UTF-8, holds a NUL byte, or is too long.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.offset, self.number = file.tell(), 0

    def __next__(self) -> str:
        data = self.file.readline(LONGEST)
        if not data:
            raise StopIteration
        start, self.offset = self.offset, self.offset + len(data)
        self.number += 1
        if len(data) == LONGEST and not data.endswith(b"\n"):
            raise UserError(
                f"{self.path}, line {self.number}: longer than {LONGEST:,} bytes: a table with "
                "one record a line is expected"
            )
        try:
            line = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(
                f"{self.path}, line {self.number}: not UTF-8: byte 0x{data[error.start]:02x} at "
                f"offset {start + error.start}"
            ) from error
        if "\0" in line:
            raise UserError(f"{self.path}, line {self.number}: a NUL byte: a text file is expected")
        return line.removeprefix("\ufeff") if start == 0 else line


def opened(path: Path) -> BinaryIO:
    """A file open for reading.

    Raises:
        UserError: it cannot be read, or is empty.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if path.is_file() and path.stat().st_size == 0:
        file.close()
        raise UserError(f"{path} is empty: a table is expected")
    return file
