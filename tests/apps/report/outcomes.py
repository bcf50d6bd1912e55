"""Outcomes with given numbers, for verdicts and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from unrolled.apps.study.outcome import Outcome, Point

LEARNS = ((0.0, 1e-22), (0.02, 1e-2), (0.5, 0.1), (1.0, 0.2))
"""Of a cell that learns: right answers and what is left of the gradient, at four evaluations."""
VANISHES = ((0.0, 1e-30), (0.0, 1e-28), (0.01, 1e-20), (0.01, 1e-19))
ARRIVES = ((0.0, 0.5), (0.0, 0.8), (0.01, 0.9), (0.02, 0.9))


def outcome(
    entrant: str,
    gap: int,
    held_out: float,
    looks: Sequence[tuple[float, float]] | None = None,
    **more: Any,
) -> Outcome:
    """One trial of 2,000 steps; `looks` are its trained scores and gradients along the way."""
    looks = looks or (LEARNS if held_out >= 0.95 else VANISHES)
    points = [
        Point(500 * (n + 1), 5.0 - trained, trained, held_out, reach)
        for n, (trained, reach) in enumerate(looks)
    ]
    start = ARRIVES[0][1] if looks is ARRIVES else 1e-25
    made = Outcome(
        task="long", gap=gap, entrant=entrant, digest="", seed=0, hidden=1, steps=2000,
        unit="accuracy", chance=0.003, goal=0.95, trained=looks[-1][0], held_out=held_out,
        diverged=False, seconds=1.0, curve=points,
        gradients={0.0: [1.0, start], 1.0: [1.0, looks[-1][1]]}, reading=None, dead=0.0,
    )  # fmt: skip
    return replace(made, **more)


def study(
    scores: Mapping[tuple[str, int], float],
    seeds: int = 3,
    looks: Mapping[tuple[str, int], Sequence[tuple[float, float]]] | None = None,
    **more: Any,
) -> list[Outcome]:
    """The same trials from so many seeds."""
    given = looks or {}
    return [
        outcome(name, gap, score, given.get((name, gap)), seed=seed, **more)
        for seed in range(seeds)
        for (name, gap), score in scores.items()
    ]


SCORES = {
    ("rnn_tanh", 1): 0.99,
    ("rnn_tanh", 100): 0.01,
    ("rnn_relu", 1): 0.97,
    ("rnn_relu", 100): 0.02,
    ("lstm", 1): 1.0,
    ("lstm", 100): 0.96,
}
"""As the article says, but for the ReLU."""
