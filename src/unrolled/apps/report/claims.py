"""The first section: the article's claims beside what a study has measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..study.outcome import Outcome
from ..study.table import Figure as Scores
from ..study.table import Found, gathered, ordered
from .memory import accuracy_table, caption
from .page import Section, Speech

GOAL = 0.95
"""The part of right answers from which on a task counts as learned."""
FEW, ENOUGH = 1000, 2000
"""Steps of training below which nothing is settled, and from which on a short gap is learned by
every cell that can."""
VANISHED = 1e-6
"""What is left of a gradient that has vanished."""

NOTHING = 1e-290
"""Smaller gradients stand for 0."""

PART = ("part", "not settled by this run")
SIMPLE, GATED, RELU = "rnn_tanh", "lstm", "rnn_relu"


def claims(outcomes: Sequence[Outcome], speech: Speech) -> list[dict[str, Any]]:
    """Return the article's claims, each with a verdict that follows from the numbers."""
    found = gathered(outcomes)
    long = found["long"]
    steps = min(each.steps for each in outcomes if each.task == "long")
    settled = steps >= FEW
    first = min(each.gap for each in outcomes if each.task == "long")
    short = min(each.steps for each in outcomes if each.task == "short" or each.gap == first)
    made = [
        _short(found, short >= ENOUGH, speech),
        _simple(long, settled, speech),
        _cure("Another activation cures it: ReLU.", RELU, long, settled, speech),
        _cure("Another structure cures it: LSTM.", GATED, long, settled, speech),
        _gradient(outcomes, speech),
    ]
    return [_said(each, speech) for each in made if each is not None]


Claim = tuple[str, bool, bool, str]
"""What is said; whether it holds; whether enough was done to say that it does not; what was
measured."""


def _said(claim: Claim, speech: Speech) -> dict[str, Any]:
    says, holds, settled, measured = claim
    kind, verdict = "yes", "holds"
    if not holds:
        kind, verdict = ("no", "does not hold here") if settled else PART
    return {
        "kind": kind,
        "says": speech(says),
        "verdict": f"{speech(verdict)}:",
        "measured": measured,
    }


def _short(found: Found, settled: bool, speech: Speech) -> Claim:
    """Judge the shortest gap of each task."""
    parts, learned = [], []
    for task in ("short", "long"):
        shortest = {name: figures[min(figures)] for name, figures in found.get(task, {}).items()}
        learned += [each.mean >= GOAL for each in shortest.values()]
        if shortest:
            listed = ", ".join(f"{name} {each.percent}" for name, each in shortest.items())
            parts.append(f"{speech(f'{task} task')}: {listed}")
    says = "With a short gap, every network learns the link."
    return says, all(learned), settled, f"{'; '.join(parts)}."


def _along(name: str, figures: Mapping[int, Scores], speech: Speech) -> str:
    listed = ", ".join(f"{speech('gap')} {gap}: {f.percent}" for gap, f in figures.items())
    return f"{name}, {listed}"


def _simple(
    long: Mapping[str, Mapping[int, Scores]], settled: bool, speech: Speech
) -> Claim | None:
    if SIMPLE not in long or len(long[SIMPLE]) < 2:
        return None
    figures = long[SIMPLE]
    first, last = figures[min(figures)], figures[max(figures)]
    holds, settled = last.mean < 0.5 <= first.mean, settled or first.mean >= 0.5
    says = "As the gap grows, a simple RNN can no longer learn it."
    return says, holds, settled, f"{_along(SIMPLE, figures, speech)}."


def _cure(
    says: str, cell: str, long: Mapping[str, Mapping[int, Scores]], settled: bool, speech: Speech
) -> Claim | None:
    """Judge a cell, however its weights start, by the longest gap."""
    kinds = [name for name in long if name.partition("+")[0] == cell]
    if not kinds:
        return None
    text = "; ".join(_along(name, long[name], speech) for name in kinds)
    diverged = sum(f.diverged for name in kinds for f in long[name].values())
    if diverged:
        text += f"; {diverged} × NaN"
    holds = all(long[name][max(long[name])].mean >= GOAL for name in kinds)
    return says, holds, settled, f"{text}."


def _gradient(outcomes: Sequence[Outcome], speech: Speech) -> Claim | None:
    """Return what is left of the gradient at the first word of the longest gap."""
    gap = max(each.gap for each in outcomes if each.task == "long")
    first: dict[str, Outcome] = {}
    for each in outcomes:
        if each.task == "long" and each.gap == gap:
            first.setdefault(each.entrant, each)
    if SIMPLE not in first:
        return None
    parts = []
    for moment, words in ((0.0, "before training"), (1.0, "after training")):
        sizes = {name: each.gradients[moment][-1] for name, each in ordered(first).items()}
        listed = ", ".join(f"{name} {scientific(size)}" for name, size in sizes.items())
        parts.append(f"{speech(words)} {listed}")
    left = speech("Of the gradient is left at the first word, gap")
    holds = first[SIMPLE].gradients[0.0][-1] < VANISHED
    return "The cause is that gradients vanish.", holds, True, f"{left} {gap}: {'; '.join(parts)}."


def scientific(value: float) -> str:
    """Return a small number in two digits.

    >>> scientific(3.2e-31), scientific(0.25), scientific(1e-299)
    ('3.2·10⁻³¹', '0.25', '0')
    """
    if not math.isfinite(value):
        return "∞"
    if value < NOTHING:
        return "0"
    if 0.01 <= value < 1000 or value == 0:
        return f"{value:.2g}"
    digits, _, power = f"{value:.1e}".partition("e")
    raised = str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}·10{raised}"


def overview(outcomes: Sequence[Outcome], speech: Speech) -> Section:
    """Return the table of a study, and the article's claims beside it."""
    long = [each for each in outcomes if each.task in ("short", "long")]
    words = speech(
        "Everything on this page was measured on this machine by one command; nothing is quoted "
        "from elsewhere."
    )
    if min(each.steps for each in long) < 500:
        words += " " + speech(
            "This run was cut short: cells have had too few steps to learn what they can."
        )
    data = {
        "about": words,
        **accuracy_table(gathered(long), speech),
        "caption": caption(long, speech),
        "claims": claims(long, speech),
    }
    return Section("overview", speech("In short"), "short.html.j2", data)
