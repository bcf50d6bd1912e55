"""The part of a batch that is worked through at one place and time."""

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Share:
    """One of ``of`` equal parts of every batch: of a process, and of its turns if it takes several.

    >>> Share(1, 4).rows(8), Share().rows(8)
    (range(2, 4), range(0, 8))
    """

    index: int = 0
    of: int = 1

    def rows(self, batch: int) -> range:
        """Which rows of a batch are this share's; ``batch`` is a multiple of ``of``."""
        size = batch // self.of
        return range(self.index * size, (self.index + 1) * size)
