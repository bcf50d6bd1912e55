"""Reach against need: whether gradients go as far back as a task asks, and what is not settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ..display import counted
from .finding import CURRICULUM, Finding, told
from .measurement import COMPARED, Measurement

OF_SHORT_REACH = ("vanishing", "short-memory", "forget-bias")
"""Findings that what helps against a reach too short helps against."""


class Reaching(NamedTuple):
    """The result of `reaching`: whether it is enough (None: not settled), and what is said."""

    enough: bool | None
    findings: list[Finding]
    unsettled: list[str]


def reaching(measurements: Sequence[Measurement], needs: int) -> Reaching:
    """Compare how far gradients reach with how far they need to, in each direction by itself.

    One layer that reaches is enough for the direction: what the others read goes through it too.
    """
    enough: bool | None = True
    findings: list[Finding] = []
    unsettled: list[str] = []
    for is_reverse in (False, True):
        layers = [each for each in measurements if each.layer.endswith("_reverse") == is_reverse]
        if not layers or any(_reaches(each, needs) for each in layers):
            continue
        short = [each for each in layers if each.reach is not None and each.reach < needs]
        if len(short) == len(layers):
            enough = False
            findings += [out_of_reach(each, needs, len(layers) == 1) for each in short]
            continue
        enough = enough and None
        unsettled += [_open(each, needs) for each in layers if each not in short]
    return Reaching(enough, findings, unsettled)


def _reaches(m: Measurement, needs: int) -> bool:
    """Return whether more than 1 % of the gradient is left after so many steps."""
    return m.back >= needs and (m.reach is None or m.reach >= needs)


def _open(m: Measurement, needs: int) -> str:
    """Say why it is not settled whether a layer reaches."""
    why = (
        f"the input lets them go {counted(m.back, 'steps')} back; it takes one of more than "
        f"{counted(needs, 'steps')}"
        if m.infinite is None
        else f"its states are infinite or NaN from step {m.infinite} on"
    )
    return f"{m.layer}: whether gradients reach the {needs} steps that are needed: {why}"


def out_of_reach(m: Measurement, needs: int, alone: bool) -> Finding:
    """Say that gradients of a layer end before the steps that are needed, and what helps.

    Opening is enough only where the layer is `alone` in its direction: of stacks, one in three
    learned by it.
    """
    left = m.left_after(min(needs, m.back))
    text = (
        f"after {counted(m.reach or 0, 'steps')} back less than 1 % of the gradient is left, and "
        f"the task needs "
        f"{needs}"
    )
    if m.back >= needs:
        text += f", where what is left is {told(left)}"
    opened = f"unrolled.open_gate(model, steps={needs}) before training"
    advice = f"{opened}, and {CURRICULUM}"
    if m.bias is None:
        advice = f"a gated cell (gru, lstm) and {advice}"
    elif alone:
        advice += "; the first alone where the loss counts the answers alone"
    numbers = {"reach": m.reach, "needs": needs, "left": left}
    return Finding("out-of-reach", m.layer, text, advice, numbers)


def with_advice(findings: Sequence[Finding], short: Sequence[Finding]) -> list[Finding]:
    """Return all findings, those of layers out of reach first: one advice to a layer, not two."""
    layers = {finding.layer for finding in short}
    others = [
        replace(finding, advice="what helps against out-of-reach")
        if finding.layer in layers and finding.code in OF_SHORT_REACH
        else finding
        for finding in findings
    ]
    return [*short, *others]


def unsettled(m: Measurement) -> list[str]:
    """Return what too small an input leaves open about a layer."""
    found = []
    if m.rate is None and m.infinite is None:
        found.append(
            f"{m.layer}: how far gradients reach: {counted(m.steps, 'steps')}, too few in a row "
            "to follow one: it takes 3"
        )
    if m.samples < COMPARED and m.infinite is None:
        found.append(
            f"{m.layer}: whether units do the same: {counted(m.samples, 'steps')} of all rows, too "
            f"few to compare them: it takes {COMPARED}"
        )
    return found
