"""What seeds settle: whether a claim holds, from what each of them tells by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple, final

SEEDS = 3
"""The fewest seeds that settle anything, if they agree."""


@final
class Verdict(Enum):
    """The outcome of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold here"
    OPEN = "not settled by this run"


@final
class Told(NamedTuple):
    """What one seed tells about a claim.

    Attributes:
        supports: whether it is for the claim; None: it tells nothing.
        why: why it tells nothing; empty if it does.
    """

    supports: bool | None
    why: str = ""


@final
class Settled(NamedTuple):
    """What all seeds settle.

    Attributes:
        verdict: holds or not only if at least `SEEDS` seeds tell something, all of them the same.
        seeds: how many there were.
        held, failed: how many were for the claim, and against it.
        why: why the others tell nothing, the commonest reason; empty if there is none.
    """

    verdict: Verdict
    seeds: int
    held: int
    failed: int
    why: str


def settled(told: Iterable[Told]) -> Settled:
    """Return what seeds settle together.

    >>> yes, no, nothing = Told(True), Told(False), Told(None, "too few steps")
    >>> settled([yes] * 3).verdict.value, settled([no] * 3).verdict.value
    ('holds', 'does not hold here')
    >>> {settled(each).verdict.value for each in ([yes], [yes, yes, no], [yes, yes, nothing])}
    {'not settled by this run'}
    """
    every = list(told)
    held = sum(each.supports is True for each in every)
    failed = sum(each.supports is False for each in every)
    reasons = Counter(each.why for each in every if each.supports is None)
    why = reasons.most_common(1)[0][0] if reasons else ""
    verdict = Verdict.OPEN
    if held + failed >= SEEDS and not (held and failed):
        verdict = Verdict.HOLDS if held else Verdict.FAILS
    return Settled(verdict, len(every), held, failed, why)


def both(*parts: Verdict) -> Verdict:
    """Return the verdict on a claim that says several things.

    >>> both(Verdict.HOLDS, Verdict.OPEN).value, both(Verdict.FAILS, Verdict.OPEN).value
    ('not settled by this run', 'does not hold here')
    """
    if Verdict.FAILS in parts:
        return Verdict.FAILS
    return Verdict.OPEN if Verdict.OPEN in parts else Verdict.HOLDS
