"""Hyperparameters that remember what Python computes from them before a cell sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from ..graph.node import Node
from ..graph.operation import Operation
from ..graph.scalars import ARITHMETIC, LONGEST, hyperparameter, text


@final
class Arithmetic:
    """What was computed from some hyperparameters.

    >>> arithmetic = Arithmetic()
    >>> alpha = arithmetic.hyperparameter("alpha", 0.25)
    >>> 1 - alpha, text(arithmetic.known[0.75])
    (0.75, '1 - alpha')

    Attributes:
        known: how a number was computed, by the number.
    """

    def __init__(self) -> None:
        self.known: dict[float, Node] = {}

    def hyperparameter(self, name: str, value: Any) -> Any:
        """Return a number that is equal to `value`, and tells what is computed from it."""
        return self.number(value, hyperparameter(name))

    def number(self, value: Any, scalar: Node) -> Any:
        """Return a number that is equal to `value`, and knows that it was computed so."""
        if len(text(scalar)) > LONGEST:
            return value
        self.known.setdefault(float(value), scalar)
        kind = WholeNumber if isinstance(value, int) else Number
        return kind(value).computed(self, scalar)


def _operation(operation: Operation) -> Callable[..., Any]:
    """Return a method that computes, and remembers what it computed."""

    def method(one: Computed, *others: Any) -> Any:
        return one.combined(operation, one, *others)

    return method


def _reflected(operation: Operation) -> Callable[..., Any]:
    """Return the method of an operation for the number on its right."""

    def method(one: Computed, other: Any) -> Any:
        return one.combined(operation, other, one)

    return method


class Computed:
    """Abstract: a number that remembers how it was computed."""

    arithmetic: Arithmetic
    scalar: Node

    def computed(self, arithmetic: Arithmetic, scalar: Node) -> Computed:
        """Set how the number was computed; return it."""
        self.arithmetic, self.scalar = arithmetic, scalar
        return self

    def combined(self, operation: Operation, *numbers: Any) -> Any:
        """Return what an operation makes of numbers; of anything else, what Python says of it."""
        if not all(isinstance(each, (int, float)) for each in numbers):
            return NotImplemented
        scalars = [
            each.scalar if isinstance(each, Computed) else Node(Operation.CONSTANT, (), float(each))
            for each in numbers
        ]
        plain = [int(each) if isinstance(each, int) else float(each) for each in numbers]
        result = ARITHMETIC[operation](*plain)
        return self.arithmetic.number(result, Node(operation, tuple(scalars)))

    __add__, __radd__ = _operation(Operation.ADD), _reflected(Operation.ADD)
    __sub__, __rsub__ = _operation(Operation.SUB), _reflected(Operation.SUB)
    __mul__, __rmul__ = _operation(Operation.MUL), _reflected(Operation.MUL)
    __truediv__, __rtruediv__ = _operation(Operation.DIV), _reflected(Operation.DIV)
    __neg__ = _operation(Operation.NEG)


@final
class Number(Computed, float):
    """A float that remembers how it was computed."""


@final
class WholeNumber(Computed, int):
    """An int that remembers how it was computed, and still counts the turns of a loop."""
