"""Names of months and weekdays: in English, and in the languages of babel where it is installed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

ENGLISH = "January February March April May June July August September October November December"
ENGLISH_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"

_LANGUAGES = """
    de fr es it pt nl sv da nb fi pl cs sk hu ro ru uk tr el bg hr sl sr lt lv et ca id vi
"""
LANGUAGES = tuple(_LANGUAGES.split())
"""Of babel's locales, those that are tried where English does not know a name."""


@cache
def _english() -> dict[str, dict[str, int]]:
    months = {name: number for number, name in enumerate(ENGLISH.casefold().split(), 1)}
    months |= {name[:3]: number for name, number in months.items()} | {"sept": 9}
    days = {name: number for number, name in enumerate(ENGLISH_DAYS.casefold().split())}
    days |= {name[:3]: number for name, number in days.items()}
    days |= {"tues": 1, "wednes": 2, "thur": 3, "thurs": 3}
    return {"months": months, "days": days}


@cache
def _of(language: str) -> dict[str, dict[str, int]]:
    """Return the names of a language in lower case, without the points of abbreviations."""
    if language == "en":
        return _english()
    try:
        from babel.dates import get_day_names, get_month_names
    except ImportError:
        return {"months": {}, "days": {}}
    found: dict[str, dict[str, int]] = {"months": {}, "days": {}}
    for context in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            names = get_month_names(width, context, language)
            found["months"] |= {_bare(name): int(number) for number, name in names.items()}
            names = get_day_names(width, context, language)
            found["days"] |= {_bare(name): int(number) for number, name in names.items()}
    return found


def _bare(word: str) -> str:
    return word.strip().rstrip(".").casefold()


def languages(words: Iterable[str]) -> list[str]:
    """Return the languages that know all of some words as months: English alone if it does.

    >>> languages(["Jan", "Sept."]), languages(["Jan", "word"])
    (['en'], [])
    """
    words = list(words)
    found = (language for language in ("en", *LANGUAGES) if _knows(language, words))
    first = next(found, None)
    return [] if first is None else [first] if first == "en" else [first, *found]


def _knows(language: str, words: Iterable[str]) -> bool:
    return all(month(word, language) for word in words)


def month(word: str, language: str) -> int | None:
    """Return the number of a month in a language, from 1 on; None if it is none there."""
    return _of(language)["months"].get(_bare(word))


@cache
def weekday(word: str) -> int | None:
    """Return the number of a weekday, Monday being 0; None if no language calls one so.

    >>> weekday("Thu"), weekday("word")
    (3, None)
    """
    for language in ("en", *LANGUAGES):
        number = _of(language)["days"].get(_bare(word))
        if number is not None:
            return number
    return None
