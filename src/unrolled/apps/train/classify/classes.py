"""The names of classes, however they are written: 1, 1.0 and 01 are one class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import final

from ..table.numerals import Numerals
from ..table.table import Cell

PLAIN = Numerals()


def canonical(name: str) -> str:
    """Return the name of a class that is a number as short as it can be written; others as such.

    >>> canonical("1.0"), canonical("2.50"), canonical("NA")
    ('1', '2.5', 'NA')
    """
    number = PLAIN.number(name)
    if number is None:
        return name.strip()
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


def known_as(names: Iterable[str]) -> dict[str, str]:
    """Return for each name what its class is called, the classes in order.

    If all are numbers, 1 and 1.0 are one class, and the order is that of numbers. Numbers with
    zeros before them are codes: they stand as they are.

    >>> known_as(["10", "2.0", "2"]), known_as(["b", "1.0"]), known_as(["02", "1"])
    ({'2': '2', '2.0': '2', '10': '10'}, {'1.0': '1.0', 'b': 'b'}, {'02': '02', '1': '1'})
    """
    names = sorted(names)
    numbers = [(PLAIN.number(name), name) for name in names]
    if any(number is None for number, _ in numbers) or any(map(CODE.match, names)):
        return {name: name for name in names}
    return {name: canonical(name) for _, name in sorted(numbers)}


CODE = re.compile(r"0\d")


@final
class Classes:
    """The classes that a run knows, found by whatever stands for them in a cell.

    Args:
        names: of the classes, in their order.

    >>> classes = Classes(["0", "1"])
    >>> classes.place("1.0"), classes.place("2"), Classes(["True"]).place("true")
    (1, None, 0)
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._places: dict[str, int] = {}
        for form in FORMS:
            counts = Counter(map(form, names))
            for place, name in enumerate(names):
                if counts[form(name)] == 1:
                    self._places.setdefault(form(name), place)

    def place(self, cell: Cell) -> int | None:
        """Return which class a cell names; None for one that is not known."""
        keys = [] if cell is None else [form(cell) for form in FORMS]
        return next((self._places[key] for key in keys if key in self._places), None)


FORMS: tuple[Callable[[str], str], ...] = (
    str.strip,
    canonical,
    lambda name: canonical(name).casefold(),
)
"""The forms in which a name is looked for, the strictest first."""
