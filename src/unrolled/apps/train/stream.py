"""A text too large for memory, read from its files piece by piece."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, final

import numpy
import torch
from torch import Tensor

from ...errors import UserError
from .source import Source, boundary
from .text import codes, decoded, encode

PIECE = 2**16
"""Bytes that are read at a time."""

KEPT = 1024
"""How many pieces are kept in memory: 4 bytes for every character of theirs."""

BOM = b"\xef\xbb\xbf"


class Piece(NamedTuple):
    """Bytes of a file that begin and end with a character.

    Attributes:
        file: its number.
        offset, size: of the bytes.
        before: how many characters of the text stand before them.
        newline: whether one joins them to the file before.
    """

    file: int
    offset: int
    size: int
    before: int
    newline: bool

    def text(self, file: Path, data: bytes) -> str:
        """The characters of its bytes, read from ``file``."""
        text = decoded(file, data, self.offset)
        return "\n" + text if self.newline else text


@final
class Stream(Source):
    """The texts of files joined by newlines, as `unrolled.apps.train.text.load` reads them.

    Opening goes through the files once and keeps where the pieces are; later, each is read when
    a window needs it. Memory does not grow with the files, but for 100 bytes a piece.
    """

    def __init__(
        self,
        files: Sequence[Path],
        pieces: Sequence[Piece],
        length: int,
        vocabulary: str,
        digest: str,
        held_out: float,
    ) -> None:
        self.files, self.pieces, self._length = list(files), list(pieces), length
        self.vocabulary, self.digest = vocabulary, digest
        self.start = boundary(length, held_out)
        self._before = [piece.before for piece in pieces]
        self._kept: OrderedDict[int, Tensor] = OrderedDict()

    @classmethod
    def of(cls, files: Sequence[Path], held_out: float = 0.1) -> Stream:
        """Go through ``files`` once.

        Raises:
            UserError: a file is missing, unreadable, empty, binary or not UTF-8, or the text is
                too short for both parts to have a character.
        """
        seen, digest = numpy.zeros(0x110000, dtype=bool), hashlib.sha256()
        pieces: list[Piece] = []
        length = 0
        for number, file in enumerate(files):
            for offset, data in _pieces(file):
                newline = number > 0 and pieces[-1].file < number
                piece = Piece(number, offset, len(data), length, newline)
                text = piece.text(file, data)
                pieces.append(piece)
                seen[codes(text)] = True
                digest.update(text.encode())
                length += len(text)
        vocabulary = "".join(map(chr, numpy.flatnonzero(seen)))
        return cls(files, pieces, length, vocabulary, digest.hexdigest(), held_out)

    def __len__(self) -> int:
        return self._length

    def windows(self, starts: Tensor, length: int) -> Tensor:
        """``length`` ids from each of ``starts`` on, (length, B).

        Raises:
            UserError: a file is no longer what it was.
        """
        return torch.stack([self._window(start, length) for start in starts.tolist()], dim=1)

    def _window(self, start: int, length: int) -> Tensor:
        parts, place, missing = [], min(start, self._length - 1), length
        while missing > 0 and place < self._length:
            index = bisect_right(self._before, place) - 1
            part = self._ids(index)[place - self._before[index] :][:missing]
            parts.append(part)
            place, missing = place + len(part), missing - len(part)
        if missing > 0:
            parts.append(parts[-1][-1:].expand(missing))
        return torch.cat(parts)

    def _ids(self, index: int) -> Tensor:
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        ids = self._kept[index] = self._encoded(index)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return ids

    def _encoded(self, index: int) -> Tensor:
        piece = self.pieces[index]
        end = self._before[index + 1] if index + 1 < len(self.pieces) else self._length
        file = self.files[piece.file]
        try:
            with file.open("rb") as stream:
                stream.seek(piece.offset)
                ids = encode(piece.text(file, stream.read(piece.size)), self.vocabulary)
        except (OSError, UserError) as error:
            raise UserError(f"{file} is no longer what it was: {error}") from error
        if len(ids) != end - piece.before:
            raise UserError(f"{file} is no longer what it was: it changed after it was opened")
        return ids


def _pieces(file: Path) -> Iterator[tuple[int, bytes]]:
    """Bytes that begin and end with a character, and do not part a line end, with their offsets."""
    try:
        with file.open("rb") as stream:
            offset = len(BOM) if stream.read(len(BOM)) == BOM else 0
            stream.seek(offset)
            rest = b""
            while data := stream.read(PIECE):
                whole, rest = _cut(rest + data)
                if whole:
                    yield offset, whole
                offset += len(whole)
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    if offset == 0 and not rest:
        raise UserError(f"{file} is empty: a text file is expected")
    if rest:
        yield offset, rest


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """What ends with a character, and the rest: of a character, or of a line end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:  # the first of several bytes
            return data[:-back], data[-back:]
        if byte < 0x80:
            break
    return (data[:-1], data[-1:]) if data.endswith(b"\r") else (data, b"")
