"""What the author of a cell wrote and its equations do not hold: names, and how numbers came."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from .node import Node
from .operation import Operation
from .scalars import leaves_of

Place = tuple[Node, int]
"""A node, and the place among its arguments where a number stands."""


class Written(NamedTuple):
    """What the author of a cell wrote and its equations do not hold; of a stored cell, nothing.

    Attributes:
        names: the names that the author gave; None if that is not known. Others, such as v1, were
            made for values that are used more than once.
        numbers: what was written where a node has a number as its argument: a hyperparameter, or
            what is computed from some; see `unrolled.graph.scalars`.
        hyperparameters: those that stand there, with what they are, as the author lists them.
    """

    names: frozenset[str] | None = None
    numbers: Mapping[Place, Node] = MappingProxyType({})
    hyperparameters: Mapping[str, float] = MappingProxyType({})

    def without(self, letters: set[str]) -> Written:
        """Return the same, with numbers for hyperparameters that look like these or one another."""
        looks = {name: as_letters(name) for name in self.hyperparameters}
        count = Counter(looks.values())
        hidden = {name for name, look in looks.items() if look in letters or count[look] > 1}
        if not hidden:
            return self
        return self.standing(
            {place: each for place, each in self.numbers.items() if not leaves_of([each]) & hidden}
        )

    def standing(self, numbers: Mapping[Place, Node]) -> Written:
        """Return the same with these numbers, and the hyperparameters that stand in them."""
        left = leaves_of(numbers.values())
        known = {name: value for name, value in self.hyperparameters.items() if name in left}
        return Written(self.names, numbers, known)


def as_letters(name: str) -> str:
    """Return what is left of a name that is seen from afar: its letters, Greek ones spelled out.

    >>> as_letters("x_t"), as_letters("W_hh"), as_letters("\u03c3_")
    ('xt', 'Whh', 'sigma')
    """
    bare = name.replace("_", "")
    return "".join(
        unicodedata.name(letter, letter).split()[-1].lower().replace("lamda", "lambda")
        if "GREEK SMALL LETTER" in unicodedata.name(letter, "")
        else letter
        for letter in bare
    )


def matched(
    one: Iterable[Node], two: Iterable[Node], scalar: Callable[[Node, Node], Node | None]
) -> tuple[dict[Place, Node], bool]:
    """Return how numbers came about, seen in equations that are the same but for them.

    Args:
        one: what equations compute.
        two: what the others compute, in the same order.
        scalar: returns how a number of the first came about, from it and what stands there in the
            others; or None.

    Returns:
        By place in the first equations; and whether all else is the same.
    """
    numbers: dict[Place, Node] = {}
    waiting = list(zip(one, two, strict=True))
    seen, alike = set(waiting), True
    while waiting:
        first, second = waiting.pop()
        if first.operation is not second.operation or len(first.arguments) != len(second.arguments):
            alike = False
            continue
        for place, (a, b) in enumerate(zip(first.arguments, second.arguments, strict=True)):
            if a.operation is Operation.CONSTANT:
                found = scalar(a, b)
                if found is not None:
                    numbers[first, place] = found
                    continue
            if (a, b) not in seen:
                seen.add((a, b))
                waiting.append((a, b))
    return numbers, alike
