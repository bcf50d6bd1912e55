"""Rules that find what is wrong with a layer, their thresholds, and what helps.

Advice is what cured a case of the finding in tests/probe/test_advice.py, the surest first; the
figures stand in docs/diagnosis.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from ..display import LEAST, counted, gradient_size, number, page_of, text_of
from .measurement import Measurement

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

CURRICULUM = (
    "a curriculum: train with gaps of 1 or 2 steps in sequences as short, and double them whenever "
    "90 % is right"
)
"""Advice for a task that lies further back than gradients go at the start."""
OPENED = (
    "unrolled.open_gate(model, steps=N) before training, N the steps that the task needs (ask by "
    "needs=N)"
)
"""Advice for cells with a gate that keeps the memory, if nobody has said how long."""
RESTORED = "weights of before they were so, from a checkpoint, or drawn anew, by reset_parameters()"
"""Advice for a layer whose weights are not finite."""
BEFORE = "look at the layers before this one"
"""Advice for a layer whose input explodes."""


@final
@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a layer.

    Attributes:
        code: ``out-of-reach``, ``vanishing``, ``exploding``, ``saturated``, ``dead-units``,
            ``duplicate-units``, ``short-memory`` or ``forget-bias``.
        layer: its name.
        text: what is wrong, with the numbers behind it.
        advice: what has helped, the surest first.
        numbers: the same numbers, by name.
    """

    code: str
    layer: str
    text: str
    advice: str
    numbers: Mapping[str, float | int | str | list[int] | None]

    __repr__ = text_of
    _repr_html_ = page_of


def findings(m: Measurement) -> list[Finding]:
    """Return everything that is wrong with a layer, the worst first."""
    found = [rule(m) for rule in (exploding, vanishing, short_memory, forget_bias)]
    found += [saturated(m), dead_units(m)]
    if found[0] is None:  # numbers that explode are all alike
        found.append(duplicate_units(m))
    return [finding for finding in found if finding is not None]


def exploding(m: Measurement) -> Finding | None:
    """Find a gradient, or states, that grow beyond all use."""
    advice = (
        "recurrent weights that are orthogonal, gate by gate, together with clipping of the "
        "gradient's norm to 1"
    )
    if m.bias is None:
        advice = f"a gated cell (gru, lstm), or {advice}"
    if m.infinite is not None:
        since = f"from step {m.infinite} on"
        text = f"its states are infinite or NaN {since}"
        if m.fed:
            text = f"what it reads is infinite or NaN, and so are its states {since}"
            advice = BEFORE
        elif m.broken:
            text = f"some of its weights are infinite or NaN, and so are its states {since}"
            advice = RESTORED
        return Finding("exploding", m.layer, text, advice, {"infinite": m.infinite})
    end = (m.curve[-1] - m.curve[0]).item() / 2.302585
    rising = m.overall is not None and m.overall >= RISING and end >= 1
    if m.growth < EXPLODING and not rising:
        return None
    rate = m.factor_between(0, m.peak)
    text = (
        f"going back {counted(m.peak, 'steps')} the gradient gets {number(10**m.growth)} times "
        f"greater, by a factor of {number(rate, 3)} a step on average"
    )
    numbers = {"growth": 10**m.growth, "peak": m.peak, "rate": rate}
    return Finding("exploding", m.layer, text, advice, numbers)


def vanishing(m: Measurement) -> Finding | None:
    """Find a gradient that fades within a few steps."""
    if m.rate is None or m.overall is None or m.reach is None or m.left >= 0.01:
        return None
    if max(m.rate, m.overall) >= VANISHING:
        return None
    text = (
        f"a step lets {number(m.rate)} of the gradient through on average: after {m.reach} of "
        f"{counted(m.back, 'steps')} back less than 1 % is left, at the first step {told(m.left)}"
    )
    advice = (
        f"a gated cell (gru, lstm), or {CURRICULUM}"
        if m.bias is None
        else f"{OPENED}, or {CURRICULUM}"
    )
    numbers = {"rate": m.rate, "reach": m.reach, "left": m.left, "steps": m.back}
    return Finding("vanishing", m.layer, text, advice, numbers)


def short_memory(m: Measurement) -> Finding | None:
    """Find a memory that is a small part of the sequence."""
    if m.reach is None or m.reach >= SHORT * m.back:
        return None
    text = (
        f"after {counted(m.reach, 'steps')} back less than 1 % of the gradient is left, "
        f"{100 * m.reach / m.back:.1f} % of the {counted(m.back, 'steps')} that it could go"
    )
    advice = (
        f"a gated cell (gru, lstm), or {CURRICULUM}"
        if m.bias is None
        else f"{OPENED}, or {CURRICULUM}"
    )
    numbers = {"reach": m.reach, "steps": m.back}
    return Finding("short-memory", m.layer, text, advice, numbers)


def forget_bias(m: Measurement) -> Finding | None:
    """Find the forget gate of a cell with a cell state half closed at the start."""
    if m.bias is None or m.keep is None or not m.separate:
        return None
    if not (m.bias < BIAS and m.keep < OPEN):  # so of NaN too
        return None
    half = "half closed" if m.keep > 0.3 else "closed"
    text = (
        f"the forget gate stands {half}: its bias is {m.bias:.2f} on average, and a step keeps "
        f"{number(100 * m.keep)} % of the cell state"
    )
    advice = f"{OPENED}; unrolled.open_gate(model), a bias of 1, where N is below 10"
    return Finding("forget-bias", m.layer, text, advice, {"bias": m.bias, "keep": m.keep})


def saturated(m: Measurement) -> Finding | None:
    """Find gates whose activations are at their ends most of the time."""
    worst = [name for name, part in m.stuck.items() if part > SATURATED]
    if not worst:
        return None
    means = {name: m.saturation[name].harmful.mean().item() for name in worst}
    listed = ", ".join(f"{name} {100 * mean:.0f} %" for name, mean in means.items())
    text = f"activations are within 0.05 of their ends most of the time: {listed} of all values"
    advice = "weights drawn anew, by reset_parameters()"
    return Finding("saturated", m.layer, text, advice, means)


def dead_units(m: Measurement) -> Finding | None:
    """Find units that do not react to the input."""
    if len(m.dead) < max(1, UNITS * m.units):
        return None
    units = counted(m.units, "units")
    text = f"{len(m.dead)} of {units} never change with the input: {_listed(m.dead)}"
    advice = "biases of 0, or weights drawn anew, by reset_parameters()"
    numbers = {"count": len(m.dead), "units": list(m.dead)}
    return Finding("dead-units", m.layer, text, advice, numbers)


def duplicate_units(m: Measurement) -> Finding | None:
    """Find units that do what another does."""
    if len(m.duplicates) < max(1, UNITS * m.units):
        return None
    pairs = ", ".join(f"{b} like {a}" for a, b in m.duplicates[:5])
    more = ", ..." if len(m.duplicates) > 5 else ""
    units = counted(m.units, "units")
    text = f"{len(m.duplicates)} of {units} do what another does: {pairs}{more}"
    advice = (
        "weights drawn anew, by reset_parameters(); whether more is learned then is not settled"
    )
    second = [b for _, b in m.duplicates]
    numbers = {"count": len(second), "units": second}
    return Finding("duplicate-units", m.layer, text, advice, numbers)


def told(left: float) -> str:
    """Return how much of a gradient is left, in words.

    >>> told(0.032), told(9e-46)
    ('0.032', '< 10⁻³⁸, below what float32 can tell')
    """
    below = ", below what float32 can tell" if 0 < left < LEAST else ""
    return f"{gradient_size(left)}{below}"


def _listed(units: list[int]) -> str:
    return ", ".join(map(str, units[:8])) + (", ..." if len(units) > 8 else "")
