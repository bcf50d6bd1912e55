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
        tokens: what it read, step by step; of a sequence that is cut, what is shown of it.
        values: by name, (T, H): every value that can be recorded.
        start: how many steps were read before the first one that is shown.
        total: how many steps the whole sequence has.
        loss: bits per character that the model needs for the whole sequence, where it was measured.
    """

    model: str
    graph: Graph
    tokens: Sequence[str]
    values: Mapping[str, ndarray]
    start: int = 0
    total: int = 0
    loss: float | None = None

    __repr__ = text_of
    _repr_html_ = page_of


class Fade(NamedTuple):
    """The shrinking of a gradient on its way back through time.

    Attributes:
        model: what it is, in words.
        derivative: which: a formula.
        sizes: (K,): the Frobenius norm of ds_T/ds_{T-k} for k = 0, 1, ..., relative to that at
            k = 0; the geometric mean over several T.
        where: which T, in words.
    """

    model: str
    derivative: str
    sizes: ndarray
    where: str

    @property
    def name(self) -> str:
        """The model with the derivative."""
        return f"{self.model}: {self.derivative}"

    __repr__ = text_of
    _repr_html_ = page_of


class Reading(NamedTuple):
    """A sentence that is read word by word to a class.

    Attributes:
        words: of the sentence.
        classes: their names.
        probabilities: (T, classes), after each word.
        code: how the model does it.
        sentences: how many it was trained on.
        is_known: whether this one was among them.
        seed: of its weights.
        steps: of its training.
    """

    words: Sequence[str]
    classes: Sequence[str]
    probabilities: ndarray
    code: str
    sentences: int
    is_known: bool
    seed: int
    steps: int

    __repr__ = text_of
    _repr_html_ = page_of


class Factors(NamedTuple):
    """The factors of a gradient, step by step.

    Attributes:
        model: what it is, in words.
        derivative: of one step, as a formula.
        whole: whether it is the whole Jacobian of all states, rather than one state's direct path.
        units: (T, S): the singular values of each step's Jacobian; of a direct path, (T, H), the
            size of the factor of every unit.
        product: (T,): the greatest singular value of the product of the steps up to each.
        start: how many steps were read before the first of these.
        total: how many steps the whole sequence has.
        where: which text was read, in words.
    """

    model: str
    derivative: str
    whole: bool
    units: ndarray
    product: ndarray
    start: int
    total: int
    where: str


class Direct(NamedTuple):
    """The factors by which the steps multiply a state on its direct path.

    Attributes:
        model: what it is, in words.
        state: which.
        factor: as an equation: ``f`` of an LSTM.
        tokens: T of them: what was read.
        values: (T, H).
        start: how many steps were read before the first of these.
        total: how many steps the whole sequence has.
    """

    model: str
    state: str
    factor: str
    tokens: Sequence[str]
    values: ndarray
    start: int
    total: int

    __repr__ = text_of
    _repr_html_ = page_of


class Terms(NamedTuple):
    """dC_t/dC_{t-1} and its products, term by term.

    Attributes:
        model: what it is, in words.
        state: which is differentiated.
        is_lstm: whether the equations are those of the usual LSTM, so that its formulas hold.
        tokens: what was read.
        names: of the terms.
        sizes: (T, terms): the Frobenius norm of every term, over the root of H.
        exact: (T,): that of the exact derivative of one step.
        around: (T,): that of what reaches a step from two steps before through other states, the
            output gate of an LSTM; not a number where there are no two steps before.
        errors: by number of steps k: how far the popular product and that of the direct terms
            are off, relative to the exact derivative: the median over all t shown that have k
            steps before them.
        start: how many steps were read before the first one that is shown.
        total: how many steps the whole sequence has.
    """

    model: str
    state: str
    is_lstm: bool
    tokens: Sequence[str]
    names: Sequence[str]
    sizes: ndarray
    exact: ndarray
    around: ndarray
    errors: Mapping[int, tuple[float, float]]
    start: int
    total: int

    __repr__ = text_of
    _repr_html_ = page_of


class Ways(NamedTuple):
    """The sizes of the four derivatives of each step of a cell with two states.

    All sizes are greatest singular values.

    Attributes:
        model: what it is, in words.
        states: the names, the lower row first; the upper one carries the memory.
        tokens: (T + 1,): what was read, from the step of the earliest states on.
        sizes: (T, states, states): of d later / d earlier.
        belt: of the product of the upper state's own derivatives, multiplied as matrices.
        exact: of the derivative of the last upper state by the first one, by all paths.
        start: how many steps were read before the first one that is shown.
        total: how many steps the whole sequence has.
    """

    model: str
    states: Sequence[str]
    tokens: Sequence[str]
    sizes: ndarray
    belt: float
    exact: float
    start: int
    total: int

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
        """Return a recording of T steps, and gradient × input, (T, start + T): how much of every
        input that was read, those before the recording among them, is in h_t.
        """
        ...

    def reading(self) -> Reading:
        """Return a sentence read to a class."""
        ...

    def fades(self) -> Sequence[Fade]:
        """Return gradients on their way back, for several models."""
        ...

    def trainings(self) -> Sequence[Fade]:
        """Return the same of runs; without runs, of small models at moments of their training."""
        ...

    def factors(self) -> Sequence[Factors]:
        """Return factors of two models: the whole Jacobians, and direct paths where there are."""
        ...

    def direct(self, limit: int) -> Direct:
        """Return the factors on the direct path of the state that carries the memory."""
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
