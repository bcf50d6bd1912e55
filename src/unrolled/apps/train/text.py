"""Text as symbol ids, in memory or read piece by piece, with a held-out part."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, final

import numpy
import torch
from torch import Tensor

from ...display import counted, text_of
from ...errors import UserError, refusing
from ..files import Input


class Source(ABC):
    """A text as symbol ids, the places of its characters in a vocabulary; its end is held out.

    Attributes:
        vocabulary: the distinct characters, sorted.
        start: where the held-out part begins.
        digest: SHA-256 of the text, in hexadecimal.
    """

    vocabulary: str
    start: int
    digest: str

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def windows(self, starts: Tensor, length: int) -> Tensor:
        """Return int32 (length, B): so many ids from each of ``starts`` on; past the end, the last.

        Args:
            starts: places in the text: int64, (B,).
            length: of each window.
        """


def boundary(length: int, held_out: float) -> int:
    """Return where the last ``held_out`` of a text of ``length`` characters begins.

    Raises:
        UserError: the text is too short for both parts to have a character.

    >>> boundary(10, 0.2)
    8
    """
    start = int(length * (1 - held_out))
    if not 0 < start < length:
        raise UserError(
            f"a text of {counted(length, 'characters')} leaves {start} to train on and "
            f"{length - start} held out (--held-out {held_out}): both need at least 1"
        )
    return start


LARGE = 64 * 2**20
"""Files of more bytes in all are read piece by piece instead of being held in memory."""


def read(file: Path) -> str:
    """Return the UTF-8 text of a file, without byte order mark and with line ends as ``\\n``.

    Raises:
        UserError: the file is missing, a directory, unreadable, empty, binary or not UTF-8.
    """
    return "".join(decoded(file, data, offset) for offset, data in _pieces(file))


def given(option: str) -> str:
    """Return the text that ``--text`` stands for: that of the file of this name, of standard input
    for ``-``, or, if there is none, what was given itself.

    Raises:
        UserError: there is something of this name, but it is no text file; or it is empty.

    >>> given("to be")
    'to be'
    """
    if not option:
        raise UserError("--text is empty: a file, or the text itself, is expected")
    try:
        exists = option == "-" or Path(option).exists()
    except (OSError, ValueError):  # longer than a name can be
        exists = False
    if not exists:
        return option
    found = Input(Path(option))  # its copy stays as long as it does
    return read(found.path)


def decoded(file: Path, data: bytes, offset: int = 0) -> str:
    """Decode UTF-8 bytes that stand at ``offset`` of ``file``, with line ends as ``\\n``.

    Raises:
        UserError: the bytes are no text.
    """
    if b"\0" in data:
        place = offset + data.index(0)
        raise UserError(f"{file} is binary (a NUL byte at offset {place}): a text file is expected")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = offset + error.start
        raise UserError(
            f"{file} is not UTF-8: byte 0x{data[error.start]:02x} at offset {place}"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def default() -> str:
    """Return the text every Python brings: the topics of ``help()``, about 400,000 characters.

    Topics quote each other, so each paragraph is kept once: else the held-out part would repeat
    passages that were trained on.

    Raises:
        UserError: this Python comes without its topics.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise UserError("this Python has no pydoc_data.topics: name a text file") from error
    paragraphs = "\n\n".join(topics[name] for name in sorted(topics)).split("\n\n")
    return "\n\n".join(dict.fromkeys(paragraphs))


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def codes(text: str) -> numpy.ndarray:
    """Return the Unicode numbers of the characters of ``text``: uint32, (N,)."""
    return numpy.frombuffer(text.encode("utf-32-le", "surrogatepass"), numpy.dtype("<u4"))


def encode(text: str, vocabulary: str) -> Tensor:
    """Return the places of the characters of ``text`` in the sorted ``vocabulary``: int32, (N,).

    Raises:
        UserError: a character is not in the vocabulary.

    >>> encode("abba", "ab").tolist()
    [0, 1, 1, 0]
    """
    given, known = codes(text), codes(vocabulary)
    ids = numpy.searchsorted(known, given).clip(max=len(known) - 1)
    if (strange := known[ids] != given).any():
        place = int(strange.argmax())
        raise UserError(
            f"the character {text[place]!r} at position {place} is not among the "
            f"{len(vocabulary)} of the vocabulary: {vocabulary!r}"
        )
    return torch.from_numpy(ids.astype(numpy.int32))


@final
@dataclass(frozen=True, eq=False)
class Corpus(Source):
    """A text as symbol ids; its last part is held out from training.

    Attributes:
        ids: int32, (N,): places in ``vocabulary``.
        vocabulary: the distinct characters, sorted.
        start: where the held-out part begins.
        digest: SHA-256 of the text, in hexadecimal.
    """

    ids: Tensor
    vocabulary: str
    start: int
    digest: str

    __repr__ = text_of

    @classmethod
    def of(cls, text: str, held_out: float = 0.1) -> Corpus:
        """Encode ``text``, with the last ``held_out`` of it (a fraction) held out.

        Raises:
            UserError: the text is too short for both parts to have a character.

        >>> corpus = Corpus.of("hello world", held_out=0.5)
        >>> corpus.vocabulary, corpus.start, corpus.training.tolist()
        (' dehlorw', 5, [3, 2, 4, 4, 5])
        """
        start = boundary(len(text), held_out)
        vocabulary = "".join(map(chr, numpy.unique(codes(text))))
        return cls(encode(text, vocabulary), vocabulary, start, digest(text))

    def __len__(self) -> int:
        return len(self.ids)

    def windows(self, starts: Tensor, length: int) -> Tensor:
        """Return ``length`` ids from each of ``starts`` on, (length, B)."""
        places = starts + torch.arange(length)[:, None]
        return self.ids[places.clamp(max=len(self.ids) - 1)]

    @property
    def training(self) -> Tensor:
        """The ids before ``start``."""
        return self.ids[: self.start]

    @property
    def held_out(self) -> Tensor:
        """The ids from ``start`` on."""
        return self.ids[self.start :]


def open_source(files: Sequence[Path], held_out: float) -> Source:
    """Open the text of ``files``, or the default text without files; in memory if it is small.

    Raises:
        UserError: a file cannot be read, or is no text.
    """
    inputs = [Input(file) for file in files]
    paths = [each.path for each in inputs]
    if sum(path.stat().st_size for path in paths if path.is_file()) > LARGE:
        source = Stream(paths, held_out)
        source.inputs = inputs  # copies of pipes stay as long as it does
        return source
    return Corpus.of(load(paths), held_out)


def load(files: Sequence[Path]) -> str:
    """Read the texts of ``files``, joined by a newline, or the default text without files."""
    return "\n".join(map(read, files)) if files else default()


PIECE = 2**16
"""Bytes that are read at a time."""

KEPT = 1024
"""How many pieces are kept in memory: 4 bytes for every character of theirs."""

BOM = b"\xef\xbb\xbf"


class Piece(NamedTuple):
    """Bytes of a file that begin and end with a character.

    Attributes:
        file: that they stand in.
        offset, size: of the bytes.
        before, symbols: how many characters of the text stand before them, and in them.
        newline: whether one joins them to the file before; it is counted.
    """

    file: Path
    offset: int
    size: int
    before: int
    symbols: int
    newline: bool


@final
class Stream(Source):
    """The texts of files joined by newlines, as `unrolled.apps.train.text.load` reads them.

    Opening goes through the files once and keeps where the pieces are; later, each is read when
    a window needs it. Memory does not grow with the files, but for 100 bytes a piece.

    Raises:
        UserError: a file is missing, unreadable, empty, binary or not UTF-8, or the text is too
            short for both parts to have a character.
    """

    def __init__(self, files: Sequence[Path], held_out: float = 0.1) -> None:
        self.inputs: list[Input] = []
        seen, digest = numpy.zeros(0x110000, dtype=bool), hashlib.sha256()
        self.pieces: list[Piece] = []
        self._length = 0
        for number, file in enumerate(files):
            newline = number > 0
            for offset, data in _pieces(file):
                text = "\n" * newline + decoded(file, data, offset)
                size, count = len(data), len(text)
                self.pieces.append(Piece(file, offset, size, self._length, count, newline))
                seen[codes(text)] = True
                digest.update(text.encode())
                self._length += count
                newline = False
        self.vocabulary = "".join(map(chr, numpy.flatnonzero(seen)))
        self.start, self.digest = boundary(self._length, held_out), digest.hexdigest()
        self._ids = lru_cache(KEPT)(self._encoded)

    def __len__(self) -> int:
        return self._length

    def windows(self, starts: Tensor, length: int) -> Tensor:
        """Return ``length`` ids from each of ``starts`` on, (length, B).

        Raises:
            UserError: a file is no longer what it was.
        """
        return torch.stack([self._window(start, length) for start in starts.tolist()], dim=1)

    def _window(self, start: int, length: int) -> Tensor:
        parts, place, missing = [], min(start, self._length - 1), length
        while missing > 0 and place < self._length:
            piece = self.pieces[bisect_right(self.pieces, place, key=attrgetter("before")) - 1]
            part = self._ids(piece)[place - piece.before :][:missing]
            parts.append(part)
            place, missing = place + len(part), missing - len(part)
        if missing > 0:
            parts.append(parts[-1][-1:].expand(missing))
        return torch.cat(parts)

    def _encoded(self, piece: Piece) -> Tensor:
        file = piece.file
        try:
            with file.open("rb") as stream:
                stream.seek(piece.offset)
                text = decoded(file, stream.read(piece.size), piece.offset)
            ids = encode("\n" * piece.newline + text, self.vocabulary)
        except (OSError, UserError) as error:
            raise UserError(f"{file} is no longer what it was: {error}") from error
        if len(ids) != piece.symbols:
            raise UserError(f"{file} is no longer what it was: it changed after it was opened")
        return ids


def _pieces(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield pieces of whole characters and line ends, with their offsets."""
    with refusing(f"read {file}"), file.open("rb") as stream:
        offset = len(BOM) if stream.read(len(BOM)) == BOM else 0
        stream.seek(offset)
        rest = b""
        while data := stream.read(PIECE):
            whole, rest = _cut(rest + data)
            if whole:
                yield offset, whole
            offset += len(whole)
    if offset == 0 and not rest:
        raise UserError(f"{file} is empty: a text file is expected")
    if rest:
        yield offset, rest


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Return what ends with a character, and the rest: of a character, or of a line end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:  # the first of several bytes
            return data[:-back], data[-back:]
        if byte < 0x80:
            break
    return (data[:-1], data[-1:]) if data.endswith(b"\r") else (data, b"")
