"""Rules that find what is wrong with a layer, their thresholds, and what helps.

Advice is what cured a case of the finding in tests/probe/test_advice.py, the surest first; the
figures stand in docs/diagnosis.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import final

from ..display import LEAST, gradient_size, number, page_of, text_of
from ..speech import Count, Sentence, Speaker, Value
from .measurement import Measurement

NONE: Mapping[str, int] = MappingProxyType({})
VANISHING = 0.5
"""A step that lets through less than this fades: after 7 steps less than 1 % is left. Fresh GRUs
and LSTMs have 0.55 to 0.95, networks whose recurrent weights are too small 0.05 to 0.45."""
EXPLODING = 1.5
"""A gradient that gets 10 to this power (about 30) times greater on its way explodes: no learning
rate fits its start and its end. In fresh and trained networks it hardly gets greater at all."""
RISING = 1.1
"""A step that multiplies by more than this, and has made a gradient 10 times greater, goes on."""
SATURATED = 0.6
"""A gate is saturated if more than this part of its units is stuck: weights 50 times too large
give 0.9 and more, trained language models up to 0.4."""
UNITS = 0.02
"""The part of a layer's units that may be dead or duplicates before it is worth a word."""
SHORT = 0.03
"""A memory is short if it is less than this part of the sequence: fresh GRUs and LSTMs, which
remember 10 to 25 steps, are well up to sequences of some hundred."""
OPEN = 0.6
"""A mean forget gate below this, with a bias near 0, has not been opened, nor learned to be."""
BIAS = 0.25
"""See `OPEN`."""

CURRICULUM = Sentence(
    "a curriculum: train with gaps of 1 or 2 steps in sequences as short, and double them whenever "
    "90 % is right"
)
"""Advice for a task that lies further back than gradients go at the start."""
OPENED = Sentence(
    "unrolled.open_gate(model, steps=N) before training, N the steps that the task needs (ask by "
    "needs=N)"
)
"""Advice for cells with a gate that keeps the memory, if nobody has said how long."""
RESTORED = Sentence(
    "weights of before they were so, from a checkpoint, or drawn anew, by reset_parameters()"
)
"""Advice for a layer whose weights are not finite."""
BEGIN = Sentence("initial states that are finite")
"""Advice for a layer that is given others."""
BEFORE = Sentence("look at the layers before this one")
"""Advice for a layer whose input explodes."""
GATED = Sentence("a gated cell (gru, lstm), or {other}", other=CURRICULUM)
"""Advice for cells without a gate that keeps the memory."""
OPENED_OR_GROWN = Sentence("{first}, or {other}", first=OPENED, other=CURRICULUM)
"""Advice for cells with one."""


@final
@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a layer.

    Attributes:
        code: ``out-of-reach``, ``vanishing``, ``exploding``, ``broken-weights``,
            ``broken-states``, ``saturated``, ``dead-units``, ``duplicate-units``, ``short-memory``
            or ``forget-bias``.
        layer: its name.
        text: what is wrong, with the numbers behind it.
        advice: what has helped, the surest first.
        numbers: the same numbers, by name.
    """

    code: str
    layer: str
    text: Sentence
    advice: Sentence
    numbers: Mapping[str, float | int | str | list[int] | None]

    def said(self, speaker: Speaker) -> Finding:
        """Return the finding with text and advice in the language of a speaker."""
        return replace(self, text=self.text.said(speaker), advice=self.advice.said(speaker))

    __repr__ = text_of
    _repr_html_ = page_of


def findings(m: Measurement) -> list[Finding]:
    """Return everything that is wrong with a layer, the worst first."""
    found = [rule(m) for rule in (exploding, vanishing, short_memory, forget_bias)]
    if m.infinite is None or m.fed:  # else those that explode say it
        found += [broken_weights(m.layer, m.broken), broken_states(m)]
    found += [saturated(m), dead_units(m)]
    if found[0] is None:  # numbers that explode are all alike
        found.append(duplicate_units(m))
    return [finding for finding in found if finding is not None]


def exploding(m: Measurement) -> Finding | None:
    """Find a gradient, or states, that grow beyond all use."""
    advice = Sentence(
        "recurrent weights that are orthogonal, gate by gate, together with clipping of the "
        "gradient's norm to 1"
    )
    if m.bias is None:
        advice = Sentence("a gated cell (gru, lstm), or {other}", other=advice)
    if m.infinite is not None:
        text = infinite(m.infinite)
        if m.fed:
            text = Sentence(
                "what it reads is infinite or NaN, and so are its states from step {step} on",
                step=m.infinite,
            )
            advice = BEFORE
        elif m.broken or m.begun:
            text = Sentence(
                "{weights}, and so are its states from step {step} on",
                weights=not_finite(m.broken, m.begun),
                step=m.infinite,
            )
            advice = RESTORED if m.broken else BEGIN
        return Finding("exploding", m.layer, text, advice, {"infinite": m.infinite})
    end = (m.curve[-1] - m.curve[0]).item() / 2.302585
    rising = m.overall is not None and m.overall >= RISING and end >= 1
    if m.growth < EXPLODING and not rising:
        return None
    rate = m.factor_between(0, m.peak)
    text = Sentence(
        "going back {steps} the gradient gets {growth} times greater, by a factor of {rate} a step "
        "on average",
        steps=Count(m.peak, "steps"),
        growth=number(10**m.growth),
        rate=number(rate, 3),
    )
    numbers = {"growth": 10**m.growth, "peak": m.peak, "rate": rate}
    return Finding("exploding", m.layer, text, advice, numbers)


def broken_weights(layer: str, broken: Mapping[str, int]) -> Finding | None:
    """Find weights that are not finite, though what is computed may be: a gate at its end, or a 0,
    hides them.
    """
    if not broken:
        return None
    return Finding("broken-weights", layer, not_finite(broken), RESTORED, dict(broken))


def broken_states(m: Measurement) -> Finding | None:
    """Find initial states that are not finite, though later ones may be."""
    if not m.begun:
        return None
    return Finding("broken-states", m.layer, not_finite({}, m.begun), BEGIN, dict(m.begun))


def not_finite(weights: Mapping[str, int], states: Mapping[str, int] = NONE) -> Sentence:
    """Say which weights and initial states are not finite, and in how many places.

    >>> not_finite({"weight_hh_l0": 1, "bias_hh_l0": 3}, {"h": 2})
    'infinite or NaN: 1 number of weight_hh_l0, 3 numbers of bias_hh_l0, 2 numbers of the initial h'
    """
    parts = [
        Sentence("{count} of {name}", count=Count(count, "numbers"), name=name)
        for name, count in weights.items()
    ]
    parts += [
        Sentence("{count} of the initial {name}", count=Count(count, "numbers"), name=name)
        for name, count in states.items()
    ]
    return Sentence("infinite or NaN: {parts}", parts=parts)


def vanishing(m: Measurement) -> Finding | None:
    """Find a gradient that fades within a few steps."""
    if m.rate is None or m.overall is None or m.reach is None or m.left >= 0.01:
        return None
    if max(m.rate, m.overall) >= VANISHING:
        return None
    if not m.rate:
        return _ended(m, m.reach)
    text = Sentence(
        "a step lets {rate} of the gradient through on average: after {reach} of {steps} back less "
        "than 1 % is left, at the first step {left}",
        rate=number(m.rate),
        reach=m.reach,
        steps=Count(m.back, "steps"),
        left=told(m.left),
    )
    advice = GATED if m.bias is None else OPENED_OR_GROWN
    numbers = {"rate": m.rate, "reach": m.reach, "left": m.left, "steps": m.back}
    return Finding("vanishing", m.layer, text, advice, numbers)


def _ended(m: Measurement, reach: int) -> Finding:
    """Say that a gradient has come to nothing at all: no factor of a step tells how."""
    text = Sentence(
        "after {reach} of {steps} back nothing is left of the gradient",
        reach=reach,
        steps=Count(m.back, "steps"),
    )
    advice = GATED if m.bias is None else OPENED_OR_GROWN
    numbers = {"rate": m.rate, "reach": reach, "left": m.left, "steps": m.back}
    return Finding("vanishing", m.layer, text, advice, numbers)


def short_memory(m: Measurement) -> Finding | None:
    """Find a memory that is a small part of the sequence."""
    if m.reach is None or m.reach >= SHORT * m.back:
        return None
    text = Sentence(
        "after {reach} back less than 1 % of the gradient is left, {part} % of the {steps} that it "
        "could go: below {short} % a memory is called short",
        reach=Count(m.reach, "steps"),
        part=f"{100 * m.reach / m.back:.1f}",
        short=number(100 * SHORT),
        steps=Count(m.back, "steps"),
    )
    advice = GATED if m.bias is None else OPENED_OR_GROWN
    numbers = {"reach": m.reach, "steps": m.back}
    return Finding("short-memory", m.layer, text, advice, numbers)


def forget_bias(m: Measurement) -> Finding | None:
    """Find the forget gate of a cell with a cell state half closed at the start."""
    if m.bias is None or m.keep is None or not m.separate:
        return None
    if not (m.bias < BIAS and m.keep < OPEN):  # so of NaN too
        return None
    text = Sentence(
        "the forget gate stands {closed}: its bias is {bias} on average, and a step keeps {keep} % "
        "of the cell state",
        closed=Sentence("half closed") if m.keep > 0.3 else Sentence("closed"),
        bias=f"{m.bias:.2f}",
        keep=number(100 * m.keep),
    )
    advice = Sentence(
        "{opened}; unrolled.open_gate(model), a bias of 1, where N is below 10", opened=OPENED
    )
    return Finding("forget-bias", m.layer, text, advice, {"bias": m.bias, "keep": m.keep})


def saturated(m: Measurement) -> Finding | None:
    """Find gates whose activations are at their ends most of the time."""
    worst = [name for name, part in m.stuck.items() if part > SATURATED]
    if not worst:
        return None
    means = {name: m.saturation[name].harmful.mean().item() for name in worst}
    text = Sentence(
        "activations are within 0.05 of their ends most of the time: {parts} of all values",
        parts=[f"{name} {100 * mean:.0f} %" for name, mean in means.items()],
    )
    advice = Sentence("weights drawn anew, by reset_parameters()")
    return Finding("saturated", m.layer, text, advice, means)


def dead_units(m: Measurement) -> Finding | None:
    """Find units that do not react to the input."""
    if not m.moved or len(m.dead) < max(1, UNITS * m.units):
        return None
    text = Sentence(
        "{count} of {all} never change with the input: {units}",
        count=len(m.dead),
        all=Count(m.units, "units"),
        units=_listed(list(map(str, m.dead)), 8),
    )
    advice = Sentence("biases of 0, or weights drawn anew, by reset_parameters()")
    numbers = {"count": len(m.dead), "units": list(m.dead)}
    return Finding("dead-units", m.layer, text, advice, numbers)


def duplicate_units(m: Measurement) -> Finding | None:
    """Find units that do what another does."""
    if not m.compared or len(m.duplicates) < max(1, UNITS * m.units):
        return None
    text = Sentence(
        "{count} of {all} do what another does: {pairs}",
        count=len(m.duplicates),
        all=Count(m.units, "units"),
        pairs=_listed([Sentence("{b} like {a}", a=a, b=b) for a, b in m.duplicates], 5),
    )
    advice = Sentence(
        "weights drawn anew, by reset_parameters(); whether more is learned then is not settled"
    )
    second = [b for _, b in m.duplicates]
    numbers = {"count": len(second), "units": second}
    return Finding("duplicate-units", m.layer, text, advice, numbers)


def infinite(step: int) -> Sentence:
    """Say from which step on states are not finite."""
    return Sentence("its states are infinite or NaN from step {step} on", step=step)


def told(left: float) -> str:
    """Return how much of a gradient is left, in words.

    >>> told(0.032), told(9e-46)
    ('0.032', '< 10⁻³⁸, below what float32 can tell')
    """
    size = gradient_size(left)
    return Sentence("{size}, below what float32 can tell", size=size) if 0 < left < LEAST else size


def _listed(items: Sequence[Value], most: int) -> Value:
    """Return so many of the items, and that there are more."""
    return items if len(items) <= most else Sentence("{items}, ...", items=items[:most])
