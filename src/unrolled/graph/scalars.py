"""Numbers that are computed from hyperparameters, such as 1 - alpha: as text, and their values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import CellError
from .learned import Learned
from .limits import short
from .node import Node, ordered
from .notation import NOTATION, Writer
from .operation import Operation

ARITHMETIC: dict[Operation, Callable[..., Any]] = {
    Operation.ADD: operator.add,
    Operation.SUB: operator.sub,
    Operation.MUL: operator.mul,
    Operation.DIV: operator.truediv,
    Operation.NEG: operator.neg,
}
"""What such a number may be computed with."""

LONGEST = 200
"""Letters of such a number as text."""


def hyperparameter(name: str) -> Node:
    """Return a hyperparameter as it is printed: as a number that is learned would be."""
    return Node(Operation.LEARNED, (), Learned(name, "one", None))


def is_scalar(node: Node) -> bool:
    """Return whether a node is a number: written down, learned, or computed from such numbers."""
    waiting, left = [node], LONGEST
    while waiting and left:
        node, left = waiting.pop(), left - 1
        if node.operation is Operation.LEARNED:
            if node.attribute.size != "one":
                return False
        elif node.operation is not Operation.CONSTANT and node.operation not in ARITHMETIC:
            return False
        waiting += node.arguments
    return not waiting


def leaves_of(scalars: Iterable[Node]) -> set[str]:
    """Return the hyperparameters that numbers are computed from.

    >>> leaves_of([1 - hyperparameter("alpha")])
    {'alpha'}
    """
    below = ordered(list(scalars))
    return {node.attribute.name for node in below if node.operation is Operation.LEARNED}


def value(scalar: Node, hyperparameters: Mapping[str, float]) -> float:
    """Return what a number is; raise ArithmeticError where it is none, LookupError for an unknown
    hyperparameter.

    >>> value(1 - hyperparameter("alpha"), {"alpha": 0.25})
    0.75
    """
    if scalar.operation is Operation.CONSTANT:
        return scalar.attribute
    if scalar.operation is Operation.LEARNED:
        return hyperparameters[scalar.attribute.name]
    arguments = (value(argument, hyperparameters) for argument in scalar.arguments)
    return ARITHMETIC[scalar.operation](*arguments)


def equals(scalar: Node, hyperparameters: Mapping[str, float], number: float) -> bool:
    """Return whether a number comes to another one, bit for bit.

    >>> equals(1 - hyperparameter("alpha"), {"alpha": 0.25}, 0.75)
    True
    """
    try:
        return value(scalar, hyperparameters) == number
    except (ArithmeticError, LookupError):
        return False


def text(scalar: Node) -> str:
    """Return a number as code.

    >>> text((1 - hyperparameter("alpha")) / 2)
    '(1 - alpha) / 2'
    """
    return Writer(NOTATION, "({})", lambda _: None).operand(scalar)


def parse(code: str) -> Node:
    """Return what `text` gave; raise CellError for anything else.

    >>> text(parse("(1 - alpha) / 2"))
    '(1 - alpha) / 2'
    """
    try:
        if len(code) > LONGEST:
            raise ValueError("too long")
        found = _read(ast.parse(code, mode="eval").body)
        if text(found) != code:
            raise ValueError("otherwise than it is written here")
        return found
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise CellError(f"no number computed from hyperparameters: {short(code)}") from None


BY_SYNTAX: dict[type[ast.AST], Operation] = {
    ast.Add: Operation.ADD,
    ast.Sub: Operation.SUB,
    ast.Mult: Operation.MUL,
    ast.Div: Operation.DIV,
}


def _read(code: ast.expr) -> Node:
    match code:
        case ast.Name(name) if name != "__debug__":
            return hyperparameter(name)
        case ast.Constant(float() | int() as number) if not isinstance(number, bool):
            return Node(Operation.CONSTANT, (), float(number))
        case ast.BinOp(left, operation, right) if type(operation) in BY_SYNTAX:
            return Node(BY_SYNTAX[type(operation)], (_read(left), _read(right)))
        case ast.UnaryOp(ast.USub(), ast.Constant(float() | int() as number)):
            return Node(Operation.CONSTANT, (), -float(number))
        case ast.UnaryOp(ast.USub(), below):
            return Node(Operation.NEG, (_read(below),))
    raise ValueError("neither name, number nor arithmetic")
