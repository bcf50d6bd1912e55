"""The language of cells: functions of symbols, and the learned parts.

Every function takes symbols or numbers. Numbers alone are allowed wherever symbols are; the
learned parts (`affine`, `project`, `vector`, `scalar`, `layer_norm`) only make sense while a cell
is being traced, that is, in a function under ``@unrolled.cell``.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, final

from ..errors import CellError
from ..graph.learned import Size
from ..graph.node import Node, Value, advice, binary, cited, is_number, symbol
from ..graph.node import mean as mean
from ..graph.node import where as where
from ..graph.operation import EPSILON, Operation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType


WORDS = (
    *("abs", "affine", "exp", "layer_norm", "log", "log_sigmoid", "maximum", "mean", "minimum"),
    *("normalize", "project", "relu", "scalar", "sigmoid", "sqrt", "tanh", "vector", "where"),
)
"""The functions of the language."""


class Call(NamedTuple):
    """A learned part as it stands in the function, before it has a name and rows."""

    cell: str
    place: int  # in the order of appearance
    role: str  # what its name begins with when the function does not name it
    size: Size | None
    bias: bool = False
    init: float | None = None


class Site(NamedTuple):
    """Where in the function a learned part is made.

    Attributes:
        user: the function of the language that makes it.
        line: of the cell's own function; None where that is not known.
        path: the instruction of each function on the way from the cell's own; two parts with one
            path are made by one line that runs twice.
    """

    user: str
    line: int | None
    path: tuple[tuple[CodeType, int], ...]


@final
class Calls:
    """Counts the learned parts of the cell that is being traced.

    Attributes:
        cell: its name.
        sites: for each learned part, in order of appearance, where it is made.
    """

    def __init__(self, cell: str, code: CodeType | None) -> None:
        self.cell = cell
        self.sites: list[Site] = []
        self._code = code

    def next(
        self,
        user: str,
        role: str,
        size: Size | None,
        bias: bool = False,
        init: float | None = None,
    ) -> Call:
        """Return the next learned part, in order of appearance, made for the caller's caller."""
        self.sites.append(self._site(user))
        return Call(self.cell, len(self.sites) - 1, role, size, bias, init)

    def _site(self, user: str) -> Site:
        """Return where the caller of `user` stands, two calls above that of `next`."""
        frame, path = inspect.currentframe(), []
        for _ in range(3):
            frame = frame.f_back if frame is not None else None
        while frame is not None:
            path.append((frame.f_code, frame.f_lasti))
            if frame.f_code is self._code:
                return Site(user, frame.f_lineno, tuple(path))
            frame = frame.f_back
        return Site(user, None, tuple(path))


_calls: ContextVar[Calls | None] = ContextVar("calls", default=None)


@contextmanager
def tracing(cell: str, code: CodeType | None = None) -> Iterator[Calls]:
    """Let learned parts belong to `cell`, whose function has this code, while this is open."""
    calls = Calls(cell, code)
    token = _calls.set(calls)
    try:
        yield calls
    finally:
        _calls.reset(token)


def _current(user: str) -> Calls:
    calls = _calls.get()
    if calls is None:
        raise CellError(f"{user}() makes a learned part of a cell: use it under @unrolled.cell")
    return calls


def _source(value: object, user: str) -> Node:
    """Return what a learned layer reads; raise CellError for anything but a symbol."""
    if not isinstance(value, Node):
        plural = "symbols" if user == "affine" else "a symbol"
        got = cited(value) + advice(value) if advice(value) else repr(value)
        raise CellError(f"{user}() takes {plural} of a cell, got {got}")
    return value


def _number(value: object, what: str) -> float:
    """Return a number that is part of the equations; raise CellError for anything else."""
    if isinstance(value, Node) or not is_number(value):
        raise CellError(f"{what} must be a number, got {cited(value)}{advice(value)}")
    return float(value)  # pyright: ignore[reportArgumentType]


# Learned parts.


def affine(*sources: Node, bias: bool = True) -> Node:
    """Return a learned layer: the sum of ``W source + b`` over its sources, H units.

    The order in which layers appear is the order of their rows in ``weight_ih`` (reading the
    input), ``weight_hh`` (reading the state h) and ``weight_{v}h`` (reading any other value v),
    as in `torch.nn.LSTM`.

    Args:
        sources: the input, states, or values computed in the same step.
        bias: whether the layer adds a learned vector for each source.

    Raises:
        CellError: without a source, with a source that is a number, or with one twice.
    """
    calls = _current("affine")
    if not sources:
        raise CellError("affine() needs at least one source, such as affine(x, h)")
    for source in sources:
        _source(source, "affine")
    if len(set(sources)) < len(sources):
        raise CellError("affine() reads each of its sources once: affine(x, x) is affine(x)")
    return Node(Operation.AFFINE, sources, calls.next("affine", "affine", "hidden", bias))


def project(source: Node) -> Node:
    """Return a learned layer without bias onto the P units of a projection (Sak et al. 2014)."""
    calls = _current("project")
    source = _source(source, "project")
    return Node(Operation.AFFINE, (source,), calls.next("project", "project", "projection"))


def vector(init: float | None = None) -> Node:
    """Return a learned vector, one number for each unit of what it is combined with.

    Args:
        init: its value at the start; without one it is drawn like the weights.
    """
    calls = _current("vector")
    init = None if init is None else _number(init, "vector(): the value at the start")
    return Node(Operation.LEARNED, (), calls.next("vector", "vector", None, init=init))


def scalar(init: float | None = None) -> Node:
    """Return a learned number, shared by all units.

    Args:
        init: its value at the start; without one it is drawn like the weights.
    """
    calls = _current("scalar")
    init = None if init is None else _number(init, "scalar(): the value at the start")
    return Node(Operation.LEARNED, (), calls.next("scalar", "scalar", "one", init=init))


def layer_norm(value: Value) -> Node:
    """Normalise over the units, with learned gain and offset (Ba et al. 2016)."""
    calls = _current("layer_norm")
    gain = Node(Operation.LEARNED, (), calls.next("layer_norm", "norm_weight", None, init=1.0))
    offset = Node(Operation.LEARNED, (), calls.next("layer_norm", "norm_bias", None, init=0.0))
    return normalize(value) * gain + offset


# Pointwise functions.


def sigmoid(value: Value) -> Node:
    """Return 1 / (1 + exp(-value)), in (0, 1)."""
    return Node(Operation.SIGMOID, (symbol(value, "sigmoid()"),))


def tanh(value: Value) -> Node:
    """Return the hyperbolic tangent, in (-1, 1)."""
    return Node(Operation.TANH, (symbol(value, "tanh()"),))


def relu(value: Value) -> Node:
    """Return the value where it is positive, else 0."""
    return Node(Operation.RELU, (symbol(value, "relu()"),))


def exp(value: Value) -> Node:
    """Return e to the power of the value."""
    return Node(Operation.EXP, (symbol(value, "exp()"),))


def log(value: Value) -> Node:
    """Return the natural logarithm."""
    return Node(Operation.LOG, (symbol(value, "log()"),))


def sqrt(value: Value) -> Node:
    """Return the square root."""
    return Node(Operation.SQRT, (symbol(value, "sqrt()"),))


def abs(value: Value) -> Node:
    """Return the absolute value."""
    return Node(Operation.ABS, (symbol(value, "abs()"),))


def minimum(a: Value, b: Value) -> Node:
    """Return the smaller of two values, unit by unit."""
    return binary(Operation.MINIMUM, a, b)


def maximum(a: Value, b: Value) -> Node:
    """Return the larger of two values, unit by unit."""
    return binary(Operation.MAXIMUM, a, b)


def log_sigmoid(value: Value) -> Node:
    """Return log(sigmoid(value)), without overflow."""
    return minimum(value, 0) - log(1 + exp(-abs(value)))


# Functions over the units of one row.


def normalize(value: Value, epsilon: float = EPSILON) -> Node:
    """Return the value shifted and scaled to mean 0 and variance 1 over its units."""
    epsilon = _number(epsilon, "normalize(): epsilon")
    return Node(Operation.NORMALIZE, (symbol(value, "normalize()"),), epsilon)
