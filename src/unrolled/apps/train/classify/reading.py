"""What stands in the cells of a record, as the steps that a model reads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, final

import msgspec
import numpy
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor

from ....errors import UserError
from ....schema import Finite, Positive
from ....structures import Kind, Symbols, Vectors
from ..alphabet import Alphabet
from ..table.numerals import Numerals, numbers
from ..table.table import LINE, Cell, Table

if TYPE_CHECKING:
    import polars

Sequence: TypeAlias = str | NDArray[Any]
"""A text, or steps of numbers, float64 (T, I)."""


class StoredNumbers(msgspec.Struct, forbid_unknown_fields=True):
    """`Numbers` in a file."""

    mean: Annotated[tuple[Finite, ...], Meta(min_length=1)]
    scale: tuple[Positive, ...]


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """A reading in a file: one of the two."""

    text: Alphabet | None = None
    numbers: StoredNumbers | None = None


class Reading(ABC):
    """Abstract: how the cells of some columns become a sequence."""

    @property
    @abstractmethod
    def kind(self) -> Kind:
        """What the sequence consists of."""

    @abstractmethod
    def encode(self, raw: Any) -> Tensor:
        """The steps, (T,) symbols or (T, I) numbers, of a sequence as `Cells` read it."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All of it in what JSON knows."""


@final
@dataclass(frozen=True)
class Text(Reading):
    """A text, symbol by symbol."""

    alphabet: Alphabet

    @property
    def kind(self) -> Kind:
        """The symbols of the alphabet."""
        return Symbols(len(self.alphabet))

    def encode(self, raw: str) -> Tensor:
        """int64, (T,)."""
        return torch.tensor(self.alphabet.encode(raw), dtype=torch.int64)

    def to_json(self) -> dict[str, Any]:
        """All of it in what JSON knows."""
        return {"text": msgspec.to_builtins(self.alphabet)}


@final
@dataclass(frozen=True)
class Numbers(Reading):
    """Steps of numbers; each is scaled by what it is on the training part.

    Attributes:
        mean, scale: of each number of a step.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def of(cls, sequences: Iterable[Any], size: int) -> Numbers:
        """Mean and standard deviation over all steps; a number that never changes keeps its size.

        >>> Numbers.of([[[1.0, 5.0], [3.0, 5.0]]], 2)
        Numbers(mean=(2.0, 5.0), scale=(1.0, 1.0))
        """
        count, mean, square = 0, torch.zeros(size).double(), torch.zeros(size).double()
        for sequence in sequences:
            steps = torch.tensor(numpy.asarray(sequence, "float64")).view(-1, size)
            count += len(steps)
            distance = steps - mean
            mean = mean + distance.sum(0) / max(count, 1)
            square = square + (distance * (steps - mean)).sum(0)
        scale = (square.clamp(min=0) / max(count, 1)).sqrt()
        scale = scale.where(scale > 1e-9 * mean.abs(), torch.ones(())).clamp(min=1e-30)
        return cls(tuple(mean.tolist()), tuple(scale.tolist()))

    @property
    def kind(self) -> Kind:
        """Vectors."""
        return Vectors(len(self.mean))

    def encode(self, raw: Any) -> Tensor:
        """float32, (T, I)."""
        steps = torch.tensor(numpy.asarray(raw, "float64")).view(-1, len(self.mean))
        return ((steps - torch.tensor(self.mean)) / torch.tensor(self.scale)).float()

    def to_json(self) -> dict[str, Any]:
        """All of it in what JSON knows."""
        return {"numbers": {"mean": list(self.mean), "scale": list(self.scale)}}


def from_json(stored: Stored) -> Reading:
    """What `Reading.to_json` gave.

    Raises:
        ValueError, UserError: it is damaged.
    """
    if (stored.text is None) == (stored.numbers is None):
        raise ValueError("reading: expected either text or numbers")
    if stored.text is not None:
        return Text(stored.text)
    assert stored.numbers is not None
    mean, scale = stored.numbers.mean, stored.numbers.scale
    if len(mean) != len(scale):
        raise ValueError(f"reading.numbers: {len(mean)} means, but {len(scale)} scales")
    return Numbers(mean, scale)


@final
@dataclass(frozen=True)
class Cells:
    """Which cells of a record make its sequence.

    Attributes:
        columns: their names.
        text: whether the one column is read as text.
        step: how many numbers make a step, where each has a column of its own.
    """

    columns: tuple[str, ...]
    text: bool
    step: int = 1

    def sequences(self, table: Table, frame: polars.DataFrame) -> list[Sequence]:
        """Return the sequences of a chunk's records.

        Raises:
            UserError: a cell is empty or holds something else; the message names it.
        """
        places = [table.column(name) for name in self.columns]
        numerals = Numerals.of(table.format)
        if len(places) > 1:
            columns = [numerals.column(table, frame, place) for place in places]
            found = numpy.stack(columns, 1) if len(frame) else numpy.empty((0, len(places)))
            return list(found.reshape(len(frame), -1, self.step))
        read = self._text if self.text else self._list
        cells = zip(frame[LINE], frame[str(places[0])], strict=True)
        return [read(cell, numerals, partial(table.where, line, places[0])) for line, cell in cells]

    def _text(self, cell: Cell, numerals: Numerals, where: Callable[[], str]) -> str:
        if cell is None or numerals.marked(cell):
            raise UserError(f"{where()}: the cell is empty: a text is expected")
        return cell

    def _list(self, cell: Cell, numerals: Numerals, where: Callable[[], str]) -> NDArray[Any]:
        steps = numbers(cell, numerals)
        if steps is not None:
            return steps
        if numerals.missing(cell):
            raise UserError(f"{where()}: the cell is empty: a list of numbers is expected")
        raise UserError(
            f"{where()}: {str(cell)[:60]!r} is not a list of finite numbers, or of lists of as many"
        )
