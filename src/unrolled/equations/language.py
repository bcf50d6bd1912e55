"""The language of cells: functions of symbols, and the learned parts.

Every function takes symbols or numbers. Numbers alone are allowed wherever symbols are; the
learned parts (`affine`, `project`, `vector`, `scalar`, `layer_norm`) only make sense while a cell
is being traced, that is, in a function under ``@unrolled.cell``.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, final

from ..errors import CellError
from ..graph.learned import Size
from ..graph.node import Node, Value, binary, symbol
from ..graph.node import mean as mean
from ..graph.node import where as where
from ..graph.operation import EPSILON, Operation

if TYPE_CHECKING:
    from collections.abc import Iterator


class Call(NamedTuple):
    """A learned part as it stands in the function, before it has a name and rows."""

    cell: str
    place: int  # in the order of appearance
    role: str  # what its name begins with when the function does not name it
    size: Size | None
    bias: bool = False
    init: float | None = None


@final
class Calls:
    """Counts the learned parts of the cell that is being traced."""

    def __init__(self, cell: str) -> None:
        self.cell = cell
        self.count = 0

    def next(
        self, role: str, size: Size | None, bias: bool = False, init: float | None = None
    ) -> Call:
        """Return the next learned part, in order of appearance."""
        self.count += 1
        return Call(self.cell, self.count - 1, role, size, bias, init)


_calls: ContextVar[Calls | None] = ContextVar("calls", default=None)


@contextmanager
def tracing(cell: str) -> Iterator[Calls]:
    """Let learned parts belong to `cell` while this is open."""
    calls = Calls(cell)
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
        if not isinstance(source, Node):
            raise CellError(f"affine() takes symbols of a cell, got {source!r}")
    if len(set(sources)) < len(sources):
        raise CellError("affine() reads each of its sources once: affine(x, x) is affine(x)")
    return Node(Operation.AFFINE, sources, calls.next("affine", "hidden", bias))


def project(source: Node) -> Node:
    """Return a learned layer without bias onto the P units of a projection (Sak et al. 2014)."""
    calls = _current("project")
    if not isinstance(source, Node):
        raise CellError(f"project() takes a symbol of a cell, got {source!r}")
    return Node(Operation.AFFINE, (source,), calls.next("project", "projection"))


def vector(init: float | None = None) -> Node:
    """Return a learned vector, one number for each unit of what it is combined with.

    Args:
        init: its value at the start; without one it is drawn like the weights.
    """
    return Node(Operation.LEARNED, (), _current("vector").next("vector", None, init=init))


def scalar(init: float | None = None) -> Node:
    """Return a learned number, shared by all units.

    Args:
        init: its value at the start; without one it is drawn like the weights.
    """
    return Node(Operation.LEARNED, (), _current("scalar").next("scalar", "one", init=init))


def layer_norm(value: Value) -> Node:
    """Normalise over the units, with learned gain and offset (Ba et al. 2016)."""
    calls = _current("layer_norm")
    gain = Node(Operation.LEARNED, (), calls.next("norm_weight", None, init=1.0))
    offset = Node(Operation.LEARNED, (), calls.next("norm_bias", None, init=0.0))
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
    return Node(Operation.NORMALIZE, (symbol(value, "normalize()"),), float(epsilon))
