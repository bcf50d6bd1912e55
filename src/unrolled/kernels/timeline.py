"""Where in memory the rows of each step stand, for sequences of one length or of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import final

import torch
from torch import Tensor

Places = slice | Tensor
CPU = torch.device("cpu")  # whatever device new tensors go to by default


@final
@dataclass(frozen=True, eq=False)
class Timeline:
    """The steps in the order in which a kernel takes them.

    The rows of all steps lie one after the other, N in all. States lie in an array of their own
    that has B rows more, for the states before the first step.

    Attributes:
        counts: (T,) how many rows take part in each step.
        step: (T,) where the rows of a step begin, among the N.
        old: (T,) where the states before a step begin, among the B + N.
        new: (T,) where those after it begin.
        lengths: (B,) how many steps each row has.
        batch: B.
        total: N.
        initial: where the B states before the first step stand, among the B + N.
        last: where those after each row's last step stand.
        before: for each of the N rows, where the state before its step stands.
    """

    counts: Tensor
    step: Tensor
    old: Tensor
    new: Tensor
    lengths: Tensor
    batch: int
    total: int
    initial: slice
    last: Places
    before: Places

    @property
    def is_dense(self) -> bool:
        """Whether all rows have all steps."""
        return isinstance(self.last, slice)

    @property
    def after(self) -> slice:
        """Where the states after the steps of the N rows stand, one after the other."""
        begin = 0 if self.initial.start else self.batch
        return slice(begin, begin + self.total)

    @cached_property
    def backward(self) -> Timeline:
        """The same steps, from the last to the first: every row that has a step takes the last."""
        names = ("counts", "step", "old", "new")
        turned = {name: getattr(self, name).flip(0) for name in names}
        return replace(self, **turned, lengths=(self.lengths > 0) * len(self.counts))

    @cached_property
    def pair(self) -> tuple[Tensor, Tensor, Tensor]:
        """For states of which only two steps are kept, 2 B rows: old, new, and where the last are.

        For rows that enter late, on the way back, both halves have to hold the first states.
        """
        parity = _count(len(self.counts)) % 2
        last = self.lengths % 2 * self.batch + _count(self.batch)
        return parity * self.batch, (1 - parity) * self.batch, last

    def final(self, pair: Tensor) -> Tensor:
        """The states after each row's last step, (B, units), of an array like `pair`."""
        if not self.is_dense:
            return pair.index_select(0, self.pair[2])
        begin = len(self.counts) % 2 * self.batch
        return pair[begin : begin + self.batch]


def check(user: str, batch_sizes: Sequence[int], batch: int, rows: int) -> None:
    """Check how many rows each step of ragged sequences has.

    Raises:
        ValueError: unless they fall from at most `batch` to at least 1, and are `rows` in all.
    """
    sizes = list(batch_sizes)
    if not sizes:
        raise ValueError(f"{user}: batch_sizes should name the rows of each step, got none")
    for step, (before, size) in enumerate(zip([batch, *sizes], sizes, strict=False)):
        if not 1 <= size <= before:
            raise ValueError(
                f"{user}: batch_sizes[{step}] should be between 1 and the {before} rows of "
                f"{'the step before' if step else 'the batch'}, got {size}"
            )
    if sum(sizes) != rows:
        raise ValueError(
            f"{user}: batch_sizes should add up to the {rows} rows of the data, got {sum(sizes)}"
        )


def _count(stop: int) -> Tensor:
    return torch.arange(stop, device=CPU)


@lru_cache(maxsize=64)
def dense(steps: int, batch: int, reverse: bool) -> Timeline:
    """Sequences of one length."""
    t = _count(steps) * batch
    counts = torch.full((steps,), batch, device=CPU)
    lengths = torch.full((batch,), steps, device=CPU)
    total = steps * batch
    first, end = slice(0, batch), slice(total, total + batch)
    if reverse:  # the states before the first step stand at the end
        t, new = t.flip(0), t.flip(0)
        before = slice(batch, batch + total)
        return Timeline(counts, t, t + batch, new, lengths, batch, total, end, first, before)
    before = slice(0, total)
    return Timeline(counts, t, t, t + batch, lengths, batch, total, first, end, before)


def ragged(batch_sizes: Sequence[int], batch: int) -> Timeline:
    """Sequences of several lengths, sorted by falling length, on their way forward."""
    counts = torch.tensor(batch_sizes, device=CPU)
    step = counts.cumsum(0) - counts
    old = torch.cat([step.new_zeros(1), batch + step[:-1]])
    rows = _count(batch)
    lengths = (counts.unsqueeze(1) > rows).sum(0)
    after = torch.cat([step.new_zeros(1), batch + step])  # where states after 0, 1, ... steps begin
    total = int(counts.sum())
    row, t = _rows_and_steps(counts, step, total)
    before = old[t] + row
    last = after[lengths] + rows
    first = slice(0, batch)
    return Timeline(counts, step, old, batch + step, lengths, batch, total, first, last, before)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # graphs keep it
def turned(batch_sizes: tuple[int, ...]) -> Tensor:
    """For each of the N rows, the row of its sequence that is as far from the other end.

    To run ragged sequences from the end to the start, their rows are turned and run forward.
    """
    counts = torch.tensor(batch_sizes, device=CPU)
    step = counts.cumsum(0) - counts
    rows = _count(int(counts[0]))
    lengths = (counts.unsqueeze(1) > rows).sum(0)
    row, t = _rows_and_steps(counts, step, int(counts.sum()))
    return step[lengths[row] - 1 - t] + row


def _rows_and_steps(counts: Tensor, step: Tensor, total: int) -> tuple[Tensor, Tensor]:
    """For each of the N rows, which row of its step it is, and which step that is."""
    t = _count(len(counts)).repeat_interleave(counts, output_size=total)
    return _count(total) - step[t], t
