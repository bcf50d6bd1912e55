"""Data from files: JSON with bounds, and the types that it has to have."""

from __future__ import annotations

import json
import reprlib
import sys
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

DEEPEST = 64
"""Levels of nesting. What we write has fewer than ten; Python's stack holds some hundreds."""

GREATEST = 2**53
"""Of a number that counts: the integers up to here are exact in every JSON reader."""

Count = Annotated[int, Meta(ge=0, le=GREATEST)]
"""From 0 on."""
Size = Annotated[int, Meta(ge=1, le=GREATEST)]
"""From 1 on."""
Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
"""Neither infinite nor NaN."""
Positive = Annotated[float, Meta(gt=0, le=sys.float_info.max)]
"""Finite and more than 0."""
NotNegative = Annotated[float, Meta(ge=0, le=sys.float_info.max)]
"""Finite and at least 0."""

T = TypeVar("T")


def parse(text: str | bytes) -> Any:
    """Return the data that JSON text holds; NaN and Infinity are read as Python writes them.

    Raises:
        ValueError: it is not JSON, has integers of thousands of digits, or is nested too deeply.

    >>> parse("[" * 100_000)
    Traceback (most recent call last):
    ValueError: more than 64 levels of brackets in each other
    """
    deep = ValueError(f"more than {DEEPEST} levels of brackets in each other")
    try:
        data = json.loads(text)
    except RecursionError:
        raise deep from None
    level = [data]
    for _ in range(DEEPEST):
        level = [part for each in level for part in _parts(each) if isinstance(part, (list, dict))]
        if not level:
            return data
    raise deep


def _parts(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def checked(data: Any, kind: type[T]) -> T:
    """Return parsed JSON as a value of ``kind``: of anything that msgspec can describe.

    A dataclass refuses names that it does not have; a `msgspec.Struct` says so itself.

    Raises:
        ValueError: it is something else; the message names the place, the value and what is
            expected there.

    >>> checked({"step": -1}, dict[str, Count])
    Traceback (most recent call last):
    ValueError: [...]: expected `int` >= 0
    >>> checked([1, "two"], list[int])
    Traceback (most recent call last):
    ValueError: [1] is 'two': expected `int`, got `str`
    """
    if is_dataclass(kind) and isinstance(data, dict):
        unknown = sorted(set(map(str, data)) - {field.name for field in fields(kind) if field.init})
        if unknown:
            raise ValueError(f"unknown: {', '.join(map(reprlib.repr, unknown[:5]))}")
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_words(str(error), data)) from None


def _words(message: str, data: Any) -> str:
    """Return a message of msgspec with the value that it is about."""
    expected, _, path = message.partition(" - at `$")
    expected = expected[:1].lower() + expected[1:]
    path = path.removesuffix("`").removeprefix(".")
    if not path:
        return expected
    try:
        return f"{path} is {reprlib.repr(_at(data, path))}: {expected}"
    except (LookupError, TypeError, ValueError):  # a path such as [...], of any of several
        return f"{path}: {expected}"


def _at(data: Any, path: str) -> Any:
    """Return the value at a path such as ``settings.scale[2]``."""
    for step in path.replace("[", ".[").removeprefix(".").split("."):
        data = data[int(step[1:-1])] if step.startswith("[") else data[step]
    return data
