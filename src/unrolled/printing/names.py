"""Names as formulas show them: letters with what stands below and above them."""

from __future__ import annotations

import keyword
import re
from typing import NamedTuple

GREEK = {
    name: chr(code)
    for name, code in zip(
        (
            *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"),
            *("kappa", "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon"),
            *("phi", "chi", "psi", "omega"),
        ),
        (*range(0x3B1, 0x3BF), *range(0x3C0, 0x3C2), *range(0x3C3, 0x3CA)),
        strict=True,
    )
}
"""Names that are printed as Greek letters, with the letters; omicron looks like an o."""


class Name(NamedTuple):
    """A name as a formula shows it: ``c2_new`` is c, the second, new.

    Attributes:
        base: a letter or a word; of a long name, all of it.
        digits: its numbers.
        mark: what else tells it from others with this base, or empty.
    """

    base: str
    digits: tuple[str, ...] = ()
    mark: str = ""


WORDS, SHORT = 4, 2
"""Parts of a name from which on it has no index; letters of an index that a word can have."""


def parsed(name: str) -> Name:
    """Return what a name says.

    >>> parsed("m_new"), parsed("h_2")
    (Name(base='m', digits=(), mark='new'), Name(base='h', digits=('2',), mark=''))
    >>> parsed("a_very_long_name").base, parsed("lambda_").base, parsed("s_").base
    ('a_very_long_name', 'lambda', "s'")
    """
    bare = name.rstrip("_") or name
    primes = "" if keyword.iskeyword(bare) else "'" * (len(name) - len(bare))
    words = bare.split("_")
    first = words[0]
    letters = re.fullmatch(r"([^\W\d_]+)(\d+)", first)
    base, digits = letters.groups() if letters else (first, "")
    index = " ".join(words[1:])
    is_indexed = len(words) < WORDS and (is_symbol(base) or len(index) <= SHORT)
    if not base or not is_indexed:
        return Name(("_".join(filter(None, words)) or name) + primes)
    numbers = (digits,) if digits else ()
    if index.isdigit():  # h_2 is the second h, not the square of it
        return Name(base + primes, (*numbers, index))
    return Name(base, numbers, index + primes) if index else Name(base + primes, numbers)


def is_symbol(word: str) -> bool:
    """Return whether a word is one letter in print."""
    return len(word) == 1 or word in GREEK
