"""Units that track a property of the input, told from those that seem to by chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, final

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..display import counted, page, paragraph, plain, table
from .aligned import feature_of, values_of

if TYPE_CHECKING:
    from rich.console import Group

LEVEL = 0.05
"""The chance of any unit being reported when none tracks the feature."""
SHIFTS = 500
"""The number of features, shifted or exchanged, that are the control."""
LEAST = 40
"""The fewest ways to shift or exchange with which a finding at `LEVEL` can be told from chance with
some room."""


class Unit(NamedTuple):
    """A unit, and its score for a feature on steps that nothing was fitted to.

    Attributes:
        name: of the recorded value: ``l0.h``.
        unit: its number.
        score: the correlation with the feature, positive if its sign is that of the first part.
        p: the chance that the best of all units scores so high on a feature of the control.
        rising: whether the unit rises with the feature; from the first part.
        auc: of a 0/1 feature, the chance that the unit tells a 1 from a 0; else None.
        threshold: of a 0/1 feature, the middle between the unit's means; from the first part.
        accuracy: of a 0/1 feature, the mean of the parts of ones and of zeros that fall on the
            right side of the threshold; else None.
    """

    name: str
    unit: int
    score: float
    p: float
    rising: bool
    auc: float | None
    threshold: float | None
    accuracy: float | None


def find_units(
    recording: Mapping[str, Tensor],
    feature: Any,
    split: float = 0.5,
    seed: int = 0,
    *,
    batch_first: bool | None = None,
) -> UnitSearch:
    """Search recorded values for units that track a feature.

    On the first part of each row's steps every unit's sign and threshold are fitted; the score is
    the correlation on the others, of all rows together. The control is the same score of features
    shifted in time within each row, around the end, which keeps how smooth they are: neighbouring
    steps are alike, so many units agree with any smooth feature for a while. Rows that are too
    short for that are exchanged instead: each is given the feature of another. A unit is found if
    it beats the best of *all* units on 95 % of these features.

    Args:
        recording: of `unrolled.record`, or tensors by name, (T, B, units) or (T, units).
        feature: 0/1 or real numbers, one for each step of each row; see `unrolled.features`. Either
            a tensor like a recorded value without its units: (T, B), (B, T) if the module is
            `batch_first`, (T,) for a single row. Or a list of tensors: one for each row, (T,) or as
            long as the row; or one for each call of the module, (T, B) or (B, T) of that call. What
            lies after a row's end is not looked at.
        split: the part of the steps that comes first.
        seed: of the control.
        batch_first: of tensors by name, whether they and the feature have the batch first; a
            recording knows this of itself.

    Raises:
        TypeError: for a feature that is not numbers.
        ValueError: for a feature of the wrong shape, with NaN, or constant in either part; for
            values of different lengths or layouts; for too few steps.

    >>> import torch, unrolled
    >>> rnn = unrolled.RNN(1, 8)
    >>> x = (torch.rand(400, 1, 1) < 0.5).float()
    >>> with unrolled.record(rnn, "*.h") as recording:
    ...     output, h = rnn(x)
    >>> search = unrolled.find_units(recording, x.squeeze(-1))
    >>> search.found[0].p < 0.05
    True
    """
    if not 0 < split < 1:
        raise ValueError(f"find_units: split should be between 0 and 1, got {split!r}")
    values, form = values_of(recording, batch_first)
    labels = [(name, unit) for name, value in values.items() for unit in range(value.shape[-1])]
    every = torch.cat(list(values.values()), -1)
    given = feature_of(feature, form)
    parts = [_part(every, given, form.taken, split, late) for late in (False, True)]
    early, late = parts
    for part, name in zip(parts, ("first", "second"), strict=True):
        if not len(part.y) or bool((part.y == part.y[0]).all()):
            raise ValueError(
                f"find_units: the feature is constant in the {name} part of the steps: take a "
                "longer sequence, or another split="
            )
    signs = _correlations(early.x, early.y.unsqueeze(1)).squeeze(1).sign()
    scores = signs * _correlations(late.x, late.y.unsqueeze(1)).squeeze(1)
    best = (signs.unsqueeze(1) * _correlations(late.x, _control(late, seed))).max(0).values
    p = (1 + (best.unsqueeze(0) >= scores.unsqueeze(1)).sum(1)) / (1 + len(best))
    is_binary = all(bool(((part.y == 0) | (part.y == 1)).all()) for part in parts)
    fits = _fit(early, late, signs).tolist() if is_binary else [(None, None, None)] * len(labels)
    numbers = (scores.tolist(), p.tolist(), (signs > 0).tolist())
    units = [
        Unit(*label, score, p_value, rising, *fit)
        for label, score, p_value, rising, fit in zip(labels, *numbers, fits, strict=True)
    ]
    units.sort(key=lambda unit: -unit.score)
    return UnitSearch(units, best.quantile(1 - LEVEL).item(), len(best))


@final
@dataclass(frozen=True, eq=False)
class _Steps:
    """The steps of one part, rows one after the other: values (N, U) and feature (N,)."""

    x: Tensor
    y: Tensor
    lengths: list[int]  # of each row, here


def _part(values: Tensor, feature: Tensor, taken: Tensor, split: float, late: bool) -> _Steps:
    """Return the first part of each row's steps, or the second."""
    places = [each.nonzero().flatten() for each in taken.T]
    cuts = [int(len(each) * split) for each in places]
    chosen = [p[cut:] if late else p[:cut] for p, cut in zip(places, cuts, strict=True)]
    x = torch.cat([values[steps, row] for row, steps in enumerate(chosen)])
    y = torch.cat([feature[steps, row] for row, steps in enumerate(chosen)])
    return _Steps(x, y, [len(steps) for steps in chosen])


def _correlations(x: Tensor, y: Tensor) -> Tensor:
    """Correlate each column of x (N, U) with each of y (N, S), (U, S); 0 for what never changes."""
    x, y = x - x.mean(0), y - y.mean(0)
    products = x.T @ y
    scale = x.norm(dim=0).unsqueeze(1) * y.norm(dim=0)
    still = (x.abs().amax(0) <= 1e-12).unsqueeze(1)
    return (products / scale).nan_to_num(0, 0, 0).where(~still, 0.0)


def _control(part: _Steps, seed: int) -> Tensor:
    """Return the feature as it would be elsewhere, (N, S): shifted in time within each row, or
    exchanged between rows where these are too short for that.
    """
    generator = torch.Generator().manual_seed(seed)
    room = [length - 2 * _margin(length) + 1 for length in part.lengths]
    pieces = part.y.split(part.lengths)
    if max(room) >= LEAST:
        return _shifted(pieces, room, generator)
    if math.factorial(sum(length > 0 for length in part.lengths)) >= LEAST and not _alike(pieces):
        return _exchanged([piece for piece in pieces if len(piece)], generator)
    raise ValueError(
        f"find_units: {max(part.lengths)} held-out steps allow {max(*room, 0)} shifts for the "
        f"control, fewer than the {LEAST} it takes: record a longer sequence, or 5 rows or more of "
        "which the feature differs"
    )


def _shifted(pieces: Sequence[Tensor], room: list[int], generator: torch.Generator) -> Tensor:
    """Return the feature shifted in time within each row, (N, S)."""
    count = min(SHIFTS, max(room)) if len(room) == 1 else SHIFTS
    rows = []
    for piece, space in zip(pieces, room, strict=True):
        shift = (
            torch.randperm(space, generator=generator)[:count]
            if space >= count
            else torch.randint(max(space, 1), (count,), generator=generator)
        )
        moved = torch.arange(len(piece)).unsqueeze(1) - (_margin(len(piece)) + shift)
        rows.append(piece[moved % max(len(piece), 1)])
    return torch.cat(rows)


def _exchanged(pieces: Sequence[Tensor], generator: torch.Generator) -> Tensor:
    """Return the feature of other rows in the place of each row's own, (N, S); what is shorter
    begins anew.
    """
    orders = torch.stack([torch.randperm(len(pieces), generator=generator) for _ in range(SHIFTS)])
    lengths = torch.tensor([len(piece) for piece in pieces])
    padded = pad_sequence(list(pieces), batch_first=True)
    rows = []
    for others, piece in zip(orders.T, pieces, strict=True):
        places = torch.arange(len(piece)).unsqueeze(1) % lengths[others]
        rows.append(padded[others, places])
    return torch.cat(rows)


def _alike(pieces: Sequence[Tensor]) -> bool:
    """Return whether the feature is the same in all rows, so far as they go."""
    longest = max(pieces, key=len)
    return all(torch.equal(piece, longest[: len(piece)]) for piece in pieces)


def _margin(length: int) -> int:
    """Return the least shift: nearer ones are hardly another feature."""
    return max(1, length // 20)


def _fit(early: _Steps, late: _Steps, signs: Tensor) -> Tensor:
    """Fit thresholds of a 0/1 feature on the first part, and say how well they do on the second.

    Returns:
        (U, 3): the AUC, the threshold and the balanced accuracy of every unit.
    """
    ones, zeros = (early.x[early.y == value].mean(0) for value in (1, 0))
    threshold = (ones + zeros) / 2
    ranks = _ranks(late.x * signs)
    positive = late.y == 1
    count, others = int(positive.sum()), int((~positive).sum())
    auc = (ranks[positive].sum(0) - count * (count + 1) / 2) / (count * others)
    above = (late.x - threshold) * signs > 0
    right = above[positive].double().mean(0) + (~above[~positive]).double().mean(0)
    return torch.stack([auc, threshold, right / 2], 1)


def _ranks(x: Tensor) -> Tensor:
    """Return the rank of every number in its column, from 1; equal numbers share the mean of
    theirs.
    """
    columns = []
    for column in x.T:
        _, inverse, counts = column.unique(return_inverse=True, return_counts=True)
        ends = counts.cumsum(0).double()
        columns.append((ends - (counts - 1) / 2)[inverse])
    return torch.stack(columns, 1)


TITLES = ("unit", "score", "p", "AUC", "accuracy")


def _cells(unit: Unit) -> tuple[str, ...]:
    """Return the row of a unit."""
    numbers = (unit.score, unit.p, unit.auc, unit.accuracy)
    return (f"{unit.name}[{unit.unit}]", *("–" if n is None else f"{n:.3f}" for n in numbers))


@final
class UnitSearch(Sequence[Unit]):
    """The result of `find_units`: every unit, the best first.

    Attributes:
        found: those that are better than chance at the level of 5 %, all units together.
        chance: the score that the best of all units reaches by chance in one case of 20.
        shifts: how many features, shifted or exchanged, that is taken from.
    """

    def __init__(self, units: Sequence[Unit], chance: float, shifts: int) -> None:
        self._units = tuple(units)
        self.chance = chance
        self.shifts = shifts

    @property
    def found(self) -> list[Unit]:
        """The units that track the feature."""
        return [unit for unit in self._units if unit.p < LEVEL]

    def __getitem__(self, index: Any) -> Any:
        return self._units[index]

    def __len__(self) -> int:
        return len(self._units)

    def to_json(self) -> dict[str, Any]:
        """Return the search as data for JSON."""
        return {
            "chance": self.chance,
            "shifts": self.shifts,
            "found": len(self.found),
            "units": [unit._asdict() for unit in self._units],
        }

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        from ..columns import Columns

        shown = (self.found or self._units)[:10]
        styles = ["" if unit.p < LEVEL else "dim" for unit in shown]
        rows = Columns(TITLES, map(_cells, shown), styles=styles)
        left = len(self.found) - len(shown)
        more = [Text(f"… {left} more")] if left > 0 else []
        return Group(rows, *more, Text(self._summary))

    @property
    def _summary(self) -> str:
        count = len(self.found)
        summary = (
            f"{count} of {counted(len(self), 'units')} track the feature"
            if count
            else f"No unit of {len(self)} tracks the feature better than chance"
        )
        return f"{summary}; by chance the best one scores {self.chance:.3f}."

    def __str__(self) -> str:
        return plain(self)

    def _repr_html_(self) -> str:
        """Return a table of all units that were found, or else of the best ten."""
        rows = table(TITLES, map(_cells, self.found or self._units[:10]))
        return page(rows, paragraph(self._summary))

    def __repr__(self) -> str:
        return f"UnitSearch({len(self.found)} of {counted(len(self), 'units')})"
