"""One value of the equations: an operation on other values."""

from __future__ import annotations

import weakref
from collections.abc import Container
from numbers import Real
from typing import Any, ClassVar, NoReturn, final

from .. import locks
from ..errors import CellError
from . import limits
from .learned import Block, Layer, Learned, Size, Term  # noqa: F401  (older pickles name them here)
from .notation import expression
from .operation import Operation


class SymbolError(CellError):
    """A symbol was asked for something that only a number has."""

    def __init__(self, node: Node, message: str) -> None:
        super().__init__(message)
        self.node = node


@final
class Node:
    """An immutable value of the equations.

    Two nodes with the same operation, arguments and attribute are one object, so that equal
    subexpressions are computed once. Nodes take part in Python arithmetic: ``f * c + i * g``.
    """

    __slots__ = ("__weakref__", "arguments", "attribute", "operation")

    operation: Operation
    arguments: tuple[Node, ...]
    attribute: Any

    _known: ClassVar[weakref.WeakValueDictionary[tuple[Any, ...], Node]] = (
        weakref.WeakValueDictionary()
    )
    _lock: ClassVar = locks.Lock()

    def __new__(
        cls, operation: Operation, arguments: tuple[Node, ...] = (), attribute: Any = None
    ) -> Node:
        """Return the node of these parts, new or known."""
        # repr keeps 0.0 and -0.0 apart, and lets NaN be found again.
        label = repr(attribute) if isinstance(attribute, float) else attribute
        key = (operation, tuple(map(id, arguments)), label)
        with cls._lock():
            known = cls._known.get(key)
            if known is None:
                known = super().__new__(cls)
                object.__setattr__(known, "operation", operation)
                object.__setattr__(known, "arguments", arguments)
                object.__setattr__(known, "attribute", attribute)
                cls._known[key] = known
        return known

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"nodes are immutable: {name} cannot be set")

    def __reduce__(self) -> tuple[Any, ...]:
        return Node, (self.operation, self.arguments, self.attribute)

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Node:
        return self

    def __repr__(self) -> str:
        return f"<{expression(self)}>"

    # Arithmetic.

    def __add__(self, other: Value) -> Node:
        return binary(Operation.ADD, self, other)

    def __radd__(self, other: Value) -> Node:
        return binary(Operation.ADD, other, self)

    def __sub__(self, other: Value) -> Node:
        return binary(Operation.SUB, self, other)

    def __rsub__(self, other: Value) -> Node:
        return binary(Operation.SUB, other, self)

    def __mul__(self, other: Value) -> Node:
        return binary(Operation.MUL, self, other)

    def __rmul__(self, other: Value) -> Node:
        return binary(Operation.MUL, other, self)

    def __truediv__(self, other: Value) -> Node:
        return binary(Operation.DIV, self, other)

    def __rtruediv__(self, other: Value) -> Node:
        return binary(Operation.DIV, other, self)

    def __neg__(self) -> Node:
        return Node(Operation.NEG, (self,))

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return Node(Operation.ABS, (self,))

    def __pow__(self, power: object) -> Node:
        if not isinstance(power, int) or power < 1:
            raise SymbolError(
                self,
                f"a power must be a whole number of at least 1, got {cited(power)}: "
                "use exp and log",
            )
        if power > limits.POWER:
            raise SymbolError(
                self, f"a power must be at most {limits.POWER}, got {power!r}: use exp and log"
            )
        product = self
        for _ in range(power - 1):
            product = self * product
        return product

    def __matmul__(self, other: object) -> NoReturn:
        raise SymbolError(
            self,
            "a product with a matrix is a learned layer, which makes its own weight: write "
            "affine(v) or project(v)",
        )

    __rmatmul__ = __matmul__

    # Conditions.

    def __lt__(self, other: Value) -> Node:
        return binary(Operation.LESS, self, other)

    def __le__(self, other: Value) -> Node:
        return binary(Operation.LESS_EQUAL, self, other)

    def __gt__(self, other: Value) -> Node:
        return binary(Operation.LESS, other, self)

    def __ge__(self, other: Value) -> Node:
        return binary(Operation.LESS_EQUAL, other, self)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        raise SymbolError(self, "symbols cannot be compared with == or !=: use <, <=, > or >=")

    __hash__ = object.__hash__

    def __bool__(self) -> NoReturn:
        raise SymbolError(
            self,
            "a symbol has no value until the cell runs, so `if`, `and`, `or`, `not`, `min` and "
            "`max` cannot use it: write where(condition, a, b), minimum(a, b) or maximum(a, b)",
        )

    __array_ufunc__ = None  # a NumPy number on the left leaves the arithmetic to us


Value = Node | float | int
"""An operand of equations: a symbol or a number."""


def constant(value: float) -> Node:
    """Return the node of a number."""
    return Node(Operation.CONSTANT, (), float(value))


def symbol(value: object, user: str = "arithmetic") -> Node:
    """Return the node of a symbol or a number; raise CellError for anything else."""
    if isinstance(value, Node):
        return value
    if is_number(value):
        return constant(float(value))  # pyright: ignore[reportArgumentType]
    raise CellError(
        f"{user} takes symbols of a cell and numbers, got {cited(value)}{advice(value)}"
    )


def is_number(value: object) -> bool:
    """Return whether a value is one number that nothing can change later.

    NumPy's numbers are; an array or tensor is not, even of a single element: what is in it when the
    cell is made would be frozen in its equations, however it is trained or changed.
    """
    return isinstance(value, Real) or (hasattr(value, "__float__") and not _is_array(value))


def cited(value: object) -> str:
    """Return what a message says of an operand that is none: a number itself, else its type."""
    return repr(value) if isinstance(value, Real) else type(value).__name__


def advice(value: object) -> str:
    """Return what to write in place of an array, a module or the like, to end a message with."""
    if not _is_array(value) and not hasattr(value, "parameters"):
        return ""
    return (
        ": its numbers would be frozen in the equations. What the cell is to learn is made in it, "
        "by scalar(), vector() or affine(); a fixed number is a Python float (value.item()) or a "
        "keyword-only hyperparameter"
    )


def _is_array(value: object) -> bool:
    """Return whether a value is an array of numbers, in whatever library."""
    kinds = ("ndim", "shape", "__array__", "__torch_function__", "__dlpack__")
    return any(hasattr(value, kind) for kind in kinds)


def binary(operation: Operation, a: Value, b: Value) -> Node:
    """Return an operation with two arguments, either of which may be a number."""
    return Node(operation, (symbol(a), symbol(b)))


def where(condition: Node, a: Value, b: Value) -> Node:
    """Return `a` where the condition holds, else `b`, unit by unit: ``where(f > 0.5, f, 0)``."""
    arguments = (symbol(value, "where()") for value in (condition, a, b))
    return Node(Operation.SELECT, tuple(arguments))


def mean(value: Value) -> Node:
    """Return the mean over the units; one number for each row."""
    value = symbol(value, "mean()")
    return Node(Operation.SUM, (value,)) / Node(Operation.DIMENSION, (value,))


def ordered(
    roots: list[Node] | tuple[Node, ...], known: Container[Node] = frozenset()
) -> list[Node]:
    """Return all nodes below `roots`, arguments before users; raise CellError if they run in a
    circle.

    Without those that are known and what is only below these.
    """
    order: list[Node] = []
    seen: dict[Node, bool] = {}  # False while a node's arguments are being walked
    stack = [(root, False) for root in reversed(roots)]
    while stack:
        node, finished = stack.pop()
        if finished:
            seen[node] = True
            order.append(node)
        elif node not in seen and node not in known:
            seen[node] = False
            stack.append((node, True))
            for argument in reversed(node.arguments):
                if not seen.get(argument, True):
                    raise CellError(
                        f"cyclic use: {argument.operation.value} depends on its own value"
                    )
                stack.append((argument, False))
    return order
