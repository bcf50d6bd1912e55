"""The table: a line for every row, within 100 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .outcome import Outcome
from .ratio import short
from .rival import Rival
from .summary import Mean

RATIO = 14

KEY = (
    "Times are ours, a median; peak is the part of the multiply-adds that the processor can do.\n"
    "Under each opponent: how many times as fast ours is, median and quartiles. Above 1 ours wins."
)


def introduction(
    machine: Mapping[str, Any], ceiling: Mapping[int, float], threads: int, rivals: Sequence[Rival]
) -> str:
    """What is measured where, and what the columns mean."""
    versions = machine["versions"]
    rates = ", ".join(
        f"{value:.0f} GFLOP/s on {count} thread{'s'[: count > 1]}"
        for count, value in ceiling.items()
    )
    others = {"torch.nn": "torch", **{each.name: each.key for each in rivals}}
    names = ", ".join(f"{name} {versions[package]}" for name, package in others.items())
    return (
        f"{machine['processor']} ({machine['llvm_name']}), {machine['cores']} cores, "
        f"{machine['vector_bits']}-bit vectors; measured with {threads} of them\n"
        f"multiply-adds that wait for nothing: {rates}\n"
        f"unrolled {versions['unrolled']}, {names}\n\n{KEY}"
    )


def head(outcome: Outcome) -> str:
    """The lines over rows that are compared with the same opponents."""
    names = "".join(f" {each.name:>{RATIO}}" for each in outcome.contenders[1:])
    columns = f"{'T,B,I,H':<16} {'time':>8} {'GFLOP/s':>7} {'peak':>4}{names}"
    return f"\n{outcome.row.title}\n{columns}"


def line(outcome: Outcome, ceiling: float) -> str:
    """A row: time, speed and part of the ceiling, and how many times as fast as each opponent."""
    if outcome.wrong is not None:
        return f"{outcome.row.shape!s:<16} WRONG, so not timed: {outcome.wrong}"
    speed = outcome.gflops
    ratios = "".join(f" {value!s:>{RATIO}}" for value in outcome.ratios.values())
    return (
        f"{outcome.row.shape!s:<16} {duration(outcome.seconds):>8} {short(speed):>7} "
        f"{speed / ceiling:>4.0%}{ratios}"
    )


def summary(means: Sequence[Mean]) -> str:
    """The geometric means."""
    lines = [f"\n{'geometric means':<46} {'opponent':>14} {'mean':>6} {'least':>6} at"]
    for each in means:
        lines.append(
            f"{each.title:<46} {each.opponent:>14} {short(each.mean):>6} {short(each.least):>6} "
            f"{each.shape}"
        )
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Three digits and a unit.

    >>> duration(0.00123), duration(4.5e-6), duration(2.5)
    ('1.23 ms', '4.50 µs', '2.50 s')
    """
    for unit, name in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= unit:
            return f"{short(seconds / unit)} {name}"
    return f"{short(seconds / 1e-6)} µs"
