"""Where in memory the rows of each step stand, for sequences of one length or of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from ...locks import cached_property
from . import cache
from .cache import OBJECT, Cache

Places = slice | Tensor
CPU = torch.device("cpu")  # whatever device new tensors go to by default


TABLES = ("step", "old", "new", "old of a pair", "new of a pair", "only")
"""Of the rows at which steps begin: see `Timeline`, its `half`, and where there is one step."""

NOWHERE = torch.zeros(1, dtype=torch.int64, device="cpu")
"""The beginning of the only step."""


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
        tables: of which the first four are parts, if all rows have all steps.
        falls: whether the last step is then taken first.
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
    tables: Tables | None = None
    falls: bool = False

    @property
    def size(self) -> int:
        """Bytes that it takes: parts of tables take none, but for those that it makes later."""
        if self.tables is not None:
            return OBJECT
        return OBJECT + 8 * (8 * len(self.counts) + 5 * self.batch + self.total)

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
    def before(self) -> Places:
        """For each of the N rows, where the state before its step stands."""
        if self.is_dense:
            begin = self.batch if self.initial.start else 0
            return slice(begin, begin + self.total)
        row, t = _rows_and_steps(self.counts, self.step, self.total)
        return self.old[t] + row

    @cached_property
    def backward(self) -> Timeline:
        """The same steps, from the last to the first: every row that has a step takes the last."""
        if self.tables is not None:
            is_reversed = self.initial.start > 0
            places = self.tables.places(len(self.counts), not self.falls, is_reversed)
            return replace(self, **places, falls=not self.falls)
        names = ("counts", "step", "old", "new")
        turned = {name: getattr(self, name).flip(0) for name in names}
        return replace(self, **turned, lengths=(self.lengths > 0) * len(self.counts))

    @cached_property
    def half(self) -> Places:
        """Of states of which two steps are kept in turn, 2 B rows: where those after the last are.

        For rows that enter late, on the way back, both halves have to hold the first states.
        """
        if self.is_dense:
            last = len(self.counts) % 2 * self.batch
            return slice(last, last + self.batch)
        last = self.lengths.numpy() % 2 * self.batch + np.arange(self.batch)
        return torch.from_numpy(last)

    @cached_property
    def directory(self) -> Directory:
        """Where the `TABLES` stand, and the row before which all steps end that begin there."""
        if self.tables is not None:
            turns = self.tables.pair(len(self.counts))
        else:
            turns = _turns(len(self.counts), self.batch)
        only = NOWHERE if len(self.counts) == 1 else self.step
        return Directory.of(self.counts, (self.step, self.old, self.new, *turns, only))

    def final(self, pair: Tensor) -> Tensor:
        """The states after each row's last step, (B, units), of an array like a pair."""
        half = self.half
        return pair[half] if isinstance(half, slice) else pair.index_select(0, half)


class Directory(NamedTuple):
    """Where tables stand.

    Attributes:
        addresses: of each of `TABLES`.
        ends: of each, the row before which all steps end that begin there.
        alive: what has to stay in memory.
    """

    addresses: np.ndarray
    ends: np.ndarray
    alive: object

    @staticmethod
    def of(counts: Tensor, tables: Sequence[Tensor]) -> Directory:
        """Return the directory of some tables of steps with so many rows each."""
        ends = np.stack([table.numpy() for table in tables]) + counts.numpy()
        addresses = np.array([table.data_ptr() for table in tables], np.int64)
        return Directory(addresses, ends.max(axis=1), tables)


@lru_cache(maxsize=64)
def _turns(steps: int, batch: int) -> tuple[Tensor, Tensor]:
    """Return 0, B, 0, B, ... and B, 0, B, 0, ..."""
    parity = np.arange(steps) % 2 * batch
    return torch.from_numpy(parity), torch.from_numpy(batch - parity)


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


class Tables(NamedTuple):
    """Numbers of which the places of all sequences of one length are parts, for so many rows.

    A length that was not met before then needs nothing made.

    Attributes:
        counts: B, B, B, ...
        rising: 0, B, 2 B, ...
        falling: ..., 2 B, B, 0.
        turns: 0, B, 0, B, ...
    """

    counts: Tensor
    rising: Tensor
    falling: Tensor
    turns: Tensor

    def places(self, steps: int, falls: bool, reverse: bool) -> dict[str, Tensor]:
        """Where the rows and states of so many steps begin: the first four of a timeline.

        Args:
            steps: T.
            falls: whether the kernel takes the last step first.
            reverse: whether states stand in the order of the steps that end with the first.
        """
        if falls:
            end = len(self.falling)
            step, after = self.falling[end - steps :], self.falling[end - 1 - steps : end - 1]
        else:
            step, after = self.rising[:steps], self.rising[1 : 1 + steps]
        counts = self.counts[:steps]
        return {"counts": counts, "step": step} | (
            {"old": after, "new": step} if reverse else {"old": step, "new": after}
        )

    def pair(self, steps: int) -> tuple[Tensor, Tensor]:
        """Where, in a pair, the states stand before each step, and after it."""
        return self.turns[:steps], self.turns[1 : 1 + steps]


_tables = Cache(cache.calls)  # by number of rows


def _tables_of(steps: int, batch: int) -> Tables:
    """Tables for so many steps at least."""
    known = _tables.get(batch)
    if known is None or len(known.counts) <= steps:
        size = max(64, 1 << steps.bit_length())
        t = _count(size)
        counts = torch.full((size,), batch, device=CPU)
        known = Tables(counts, t * batch, (size - 1 - t) * batch, t % 2 * batch)
        _tables.pop(batch, None)
        _tables.keep(batch, known, OBJECT + 32 * size)
    return known


def dense(steps: int, batch: int, reverse: bool) -> Timeline:
    """Sequences of one length."""
    tables, total = _tables_of(steps, batch), steps * batch
    lengths = torch.full((1,), steps, device=CPU).expand(batch)
    first, end = slice(0, batch), slice(total, total + batch)
    # the states before the first step stand at the end if the last step is taken first
    return Timeline(
        **tables.places(steps, reverse, reverse),
        lengths=lengths,
        batch=batch,
        total=total,
        initial=end if reverse else first,
        last=first if reverse else end,
        tables=tables,
        falls=reverse,
    )


def ragged(batch_sizes: Sequence[int], batch: int) -> Timeline:
    """Sequences of several lengths, sorted by falling length, on their way forward."""
    places = np.empty((4, len(batch_sizes)), np.int64)
    counts, step, old, new = places
    counts[:] = batch_sizes
    np.cumsum(counts, out=step)
    total = int(step[-1])
    step -= counts
    np.add(step, batch, out=new)
    old[0] = 0
    old[1:] = new[:-1]
    rows = np.arange(batch)
    lengths = len(counts) - np.searchsorted(counts[::-1], rows, side="right")
    last = np.where(lengths > 0, new[lengths - 1], 0) + rows
    names = ("counts", "step", "old", "new")
    return Timeline(
        **dict(zip(names, torch.from_numpy(places).unbind(), strict=True)),
        lengths=torch.from_numpy(lengths),
        batch=batch,
        total=total,
        initial=slice(0, batch),
        last=torch.from_numpy(last),
    )


_turned = Cache(cache.calls)


def turned(batch_sizes: tuple[int, ...]) -> Tensor:
    """For each of the N rows, the row of its sequence that is as far from the other end.

    To run ragged sequences from the end to the start, their rows are turned and run forward.
    """
    known = _turned.get(batch_sizes)
    if known is None:
        known = _rows_turned(batch_sizes)
        known = _turned.keep(batch_sizes, known, OBJECT + 36 * len(batch_sizes) + known.nbytes)
    return known


@torch.inference_mode(False)  # graphs keep it
def _rows_turned(batch_sizes: tuple[int, ...]) -> Tensor:
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
