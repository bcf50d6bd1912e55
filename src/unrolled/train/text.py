"""Text as symbol ids, split into a training and a held-out part."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy
import torch
from torch import Tensor

from .errors import UserError


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
    if b"\0" in data:
        raise UserError(
            f"{file} is binary (a NUL byte at offset {data.index(0)}): a text file is expected"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        ) from error
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


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


def _codes(text: str) -> numpy.ndarray:
    return numpy.frombuffer(text.encode("utf-32-le", "surrogatepass"), numpy.dtype("<u4"))


def encode(text: str, vocabulary: str) -> Tensor:
    """The places of the characters of ``text`` in the sorted ``vocabulary``: int32, (N,).

    Raises:
        UserError: a character is not in the vocabulary.

    >>> encode("abba", "ab").tolist()
    [0, 1, 1, 0]
    """
    codes, known = _codes(text), _codes(vocabulary)
    ids = numpy.searchsorted(known, codes).clip(max=len(known) - 1)
    if (strange := known[ids] != codes).any():
        place = int(strange.argmax())
        raise UserError(
            f"the character {text[place]!r} at position {place} is not among the "
            f"{len(vocabulary)} of the vocabulary: {vocabulary!r}"
        )
    return torch.from_numpy(ids.astype(numpy.int32))


@final
@dataclass(frozen=True, eq=False)
class Corpus:
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
        start = int(len(text) * (1 - held_out))
        if not 0 < start < len(text):
            raise UserError(
                f"a text of {len(text)} characters leaves {start} to train on and "
                f"{len(text) - start} held out (--held-out {held_out}): both need at least 1"
            )
        vocabulary = "".join(map(chr, numpy.unique(_codes(text))))
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return cls(encode(text, vocabulary), vocabulary, start, digest)

    @property
    def training(self) -> Tensor:
        """The ids before ``start``."""
        return self.ids[: self.start]

    @property
    def held_out(self) -> Tensor:
        """The ids from ``start`` on."""
        return self.ids[self.start :]


def load(files: Sequence[Path]) -> str:
    """The texts of ``files`` joined by a newline, or the default text when there are none."""
    return "\n".join(map(read, files)) if files else default()
