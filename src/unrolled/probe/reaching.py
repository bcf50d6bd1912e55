"""Reach against need: whether gradients go as far back as a task asks, and what is not settled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ..speech import Count, Sentence
from .finding import CURRICULUM, Finding, infinite, told
from .measurement import COMPARED, MOVED, Measurement

OF_SHORT_REACH = ("vanishing", "short-memory", "forget-bias")
"""Findings that what helps against a reach too short helps against."""


class Reaching(NamedTuple):
    """The result of `reaching`: whether it is enough (None: not settled), and what is said."""

    enough: bool | None
    findings: list[Finding]
    unsettled: list[Sentence]


def reaching(measurements: Sequence[Measurement], needs: int) -> Reaching:
    """Compare how far gradients reach with how far they need to, in each direction by itself.

    One layer that reaches is enough for the direction: what the others read goes through it too.
    """
    enough: bool | None = True
    findings: list[Finding] = []
    unsettled: list[Sentence] = []
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


def _open(m: Measurement, needs: int) -> Sentence:
    """Say why it is not settled whether a layer reaches."""
    why = Sentence(
        "the input lets them go {back} back; it takes one of more than {steps}",
        back=Count(m.back, "steps"),
        steps=Count(needs, "steps"),
    )
    return Sentence(
        "{layer}: whether gradients reach the {needs} steps that are needed: {why}",
        layer=m.layer,
        needs=needs,
        why=why if m.infinite is None else infinite(m.infinite),
    )


def out_of_reach(m: Measurement, needs: int, alone: bool) -> Finding:
    """Say that gradients of a layer end before the steps that are needed, and what helps.

    Opening is enough only where the layer is `alone` in its direction: of stacks, one in three
    learned by it.
    """
    left = m.left_after(min(needs, m.back))
    text = Sentence(
        "after {reach} back less than 1 % of the gradient is left, and the task needs {needs}",
        reach=Count(m.reach or 0, "steps"),
        needs=needs,
    )
    if m.back >= needs:
        text = Sentence("{short}, where what is left is {left}", short=text, left=told(left))
    advice = Sentence(
        "unrolled.open_gate(model, steps={needs}) before training, and {curriculum}",
        needs=needs,
        curriculum=CURRICULUM,
    )
    if m.bias is None:
        advice = Sentence("a gated cell (gru, lstm) and {others}", others=advice)
    elif alone:
        advice = Sentence(
            "{both}; the first alone where the loss counts the answers alone", both=advice
        )
    numbers = {"reach": m.reach, "needs": needs, "left": left}
    return Finding("out-of-reach", m.layer, text, advice, numbers)


def with_advice(findings: Sequence[Finding], short: Sequence[Finding]) -> list[Finding]:
    """Return all findings, those of layers out of reach first: one advice to a layer, not two."""
    layers = {finding.layer for finding in short}
    others = [
        replace(finding, advice=Sentence("what helps against out-of-reach"))
        if finding.layer in layers and finding.code in OF_SHORT_REACH
        else finding
        for finding in findings
    ]
    return [*short, *others]


def unsettled(m: Measurement) -> list[Sentence]:
    """Return what too small an input leaves open about a layer."""
    found = []
    if m.rate is None and m.infinite is None:
        found.append(
            Sentence(
                "{layer}: how far gradients reach: {steps}, too few in a row to follow one: it "
                "takes 3",
                layer=m.layer,
                steps=Count(m.steps, "steps"),
            )
        )
    if not m.moved and m.infinite is None:
        found.append(
            Sentence(
                "{layer}: whether units change with the input: {steps}, too few in a row to tell: "
                "it takes {least}",
                layer=m.layer,
                steps=Count(m.steps, "steps"),
                least=MOVED,
            )
        )
    if not m.compared and m.infinite is None:
        found.append(
            Sentence(
                "{layer}: whether units do the same: {steps} of all rows, too few to compare them: "
                "it takes {least}",
                layer=m.layer,
                steps=Count(m.samples, "steps"),
                least=COMPARED,
            )
        )
    return found
