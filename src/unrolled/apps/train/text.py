"""Text as symbol ids, split into a training and a held-out part."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy
import torch
from torch import Tensor

from ...errors import UserError
from .source import Source, boundary

LARGE = 64 * 2**20
"""Files of more bytes in all are read piece by piece instead of being held in memory."""


def read(file: Path) -> str:
    """The UTF-8 text of a file, without byte order mark and with line ends as ``\\n``.

    Raises:
        UserError: the file is missing, a directory, unreadable, empty, binary or not UTF-8.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from error
    if not data:
        raise UserError(f"{file} is empty: a text file is expected")
    return decoded(file, data).removeprefix("\ufeff")


def decoded(file: Path, data: bytes, offset: int = 0) -> str:
    """The UTF-8 text of bytes that stand at ``offset`` of ``file``, with line ends as ``\\n``.

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
    """The text every Python brings along: the topics of ``help()``, about 400,000 characters.

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


def codes(text: str) -> numpy.ndarray:
    """The Unicode numbers of the characters of ``text``: uint32, (N,)."""
    return numpy.frombuffer(text.encode("utf-32-le", "surrogatepass"), numpy.dtype("<u4"))


def encode(text: str, vocabulary: str) -> Tensor:
    """The places of the characters of ``text`` in the sorted ``vocabulary``: int32, (N,).

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

    @classmethod
    def of(cls, text: str, held_out: float = 0.1) -> "Corpus":
        """Encode ``text``, with the last ``held_out`` of it (a fraction) held out.

        Raises:
            UserError: the text is too short for both parts to have a character.

        >>> corpus = Corpus.of("hello world", held_out=0.5)
        >>> corpus.vocabulary, corpus.start, corpus.training.tolist()
        (' dehlorw', 5, [3, 2, 4, 4, 5])
        """
        start = boundary(len(text), held_out)
        vocabulary = "".join(map(chr, numpy.unique(codes(text))))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return cls(encode(text, vocabulary), vocabulary, start, digest)

    def __len__(self) -> int:
        return len(self.ids)

    def windows(self, starts: Tensor, length: int) -> Tensor:
        """``length`` ids from each of ``starts`` on, (length, B)."""
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
    """The text of ``files``, or the default text when there are none, in memory if it is small.

    Raises:
        UserError: a file cannot be read, or is no text.
    """
    from .stream import Stream

    if sum(file.stat().st_size for file in files if file.is_file()) > LARGE:
        return Stream.of(files, held_out)
    return Corpus.of(load(files), held_out)


def load(files: Sequence[Path]) -> str:
    """The texts of ``files`` joined by a newline, or the default text when there are none."""
    return "\n".join(map(read, files)) if files else default()
