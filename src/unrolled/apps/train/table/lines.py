"""The lines of a text, one at a time, whatever its encoding."""

from __future__ import annotations

import io
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, final

from ....errors import UserError

LONGEST = 16 * 2**20
"""The longest line, in characters: more is no table, and must not fill the memory."""


@final
class Lines(Iterator[str]):
    """The lines of an open file, line ends included.

    Args:
        name: of the file, for messages.
        file: open for reading.
        encoding: of its text.
        skip: how many lines are left out at its beginning.
        comment: what lines begin with that are left out; "" for none.

    Attributes:
        number: of the line given last, counted from 1 in the file.

    Raises:
        UserError: a line is no text of that encoding, holds a NUL, or is too long.
    """

    def __init__(
        self, name: str, file: BinaryIO, encoding: str, skip: int = 0, comment: str = ""
    ) -> None:
        self.name, self.encoding, self.comment, self.number = name, encoding, comment, 0
        self._file = io.TextIOWrapper(file, encoding, "surrogateescape", newline="")
        weakref.finalize(self, _release, self._file)
        for _ in range(skip):
            if self._next() == "":
                break

    def __next__(self) -> str:
        line = self._next()
        while self.comment and line.startswith(self.comment):
            line = self._next()
        if not line:
            raise StopIteration
        return line

    def _next(self) -> str:
        self.number += 1
        try:
            line = self._file.readline(LONGEST)
        except UnicodeError as error:
            raise UserError(
                f"{self.name}, line {self.number}: not {self.encoding}: {error.args[-1]}"
            ) from error
        if len(line) == LONGEST and not line.endswith(("\n", "\r")):
            raise UserError(
                f"{self.name}, line {self.number}: longer than {LONGEST:,} characters: a table "
                "with one record a line is expected"
            )
        if not line.isascii():
            self._check_encoding(line)
        if "\0" in line:
            raise UserError(
                f"{self.name}, line {self.number}: a NUL: a text is expected, or --encoding utf-16"
            )
        return line.removeprefix("\ufeff") if self.number == 1 else line

    def _check_encoding(self, line: str) -> None:
        try:
            line.encode()
        except UnicodeEncodeError as error:
            byte = ord(line[error.start]) - 0xDC00
            raw = line.encode("utf-8", "surrogateescape")
            readings = ", ".join(
                f"--encoding {each} ({text.strip()[:30]!r})"
                for each in ("cp1252", "gb18030", "shift_jis")
                if (text := _decoded(raw, each))
            )
            raise UserError(
                f"{self.name}, line {self.number}: not {self.encoding}: byte 0x{byte:02x}; name "
                f"the encoding: {readings or '--encoding NAME'}"
            ) from None


def _release(text: io.TextIOWrapper) -> None:
    """Leave the file below open: who opened it closes it."""
    with suppress(ValueError):
        text.detach()


def _decoded(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return ""


def encoding_of(beginning: bytes) -> str:
    """Return the encoding that a text's first bytes show; UTF-8 if they show none.

    >>> encoding_of("a,b".encode("utf-16")), encoding_of("a,b".encode("utf-16-be"))
    ('utf-16', 'utf-16-be')
    """
    if beginning.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    some = beginning[:400]
    if some.count(0) * 3 > len(some):
        return "utf-16-be" if some[0] == 0 else "utf-16-le"
    return "utf-8"
