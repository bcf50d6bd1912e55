"""Text as symbols: characters or words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, final

import msgspec

from ...errors import UserError
from ...schema import checked

WAYS = ("characters", "words")
WORD = re.compile(r" ?\w+| ?[^\w\s]")
"""A word or a mark, with the space before it: joined, they are the text again."""

PRUNED = 1_000_000
"""How many different symbols are counted at most: above that the rarest are forgotten."""


def split(text: str, by: str) -> list[str]:
    """Return the symbols of a text.

    >>> split("it's", "characters"), split("it's  so", "words")
    (['i', 't', "'", 's'], ['it', "'", 's', ' so'])
    """
    return list(text) if by == "characters" else WORD.findall(plain(text, by))


def plain(text: str, by: str) -> str:
    """Return a text as its symbols give it back: between words there is one space.

    >>> plain(" so  much ", "words")
    'so much'
    """
    return text if by == "characters" else " ".join(text.split())


class Stored(msgspec.Struct, forbid_unknown_fields=True):
    """An alphabet in a file."""

    by: str
    symbols: tuple[str, ...]


@final
@dataclass(frozen=True)
class Alphabet:
    """The symbols that a model knows. Symbol 0 stands for all others.

    Attributes:
        by: what a symbol is: characters or words.
        symbols: numbered from 1.

    >>> letters = Alphabet("characters", ("a", "b"))
    >>> letters.encode("abc"), letters.decode([2, 1, 0]), len(letters)
    ([1, 2, 0], 'ba�', 3)
    """

    by: str
    symbols: tuple[str, ...]
    _places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise UserError(f"--by must be one of {', '.join(WAYS)}, not {self.by!r}")
        places = {symbol: number for number, symbol in enumerate(self.symbols, 1)}
        object.__setattr__(self, "_places", places)

    @classmethod
    def of(cls, texts: Iterable[str], by: str, at_most: int) -> Alphabet:
        """Return the most frequent symbols of some texts; those seen once are left to symbol 0.

        >>> Alphabet.of(["banana", "ab"], "characters", 9).symbols
        ('a', 'b', 'n')
        """
        counted: Counter[str] = Counter()
        for text in texts:
            counted.update(split(text, by))
            if len(counted) > PRUNED:
                counted = Counter(dict(counted.most_common(PRUNED // 2)))
        often = {symbol: count for symbol, count in counted.items() if count > 1} or counted
        order = sorted(often, key=lambda symbol: (-often[symbol], symbol))
        return cls(by, tuple(sorted(order[:at_most])))

    def __len__(self) -> int:
        return len(self.symbols) + 1

    def encode(self, text: str) -> list[int]:
        """Return the numbers of the symbols of a text."""
        get = self._places.get
        return [get(symbol, 0) for symbol in split(text, self.by)]

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text of symbols, � for symbol 0."""
        return "".join(self.symbols[number - 1] if number else "\ufffd" for number in numbers)

    def to_json(self) -> dict[str, Any]:
        """Return all of it in what JSON knows."""
        return {"by": self.by, "symbols": list(self.symbols)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Alphabet:
        """Return what `to_json` gave."""
        found = checked(stored, Stored)
        return cls(found.by, found.symbols)
