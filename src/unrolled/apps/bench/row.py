"""A line of the table: a piece of work at one shape."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .contender import Contest
from .rival import Rival
from .shape import Shape


@dataclass(frozen=True)
class Row(ABC):
    """Abstract: what is timed.

    Attributes:
        kind: by which a user asks for it.
        cell: whose work it is.
        shape: of the work.
    """

    kind: ClassVar[str]

    cell: str
    shape: Shape

    @property
    @abstractmethod
    def title(self) -> str:
        """Over rows that differ in shape alone."""

    @abstractmethod
    def contest(self, rivals: Sequence[Rival]) -> Contest:
        """Make everything that is needed to do the work."""
