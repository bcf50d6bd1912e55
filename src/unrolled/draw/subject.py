"""The subject of a drawing: a cell, the numbers of a model, the words of its labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, final

from ..display import page_of, text_of
from ..errors import DrawError
from .words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy import ndarray

    from ..equations import Cell
    from ..graph.graph import Graph


class Story(NamedTuple):
    """The values that a model computed while it read one sequence.

    Attributes:
        model: what it is, in words.
        graph: the equations of its cell.
        tokens: what it read, step by step.
        values: by name, (T, H): every value that can be recorded.
    """

    model: str
    graph: Graph
    tokens: Sequence[str]
    values: Mapping[str, ndarray]

    __repr__ = text_of
    _repr_html_ = page_of


class Fade(NamedTuple):
    """The shrinking of a gradient on its way back through time.

    Attributes:
        model: what it is, in words.
        sizes: (K,): the size of dh_T/dh_{T-k} for k = 0, 1, ...
    """

    model: str
    sizes: ndarray

    __repr__ = text_of
    _repr_html_ = page_of


class Reading(NamedTuple):
    """A sentence that is read word by word to a class.

    Attributes:
        words: of the sentence.
        classes: their names.
        probabilities: (T, classes), after each word.
        code: how the model does it.
    """

    words: Sequence[str]
    classes: Sequence[str]
    probabilities: ndarray
    code: str

    __repr__ = text_of
    _repr_html_ = page_of


class Factors(NamedTuple):
    """The factors of a gradient, step by step.

    Attributes:
        model: what it is, in words.
        sizes: (T,): the greatest singular value of each step's Jacobian.
        units: (T, H): the factor of every unit on the direct path; for a cell without one, the
            slope of its activation.
        product: (T,): the greatest singular value of the product of the steps up to each.
    """

    model: str
    sizes: ndarray
    units: ndarray
    product: ndarray

    __repr__ = text_of
    _repr_html_ = page_of


class Terms(NamedTuple):
    """dC_t/dC_{t-1} and its products, term by term.

    Attributes:
        model: what it is, in words.
        tokens: what was read.
        names: of the terms.
        sizes: (T, terms): the Frobenius norm of every term, over the root of H.
        exact: (T,): that of the exact derivative of one step.
        around: (T,): that of what reaches a step from two steps before through the output gate.
        errors: by number of steps k: how far the popular product and that of the direct terms
            are off, relative to the exact derivative.
    """

    model: str
    tokens: Sequence[str]
    names: Sequence[str]
    sizes: ndarray
    exact: ndarray
    around: ndarray
    errors: Mapping[int, tuple[float, float]]

    __repr__ = text_of
    _repr_html_ = page_of


class Ways(NamedTuple):
    """The sizes of the four derivatives of each step of a cell with two states.

    Attributes:
        model: what it is, in words.
        states: the names, the lower row first.
        sizes: (T, states, states): the norm of d later / d earlier.
    """

    model: str
    states: Sequence[str]
    sizes: ndarray

    __repr__ = text_of
    _repr_html_ = page_of


class Numbers(Protocol):
    """A source of the numbers of a picture."""

    def story(self, limit: int, cell: str | None = None, text: str | None = None) -> Story:
        """Return a recording of at most `limit` steps; of `text` unless a user gave another."""
        ...

    def stories(self, limit: int) -> Sequence[Story]:
        """Return recordings of one sequence at several moments of a training."""
        ...

    def influence(self, limit: int) -> tuple[Story, ndarray]:
        """Return a recording and (T, T): how much of input s is in h_t, by gradient × input."""
        ...

    def reading(self) -> Reading:
        """Return a sentence read to a class."""
        ...

    def fades(self) -> Sequence[Fade]:
        """Return gradients on their way back, for several models."""
        ...

    def factors(self) -> Sequence[Factors]:
        """Return factors of a simple network and of one with a cell state."""
        ...

    def terms(self, limit: int) -> Terms:
        """Return the terms of dC_t/dC_{t-1}."""
        ...

    def ways(self, limit: int) -> Ways:
        """Return the derivatives between the states of neighbouring steps."""
        ...


@final
class NoNumbers:
    """Stands where no model is at hand."""

    def __getattr__(self, name: str) -> object:
        raise DrawError("this drawing shows a model's numbers: give it some")


@final
@dataclass(frozen=True)
class Subject:
    """The subject of a drawing.

    Attributes:
        cell: to be drawn instead of the drawing's own.
        numbers: of a model.
        words: of the labels.
    """

    cell: Cell | None = None
    numbers: Numbers = field(default_factory=NoNumbers)  # pyright: ignore[reportAssignmentType]
    words: Words = field(default_factory=Words)

    __repr__ = text_of
    _repr_html_ = page_of
