"""The problem of predicting the next character."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

from torch import nn

from ...equations import Cell
from ...schema import checked
from .model import CharacterModel, build
from .problem import Problem
from .settings import Settings


@final
@dataclass(frozen=True)
class Characters(Problem):
    """Which characters there are.

    Attributes:
        vocabulary: the distinct characters, sorted: the model's symbols are their places.

    >>> Characters.from_json(Characters("abc").to_json())
    Characters(vocabulary='abc')
    """

    kind: ClassVar[str] = "text"
    data: ClassVar[str] = "text"
    vocabulary: str

    def model(self, settings: Settings, cell: Cell) -> CharacterModel:
        """A character model."""
        return build(settings, cell, self.vocabulary)

    def to_json(self) -> dict[str, Any]:
        """The vocabulary."""
        return {"vocabulary": self.vocabulary}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Characters:
        """What `to_json` gave."""
        found = checked(stored, cls)
        if not found.vocabulary or "".join(sorted(set(found.vocabulary))) != found.vocabulary:
            raise ValueError("vocabulary: expected sorted characters, each once, at least one")
        found.vocabulary.encode()  # no halves of characters
        return found

    def carried(self, model: nn.Module, settings: Settings) -> dict[str, tuple[int, ...]]:
        """Those of the recurrent layers, with a row for each stream."""
        assert isinstance(model, CharacterModel)
        return model.carried(settings.batch)
