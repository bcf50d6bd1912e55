"""The measurements of one layer for a diagnosis."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ..display import page_of, text_of
from .finite import begun, broken
from .gates import Saturation, bias, keeping, saturation
from .jacobian import rows_of, walk
from .memory import FRACTION, direct_factors, reach
from .passage import Passage
from .paths import carrier, coefficient, written

ROWS = 8
"""The number of rows of a batch in which the gradient is followed."""
VECTORS = 8
"""The number of random gradients that stand for all: a Frobenius norm to within a tenth or so."""
FADED = 1e-12
"""The fraction of a gradient below which it is followed no further."""
STUCK = 0.8
"""A unit is stuck if its activation is at an end for more than this part of all steps."""
NOTHING = -1e4
"""The logarithm that stands for a gradient of 0."""
SAMPLES = 20_000
"""The number of steps, of all rows, in which units are compared."""


@final
@dataclass(frozen=True, eq=False)
class Measurement:
    """The numbers of one layer in one direction.

    Attributes:
        layer: its name.
        cell: whose equations it computes.
        steps, units: T, and H of the output state.
        infinite: the first step after which a state is infinite or NaN; None if there is none.
        fed: whether what such a layer reads is infinite or NaN somewhere too.
        broken: the weights of a layer that hold infinite or NaN, each with how many places do.
        begun: the initial states that do.
        curve: (K + 1,) the natural logarithm of the size of dh_T/ds_{T-k}, the median over rows;
            s are all states together.
        saturation: of every sigmoid and tanh, by name.
        dead: the units of the output state that do not react to the input.
        duplicates: the units that do what a unit before them does, each with that one.
        factor: what multiplies the memory's old value, as an equation; None without.
        keep: the mean of that factor; None without.
        bias: how far the bias alone opens the gate that keeps the memory, on average, before the
            sigmoid; None for cells without such a gate.
        separate: whether the memory is a state of its own, not the output.
        samples: how many steps were seen, of all rows.
    """

    layer: str
    cell: str
    steps: int
    units: int
    infinite: int | None
    fed: bool
    broken: dict[str, int]
    begun: dict[str, int]
    curve: Tensor
    saturation: dict[str, Saturation]
    dead: list[int]
    duplicates: list[tuple[int, int]]
    factor: str | None
    keep: float | None
    bias: float | None
    separate: bool
    samples: int

    __repr__ = text_of
    _repr_html_ = page_of

    @property
    def stuck(self) -> dict[str, float]:
        """The fraction of units that are stuck at an end, by activation."""
        harmful = {name: each.harmful for name, each in self.saturation.items()}
        return {name: (each > STUCK).double().mean().item() for name, each in harmful.items()}

    @property
    def moved(self) -> bool:
        """Whether there are steps enough to tell which units never change."""
        return self.infinite is None and self.steps >= MOVED

    @property
    def compared(self) -> bool:
        """Whether there are steps enough to tell which units do the same."""
        return self.infinite is None and self.samples >= COMPARED

    @property
    def back(self) -> int:
        """K, how many steps back the gradient was followed."""
        return len(self.curve) - 1

    @property
    def rate(self) -> float | None:
        """The mean factor of a step on the gradient until 1 % is left, so that `reach` follows
        from it; over all steps where that is never so, and None where too few steps were seen.
        """
        if self.back < 2:
            return None
        return self.factor_between(1, self.back if self.reach is None else self.reach)

    @property
    def overall(self) -> float | None:
        """The same over all steps until nothing is left: a few units may keep what most forget."""
        if self.back < 2:
            return None
        faded = (self.curve - self.curve[1] < math.log(FADED)).nonzero()
        return self.factor_between(1, int(faded[0]) if len(faded) else self.back)

    def factor_between(self, first: int, last: int) -> float:
        """Return the mean factor of a step on the gradient from so many steps back to so many."""
        if self.curve[last] <= NOTHING:
            return 0.0
        return math.exp((self.curve[last] - self.curve[first]) / max(last - first, 1))

    @property
    def peak(self) -> int:
        """How many steps back the gradient is greatest."""
        return int(self.curve.argmax())

    @property
    def reach(self) -> int | None:
        """After how many steps back 1 % of the gradient is left; None if that is never so."""
        return reach(self.curve.exp(), FRACTION)

    @property
    def left(self) -> float:
        """The fraction of the gradient one step back that is left at the first step."""
        return self.left_after(self.back)

    def left_after(self, steps: int) -> float:
        """Return the fraction of the gradient one step back that is left so many steps back."""
        if self.curve[steps] <= NOTHING:
            return 0.0
        return math.exp(self.curve[steps] - self.curve[min(1, self.back)])

    @property
    def growth(self) -> float:
        """The greatest growth of the gradient since the last step (as log10)."""
        return (self.curve.max() - self.curve[0]).item() / math.log(10)


def measure(passage: Passage) -> Measurement:
    """Return the numbers of one layer."""
    graph = passage.graph
    infinite = _infinite(passage)
    output = passage.states()[graph.output].double().cpu()
    valid = passage.valid().cpu()
    factor = coefficient(graph, carrier(graph))
    keep = direct_factors(passage)
    opening = bias(graph, passage.visits[0].weights)
    dead = _dead(output, valid)
    if keeping(graph) is not None and opening is None:
        opening = torch.zeros(1)  # a gate without bias
    return Measurement(
        layer=passage.name,
        cell=graph.name,
        steps=passage.steps,
        units=output.shape[-1],
        infinite=infinite,
        fed=infinite is not None and _fed(passage),
        broken=broken({name + passage.suffix: w for name, w in passage.visits[0].weights.items()}),
        begun=begun(passage),
        curve=_curve(passage, infinite),
        saturation=saturation(passage),
        dead=dead,
        duplicates=_duplicates(output[valid], dead),
        factor=None if factor is None else written(graph, factor),
        keep=None if keep is None else keep.mean().item(),
        bias=None if opening is None else opening.mean().item(),
        separate=carrier(graph) != graph.output,
        samples=int(valid.sum()),
    )


def _infinite(passage: Passage) -> int | None:
    """Return the first step, in the order of any row, after which a state is not finite."""
    broken = (~passage.finite.all(1)).nonzero().flatten().tolist()
    if not broken:
        return None
    return max(broken) if passage.reverse else min(broken)


def _fed(passage: Passage) -> bool:
    """Return whether the input of a layer is not finite: what explodes is before it."""
    x = next(iter(passage.graph.inputs))
    return not all(bool(visit.given[x].isfinite().all()) for visit in passage.visits)


def _curve(passage: Passage, infinite: int | None) -> Tensor:
    """Compute `Measurement.curve`."""
    stride = max(1, passage.rows // ROWS)
    curves = [_row_curve(passage, row) for row in range(0, passage.rows, stride)][:ROWS]
    longest = max(len(curve) for curve in curves)
    padded = [torch.cat([c, c.new_full((longest - len(c),), math.nan)]) for c in curves]
    return torch.stack(padded).nanmedian(0).values


def _row_curve(passage: Passage, row: int) -> Tensor:
    """Return the logarithm of the gradient's size, one row's, as far back as the states go on."""
    steps = _usable(passage, row)[1:]
    own = rows_of(passage.graph.output, passage.widths)
    size = own.stop - own.start
    generator = torch.Generator().manual_seed(0)
    eye = passage.identity[own]
    drawn = torch.randn(VECTORS, size, generator=generator, dtype=torch.float64)
    vectors = (eye if size <= VECTORS else drawn.to(eye.device) @ eye).unsqueeze(0)
    sizes, scale = [vectors.norm().log().cpu()], 0.0
    for stretch in reversed(passage.stretches(row, steps)):
        for stop in range(stretch.steps, 0, -16):
            norm = vectors.norm()
            if norm > 0:  # so that no number gets too large or too small on the way
                vectors, scale = vectors / norm, scale + norm.log().item()
            for each in walk(stretch.part(max(0, stop - 16), stop), vectors):
                sizes.append((each.norm().log() + scale).cpu())
                vectors = each
    return torch.stack(sizes).clamp_min(NOTHING)


def _usable(passage: Passage, row: int) -> list[int]:
    """Return the longest run of a row's steps with finite states that go on from each other."""
    finite, seams = passage.finite[:, row].tolist(), passage.seams(row)
    runs: list[list[int]] = [[]]
    for step in passage.order(row):
        if step in seams or not finite[step]:
            runs.append([])
        if finite[step]:
            runs[-1].append(step)
    return max(runs, key=len)


def _dead(output: Tensor, valid: Tensor) -> list[int]:
    """Return the units that do not react: alike in all rows, or, of one row, the same at all late
    steps.

    A unit whose gates see no input still settles down over the first steps, alike in every row.
    """
    values = output.where(valid.unsqueeze(-1), torch.nan).nan_to_num(math.nan, math.nan, math.nan)
    if values.shape[0] < MOVED:
        return []
    size = values.square().nanmean((0, 1)).sqrt()
    spread = torch.zeros_like(size)
    if values.shape[1] > 1:
        deviation = values - values.nanmean(1, keepdim=True)
        spread = deviation.square().nanmean((0, 1)).sqrt()
    if not bool((spread > 1e-5 * size).any()):  # one row, or all rows alike
        late = values[values.shape[0] // 2 :]
        spread = (late - late.nanmean(0, keepdim=True)).square().nanmean((0, 1)).sqrt()
    moving = spread[spread > 1e-5 * size]
    least = 1e-4 * moving.median() if len(moving) else torch.zeros(())
    return ((spread <= 1e-5 * size) | (spread <= least)).nonzero().flatten().tolist()


def _duplicates(samples: Tensor, dead: list[int]) -> list[tuple[int, int]]:
    """Return pairs of units whose values go together in all samples (N, H)."""
    samples = samples[samples.isfinite().all(1)]
    samples = samples[:: max(1, len(samples) // SAMPLES)]
    alive = [unit for unit in range(samples.shape[1]) if unit not in set(dead)]
    if len(samples) < COMPARED or len(alive) < 2:
        return []
    correlation = torch.corrcoef(samples[:, alive].T).abs()
    pairs = (torch.triu(correlation, 1) > SAME).nonzero().tolist()
    first: dict[int, int] = {}
    for a, b in pairs:
        first.setdefault(b, a)
    return [(alive[a], alive[b]) for b, a in sorted(first.items())]


MOVED = 3
"""The least number of steps from which units can be called dead: two of them are late ones."""
COMPARED = 16
"""The least number of steps, of all rows, from which units can be called the same."""
SAME = 0.9999
"""The correlation of units that do the same: what they differ by is 1.4 % of what they do."""
