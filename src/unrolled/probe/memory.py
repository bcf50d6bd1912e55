"""Memory: how long a layer keeps what it read, by its gates and as measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ..display import page_of, text_of
from ..kernels.eager import run
from .jacobian import identity, program, rows_of, with_inputs
from .passage import Passage
from .paths import carrier, coefficient, factors, written

FRACTION = 0.01
"""The fraction of a gradient that counts as forgotten."""

COPIES = 64
"""The number of sequences with an input left out that run side by side."""


@final
@dataclass(frozen=True, eq=False)
class MemoryLength:
    """The number of steps that a layer remembers.

    Attributes:
        state: the one that carries the memory: ``c`` of an LSTM, ``h`` of a GRU.
        factor: what multiplies its old value on the direct path, as an equation: ``f``; None for
            cells without such a path, such as the simple recurrent network.
        lengths: (H,) 1 / (1 - f) of the factor's mean f over all steps and rows: how many steps
            a unit averages over; None without a factor.
        half_lives: (H,) after how many steps the product of factors is down to a half.
        measured: after how many steps the gradient of the output, by all states, is down to
            `fraction` of what it is one step back; None if it never is within the sequence.
        steps: how many steps were there to be remembered.
        fraction: see `measured`.
    """

    state: str
    factor: str | None
    lengths: Tensor | None
    half_lives: Tensor | None
    measured: int | None
    steps: int
    fraction: float

    __repr__ = text_of
    _repr_html_ = page_of


def memory_length(passage: Passage, row: int, fraction: float) -> MemoryLength:
    """Return the memory length of a layer; `row` is the one that is measured."""
    if not 0 < fraction < 1:
        raise ValueError(f"memory: fraction should be between 0 and 1, got {fraction!r}")
    curve = torch.stack([torch.linalg.vector_norm(v).cpu() for v in passage.fading(row)])
    direct = direct_factors(passage)
    lengths = half_lives = None
    if direct is not None:
        lengths = 1 / (1 - direct.mean(0)).clamp_min(0)
        half_lives = math.log(2) / -direct.abs().log().mean(0).clamp_max(0)
    state = carrier(passage.graph)
    factor = coefficient(passage.graph, state)
    return MemoryLength(
        state,
        None if factor is None else written(passage.graph, factor),
        lengths,
        half_lives,
        reach(curve, fraction),
        len(curve) - 1,
        fraction,
    )


def direct_factors(passage: Passage) -> Tensor | None:
    """Return the factor of the memory's direct path at every step of every row, (N, H), or None."""
    state = carrier(passage.graph)
    if coefficient(passage.graph, state) is None:
        return None
    return torch.cat([factors(stretch, state)[valid] for stretch, valid in passage.pieces()])


def reach(curve: Tensor, fraction: float) -> int | None:
    """Return the first k > 1 at which a curve is below a fraction of its value at 1, or None."""
    if len(curve) < 3:
        return None
    below = (curve[2:] <= fraction * curve[1]).nonzero()
    return int(below[0]) + 2 if len(below) else None


def influence(passage: Passage, row: int) -> Tensor:
    """Return gradient × input: |(dh_t/dx_s) x_s| for steps t, s, (T, T)."""
    order = passage.unbroken(row)
    found = torch.zeros(passage.steps, passage.steps, dtype=torch.float64)
    for count, (step, sizes) in enumerate(zip(order, influences(passage, row), strict=True), 1):
        found[step, order[:count]] = sizes.cpu()
    return found


def influences(passage: Passage, row: int, first: int = 0) -> Iterator[Tensor]:
    """Yield |(dh_t/dx_s) x_s| for a step t and all s up to it, (1 + the place of t,), in order.

    Args:
        passage: of a layer.
        row: of the batch.
        first: the place of the first t; what steps before it made of their inputs is needed at
            the last of them alone, which costs T rather than T² products.
    """
    order = passage.unbroken(row)
    x = next(iter(passage.graph.inputs))
    own = rows_of(passage.graph.output, passage.widths)
    moved = _moved(passage, row, order[:first], x)
    for step in order[first:]:
        stretch = passage.step(row, step)
        by_states, by_input = with_inputs(stretch, identity(stretch), x)
        new = by_input[0] @ stretch.given[x][0, 0]
        moved = torch.cat([moved @ by_states[0].T, new.unsqueeze(0)])
        yield moved[:, own].norm(dim=1)


def _moved(passage: Passage, row: int, steps: Sequence[int], x: str) -> Tensor:
    """Return (ds_t/dx_s) x_s of all states after the last t of some steps, for each s, (N, S)."""
    vectors, found = passage.identity, list[Tensor]()
    for step in reversed(steps):
        stretch = passage.step(row, step)
        by_states, by_input = with_inputs(stretch, vectors.unsqueeze(0), x)
        found.append(by_input[0] @ stretch.given[x][0, 0])
        vectors = by_states[0]
    return torch.stack(found[::-1]) if found else vectors[:0]


def ablation(passage: Passage, row: int, by: str) -> Tensor:
    """Return how far h_t is from what it would be had x_s been 0, or the mean input, (T, T)."""
    if by not in ("zero", "mean"):
        raise ValueError(f"ablation: by should be 'zero' or 'mean', got {by!r}")
    order = passage.unbroken(row)
    found = torch.zeros(passage.steps, passage.steps, dtype=torch.float64)
    for start in range(0, len(order), COPIES):
        left_out = order[start : start + COPIES]
        for step, changed in zip(order, _without(passage, row, order, left_out, by), strict=True):
            found[step, left_out] = changed.cpu()
    taken = torch.tensor(order)
    later = torch.empty(passage.steps).index_copy(0, taken, torch.arange(0.0, len(order)))
    found[later.unsqueeze(1) < later] = 0  # what rounding leaves of inputs yet to come
    return found


def _without(
    passage: Passage, row: int, order: Sequence[int], left_out: Sequence[int], by: str
) -> Tensor:
    """Return the change of h at every step, in the order given, for each step that is left out."""
    x, output = next(iter(passage.graph.inputs)), passage.graph.output
    stretches = passage.stretches(row, order)
    mean = torch.cat([stretch.given[x] for stretch in stretches]).mean(0)
    states = {
        state: stretches[0].given[state][0].expand(len(left_out) + 1, -1)
        for state in passage.widths
    }
    found, done = [], 0
    for stretch in stretches:
        given = {
            name: value.expand(-1, len(left_out) + 1, -1).clone()
            for name, value in stretch.given.items()
            if name in stretch.graph.inputs
        }
        for copy, step in enumerate(left_out):
            place = order.index(step) - done
            if 0 <= place < stretch.steps:
                given[x][place, copy] = mean if by == "mean" else 0
        loop = program(stretch.graph, stretch.units)
        values, states = run(loop, stretch.weights, given, states, [output])
        found.append((values[output][:, :-1] - values[output][:, -1:]).norm(dim=-1))
        done += stretch.steps
    return torch.cat(found)
