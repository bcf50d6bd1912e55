"""Where the characters of a text come from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from ...errors import UserError


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
        """``length`` ids from each of ``starts`` on: int32, (length, B); after the end, the last.

        Args:
            starts: places in the text: int64, (B,).
            length: of each window.
        """


def boundary(length: int, held_out: float) -> int:
    """Where the last ``held_out`` of a text of ``length`` characters begins.

    Raises:
        UserError: the text is too short for both parts to have a character.

    >>> boundary(10, 0.2)
    8
    """
    start = int(length * (1 - held_out))
    if not 0 < start < length:
        raise UserError(
            f"a text of {length} characters leaves {start} to train on and "
            f"{length - start} held out (--held-out {held_out}): both need at least 1"
        )
    return start
