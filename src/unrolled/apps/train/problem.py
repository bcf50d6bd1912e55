"""What a model was made to answer: all that is needed to use it, without its data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

if TYPE_CHECKING:
    from typing_extensions import Self

    from ...equations import Cell
    from .settings import Settings


class Problem(ABC):
    """A vocabulary, the names of classes, the scaling of a series: what gives numbers a meaning.

    It stands as JSON in the header of every checkpoint, so that a run can be used without its
    data. Subclasses are frozen dataclasses: equal if they ask for the same.

    Attributes:
        kind: its name in checkpoints; see `unrolled.apps.train.problems`.
        data: what it is learned from, in a word for messages: text, table, …
    """

    kind: ClassVar[str]
    data: ClassVar[str]

    @abstractmethod
    def model(self, settings: Settings, cell: Cell) -> nn.Module:
        """A new model, with weights drawn from PyTorch's generator.

        Raises:
            UserError: there is no memory for it.
        """

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All of it in what JSON knows."""

    @classmethod
    @abstractmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            LookupError, TypeError, ValueError, UserError: it is damaged.
        """

    def carried(self, model: nn.Module, settings: Settings) -> dict[str, tuple[int, ...]]:
        """The shapes of the states that go from batch to batch, by name; none unless said."""
        return {}
