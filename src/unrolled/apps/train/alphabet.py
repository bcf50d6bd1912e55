"""Text as symbols: characters or words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import final

import msgspec

from ...errors import UserError

WAYS = ("characters", "words")
WORD = re.compile(r" ?\w+| ?[^\w\s]")
"""A word or a mark, with the space before it: joined, they are the text again."""

LONGEST = 10_000
"""Symbols of a text that is turned into another, at most: attention looks at each pair of them, and
a model that does not end what it writes goes on for twice as many."""

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


@final
class Alphabet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
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

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise UserError(f"--by must be one of {', '.join(WAYS)}, not {self.by!r}")

    @cached_property
    def _places(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols, 1)}

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
