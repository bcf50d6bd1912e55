"""The problems that checkpoints can hold, by kind."""

import reprlib
from typing import Any

from .characters import Characters
from .classify.problem import Classification
from .pairs.problem import Translation
from .problem import Problem
from .series.problem import Forecasting

PROBLEMS: dict[str, type[Problem]] = {
    each.kind: each for each in (Characters, Classification, Forecasting, Translation)
}


def to_json(problem: Problem) -> dict[str, Any]:
    """A problem with its kind.

    >>> to_json(Characters("ab"))
    {'kind': 'text', 'vocabulary': 'ab'}
    """
    return {"kind": problem.kind, **problem.to_json()}


def from_json(stored: dict[str, Any]) -> Problem:
    """What `to_json` gave.

    Raises:
        LookupError, TypeError, ValueError, UserError: it is damaged, or of an unknown kind.
    """
    kind = stored.get("kind")
    if not isinstance(kind, str) or kind not in PROBLEMS:
        raise ValueError(f"a problem of kind {reprlib.repr(kind)}: known are {', '.join(PROBLEMS)}")
    return PROBLEMS[kind].from_json({n: value for n, value in stored.items() if n != "kind"})
