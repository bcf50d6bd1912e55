"""Where in memory the rows of each step stand, for sequences of one length or of several."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import NamedTuple, final

import torch
from torch import Tensor

from ...locks import cached_property
from ..tuning import OBJECT
from . import cache
from .abi import WORD
from .cache import Cache

Places = slice | Tensor
CPU = torch.device("cpu")  # whatever device new tensors go to by default


TABLES = ("step", "old", "new", "old of a pair", "new of a pair")
"""Of the rows at which steps begin: see `Timeline`, and its `half`."""


@final
@dataclass(frozen=True, eq=False)
class Timeline:
    """The steps in the order in which a kernel takes them.

    The rows of all steps lie one after the other, N in all. States lie in an array of their own
    that has B rows more, for the states before the first step.

    Attributes:
        steps: T.
        batch: B.
        total: N.
        most: rows of a step at most.
        lengths: how many steps each row has.
        initial: where the B states before the first step stand, among the B + N.
        tables: of B.
        numbers: int64, of which `counts` and the first three `TABLES` are parts.
        begins: of these parts.
        is_dense: whether all rows have all steps; `numbers` are then those of `tables`.
        falls: whether the last step is then taken first.
    """

    steps: int
    batch: int
    total: int
    most: int
    lengths: Sequence[int]
    initial: slice
    tables: Tables
    numbers: Tensor
    begins: tuple[int, int, int, int]
    is_dense: bool
    falls: bool = False

    @property
    def size(self) -> int:
        """Bytes that it takes: parts of tables take none, but for those that it makes later."""
        if self.is_dense:
            return OBJECT
        return OBJECT + 8 * (6 * self.steps + 5 * self.batch + self.total)

    @property
    def counts(self) -> Tensor:
        """How many rows take part in each step, (T,)."""
        return self._part(0)

    @property
    def step(self) -> Tensor:
        """Where the rows of each step begin, among the N, (T,)."""
        return self._part(1)

    @property
    def old(self) -> Tensor:
        """Where the states before each step begin, among the B + N, (T,)."""
        return self._part(2)

    @property
    def new(self) -> Tensor:
        """Where those after it begin, (T,)."""
        return self._part(3)

    def _part(self, number: int) -> Tensor:
        return self.numbers[self.begins[number] :][: self.steps]

    @property
    def after(self) -> slice:
        """Where the states after the steps of the N rows stand, one after the other."""
        begin = 0 if self.initial.start else self.batch
        return slice(begin, begin + self.total)

    @cached_property
    def last(self) -> Places:
        """Where the states after each row's last step stand, among the B + N."""
        if self.is_dense:  # at the end where the first ones do not stand
            begin = 0 if self.initial.start else self.total
            return slice(begin, begin + self.batch)
        through = self.numbers[self.begins[2] :][: self.steps + 1]  # by how many steps are done
        return through[torch.tensor(self.lengths, device=CPU)] + _count(self.batch)

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
        if self.is_dense:
            falls = not self.falls
            begins = self.tables.begins(self.steps, falls, self.initial.start > 0)
            return replace(self, begins=begins, falls=falls)
        counts, step, old, new = (len(self.numbers) - n - self.steps for n in self.begins)
        return replace(
            self,
            lengths=[self.steps if length else 0 for length in self.lengths],
            numbers=self.numbers.flip(0),
            begins=(counts, step, old, new),
        )

    @cached_property
    def half(self) -> Places:
        """Of states of which two steps are kept in turn, 2 B rows: where those after the last are.

        For rows that enter late, on the way back, both halves have to hold the first states.
        """
        if self.is_dense:
            last = self.steps % 2 * self.batch
            return slice(last, last + self.batch)
        halves = [length % 2 * self.batch + row for row, length in enumerate(self.lengths)]
        return torch.tensor(halves, device=CPU)

    @property
    def places(self) -> tuple[int, list[tuple[int, int]]]:
        """The address of the counts; of each of `TABLES`, the row before which steps end, and its.

        However many rows the steps have, they follow each other: none ends after all of them.
        """
        first, turns = self.numbers.data_ptr(), self.tables.numbers.data_ptr()
        turns += WORD * self.tables.turns
        counts, step, old, new = (first + WORD * begin for begin in self.begins)
        states, pair = self.batch + self.total, self.batch + self.most
        tables = [(self.total, step), (states, old), (states, new), (pair, turns)]
        return counts, [*tables, (pair, turns + WORD)]

    def final(self, pair: Tensor) -> Tensor:
        """Return the states after each row's last step, (B, units), of an array like a pair."""
        half = self.half
        return pair[half] if isinstance(half, slice) else pair.index_select(0, half)


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
        size: steps that there are places for, less one.
        numbers: B, B, B, ...; 0, B, 2 B, ...; ..., 2 B, B, 0; and 0, B, 0, B, ..., each `size`.
    """

    size: int
    numbers: Tensor

    @property
    def turns(self) -> int:
        """Where 0, B, 0, B, ... begin: how states stand in a pair before each step."""
        return 3 * self.size

    def begins(self, steps: int, falls: bool, reverse: bool) -> tuple[int, int, int, int]:
        """Return where the counts, rows and states of so many steps begin: see `Timeline`.

        Args:
            steps: T.
            falls: whether the kernel takes the last step first.
            reverse: whether states stand in the order of the steps that end with the first.
        """
        step = 3 * self.size - steps if falls else self.size
        after = step + (-1 if falls else 1)
        return 0, step, *((after, step) if reverse else (step, after))


_tables = Cache(cache.calls)  # by number of rows


def _tables_of(steps: int, batch: int) -> Tables:
    """Return tables for so many steps at least."""
    known = _tables.get(batch)
    if known is None or known.size <= steps:
        size = max(64, 1 << steps.bit_length())
        t = _count(size)
        parts = (torch.full_like(t, batch), t * batch, t.flip(0) * batch, t % 2 * batch)
        known = Tables(size, torch.cat(parts))
        _tables.replace(batch, known, OBJECT + 32 * size)
    return known


def dense(steps: int, batch: int, reverse: bool) -> Timeline:
    """Return the timeline of sequences of one length."""
    tables, total = _tables_of(steps, batch), steps * batch
    # the states before the first step stand at the end if the last step is taken first
    begin = total if reverse else 0
    return Timeline(
        steps,
        batch,
        total,
        batch,
        [steps] * batch,
        slice(begin, begin + batch),
        tables,
        tables.numbers,
        tables.begins(steps, reverse, reverse),
        is_dense=True,
        falls=reverse,
    )


def ragged(batch_sizes: Sequence[int], batch: int) -> Timeline:
    """Return that of sequences of several lengths, sorted by falling length, forward."""
    steps, (*ends, total) = len(batch_sizes), accumulate(batch_sizes, initial=0)
    states = [batch + end for end in ends]
    numbers = array("q", [*batch_sizes, *ends, 0, *states])  # old and new are all but one the same
    lengths = [0] * batch
    for step, (count, after) in enumerate(zip(batch_sizes, [*batch_sizes[1:], 0], strict=True), 1):
        if count > after:
            lengths[after:count] = [step] * (count - after)
    return Timeline(
        steps,
        batch,
        total,
        max(batch_sizes),
        lengths,
        slice(0, batch),
        _tables_of(steps, batch),
        torch.frombuffer(numbers, dtype=torch.int64),
        (0, steps, 2 * steps, 2 * steps + 1),
        is_dense=False,
    )


_turned = Cache(cache.calls)


def turned(batch_sizes: tuple[int, ...]) -> Tensor:
    """Return for each of the N rows the row of its sequence that is as far from the other end.

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
    """Return for each of the N rows which row of its step it is, and which step that is."""
    t = _count(len(counts)).repeat_interleave(counts, output_size=total)
    return _count(total) - step[t], t
