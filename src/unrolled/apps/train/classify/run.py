"""A run of `unrolled train classify`, in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final, overload

import numpy
from numpy.typing import NDArray

from ....display import counted, text_of
from ..batch import padded
from ..run import Run, require_finite
from ..task import evaluating
from .problem import Classification
from .sequences import sequences

CHUNK = 256
"""How many sequences the model reads at a time."""


class Prediction(NamedTuple):
    """The likeliest class of a sequence, and its probability."""

    label: str
    probability: float


@final
@dataclass(frozen=True, eq=False)
class Predictions(Sequence[Prediction]):
    """The classes of N sequences, one `Prediction` each.

    Attributes:
        classes: all C there are.
        probabilities: of each class for each sequence: float32, (N, C).
    """

    classes: tuple[str, ...]
    probabilities: NDArray[Any]

    __repr__ = text_of

    @property
    def labels(self) -> list[str]:
        """The likeliest class of each sequence."""
        return [self.classes[place] for place in self.probabilities.argmax(1)]

    def __len__(self) -> int:
        return len(self.probabilities)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        if isinstance(index, slice):
            return Predictions(self.classes, self.probabilities[index])
        row = self.probabilities[index]
        place = int(row.argmax())
        return Prediction(self.classes[place], float(row[place]))


@final
class ClassifyRun(Run[Classification]):
    """A model that tells the class of a sequence."""

    PROBLEM: ClassVar = Classification
    DOES: ClassVar = "classifies"

    @property
    def reads(self) -> str:
        """What the model reads, in words."""
        cells, kind = self.problem.cells, self.problem.reading.kind
        if cells.text:
            return f"texts, the column {cells.columns[0]!r}"
        each = counted(kind.width, "numbers")
        if len(cells.columns) == 1:
            return f"lists of steps of {each}, the column {cells.columns[0]!r}"
        first, last = cells.columns[0], cells.columns[-1]
        return f"{len(cells.columns)} columns of numbers, {first!r} to {last!r}, {each} a step"

    @property
    def writes(self) -> str:
        """What it answers, in words."""
        classes = self.problem.classes
        names = ", ".join(map(repr, classes[:10])) + (", …" if len(classes) > 10 else "")
        return f"the class {self.problem.label!r}, one of {len(classes)}: {names}"

    def predict(self, sequences: Any) -> Predictions:
        """Tell the classes of sequences, with their probabilities.

        Args:
            sequences: one or several, of which of long ones the end is read: texts; numbers in
                arrays, tensors or lists; or a table with the columns that the run reads, as a
                mapping or a data frame. Of numbers (T, I) are one sequence, (N, T, I) are N of
                them; if a step is one number, so are (T,) and (N, T); if a sequence stands in C
                columns of a table, so are (C,) and (N, C).

        Returns:
            One `Prediction` for each sequence, also if it is one.

        Raises:
            UserError: they are something else, do not fit the run, or the probabilities are not
                finite.
        """
        rows = self._encoded(sequences)
        found = [numpy.empty((0, len(self.problem.classes)), "float32")]
        for start in range(0, len(rows), CHUNK):
            with evaluating(self.model) as device:
                input, lengths = padded(rows[start : start + CHUNK])
                chances = self.model(input.to(device), lengths=lengths)[0].softmax(-1)
            require_finite(chances, "probabilities")
            found.append(chances.cpu().numpy())
        return Predictions(self.problem.classes, numpy.concatenate(found))

    def encode(self, sequences: Any) -> list[NDArray[Any]]:
        """Return the hidden states of the last layer over sequences.

        Args:
            sequences: as those of `predict`.

        Returns:
            For each sequence float32 (T, H): a row after every step; from the last one the class is
            told.

        Raises:
            UserError: they do not fit the run.
        """
        rows = self._encoded(sequences)
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        layers = self.model.recurrent
        return [states for chunk in chunks for states in self._hidden(layers, chunk)]

    def _encoded(self, given: Any) -> list[Any]:
        return [self.problem.encode(sequence) for sequence in sequences(self.problem, given)]
