"""Which numbers in a cell's equations are hyperparameters, or computed from them by Python.

A cell's function sees numbers. It is followed again with others, which remember what is computed
from them: where those stand every time, the hyperparameters stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from ..graph.node import Node
from ..graph.operation import Operation
from ..graph.scalars import ARITHMETIC, LONGEST, equals, hyperparameter, text
from ..graph.written import Place, Written, matched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..graph.graph import Graph


def written(
    names: frozenset[str],
    graph: Graph,
    hyperparameters: Mapping[str, Any],
    again: Callable[[Mapping[str, Any]], Graph],
) -> Written:
    """Return what the author of a cell wrote and its graph does not hold.

    Args:
        names: that the author gave.
        graph: of the cell.
        hyperparameters: with what they are in it.
        again: returns the graph with other numbers for some of them.
    """
    seen: list[tuple[dict[Place, Node], bool]] = []
    for kinds in ((float, int), (float,)):  # a whole number may count the turns of a loop
        found = (
            _places(graph, hyperparameters, other, again)
            for other in _others(hyperparameters, kinds)
        )
        seen = [each for each in found if each is not None]
        if any(alike for _, alike in seen):
            seen = [each for each in seen if each[1]]
            break
    shown = {name: float(of) for name, of in hyperparameters.items() if type(of) in (float, int)}
    return Written(names, {}, shown).standing(_common([numbers for numbers, _ in seen]))


def _others(hyperparameters: Mapping[str, Any], kinds: tuple[type, ...]) -> list[dict[str, Any]]:
    """Return other numbers for hyperparameters: larger ones and smaller ones, far and close.

    What Python makes of all of them as it does of the first, it makes of any: max(a, 0.5) is a for
    larger ones alone. Where a function takes only numbers of a range, some are left.
    """
    numbers = {name: value for name, value in hyperparameters.items() if type(value) in kinds}
    return [
        {
            name: (whole if isinstance(value, int) else real)(value, place)
            for place, (name, value) in enumerate(numbers.items(), 1)
        }
        for whole, real in OTHERS
        if numbers
    ]


OTHERS: list[tuple[Callable[[int, int], int], Callable[[float, int], float]]] = [
    (lambda value, place: value * 2 + place + 11, lambda value, place: value * 2 + place + 1 / 81),
    (
        lambda value, place: value + place,
        lambda value, place: (value * 3 + 1) / 4 - place / 1024 if 0 < value < 1 else value * 1.5,
    ),
    (
        lambda value, place: value * 15 // 16 - place,
        lambda value, place: value / 7 - place / 1024,
    ),
    (
        lambda value, place: value + place,
        lambda value, place: value * (1 + place / 4096) + (0 if value else place / 2**20),
    ),
]
"""Other numbers for whole ones and for others, from them and their places: no two the same."""


def _common(seen: list[dict[Place, Node]]) -> dict[Place, Node]:
    """Return what was seen every time."""
    first, *others = seen or [{}]
    return {
        place: scalar
        for place, scalar in first.items()
        if all(other.get(place) is scalar for other in others)
    }


def _places(
    graph: Graph,
    hyperparameters: Mapping[str, Any],
    other: Mapping[str, Any],
    again: Callable[[Mapping[str, Any]], Graph],
) -> tuple[dict[Place, Node], bool] | None:
    """Return where hyperparameters stand, seen by other numbers for them, and whether the
    equations are else the same; None if the cell's function refuses these numbers.
    """
    arithmetic = Arithmetic()
    remembering = {name: arithmetic.hyperparameter(name, value) for name, value in other.items()}
    try:
        changed = again(remembering)
    except Exception:
        return None

    def scalar(number: Node, there: Node) -> Node | None:
        if there.operation is not number.operation:
            return None
        found = arithmetic.known.get(there.attribute)
        is_same = found is not None and equals(found, hyperparameters, number.attribute)
        return found if is_same else None

    states = graph.states
    return matched([graph.values[n] for n in states], [changed.values[n] for n in states], scalar)


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
