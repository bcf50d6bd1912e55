"""One run over sequences: what does not change between forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from torch import Tensor

from ...locks import cached_property
from ..tuning import OBJECT
from .abi import Buffer, Role
from .launch import Launch, Steps
from .launcher import Form
from .linear import Linear
from .memory import Offsets, empty, offsets, rows_like
from .outline import Kind, Outline
from .timeline import Timeline


@final
class Call:
    """One run over sequences of some lengths.

    Args:
        outline: what it has in common with others.
        time: where the rows of the steps stand.
        shape: (T, B), or (N,) if ragged.
        batch_sizes, reverse: as for `eager.run`.

    Attributes:
        recurrence, record: of the outline.
        size: bytes that it takes, with a launch forward and one backward.
    """

    def __init__(
        self,
        outline: Outline,
        time: Timeline,
        shape: tuple[int, ...],
        batch_sizes: Sequence[int] | None,
        reverse: bool,
    ) -> None:
        self.outline = outline
        self.recurrence, self.record = outline.recurrence, outline.record
        self.time = time
        self.shape = shape
        self.batch_sizes = batch_sizes
        self.reverse = reverse
        self._launches: dict[Any, Launch | None] = {}  # by kind and number of threads
        self.size = 4 * OBJECT + time.size

    @cached_property
    def is_single(self) -> bool:
        """Whether it is one step that records nothing but states."""
        steps = self.time.is_dense and self.time.batch == self.time.total
        steps = steps and not self.outline.shared
        return steps and self.outline.states.keys() >= set(self.record)

    # Launches.

    def launch(self, kind: Kind) -> Launch:
        """Return the launch on as many threads as pay off."""
        known = self._launches.get((kind, torch.get_num_threads()))
        return known or self._made(kind)

    def _made(self, kind: Kind) -> Launch:
        time, kernel = self._time(kind), self.outline.kernel(kind)
        lengths = None if time.is_dense else time.lengths
        threads, shards = kernel.shards(time.batch, time.total, lengths)
        launch = self._at(kind, threads, shards)
        self._launches[kind, torch.get_num_threads()] = launch
        return launch

    def alone(self, kind: Kind) -> Launch | None:
        """Return the launch on one thread for running beside another call, if that is better."""
        key = kind, torch.get_num_threads(), "alone"
        if key not in self._launches:
            rows, kernel = self.time.batch, self.outline.kernel(kind)
            gains = self.time.is_dense and kernel.gains_concurrently(rows, self.time.total)
            self._launches[key] = self._at(kind, 1, (1, 0, rows)) if gains else None
        return self._launches[key]

    def _at(self, kind: Kind, threads: int, shards: tuple[int, ...]) -> Launch:
        time = self._time(kind)
        counts, tables = time.places
        steps = Steps(time.steps, counts, tables, shards, time.batch, time)
        return self.outline.template(kind, threads).at(self.sizes(kind), steps)

    def prepared(self, key: Any, make: Callable[[], Launch]) -> Launch:
        """Return a launch that belongs to the call; it is made once for each number of threads."""
        key = key, torch.get_num_threads()
        known = self._launches.get(key)
        if known is None:
            known = self._launches[key] = make()
        return known

    def _time(self, kind: Kind) -> Timeline:
        """Return the steps in the order in which a launch takes them."""
        return self.time if isinstance(kind, str) else self.time.backward

    def sizes(self, kind: Kind) -> dict[str, int]:
        """Return what the outline leaves open."""
        sizes = {"total": self.time.total}
        if kind == "single":
            return sizes
        half = self._time(kind).half
        if isinstance(half, slice):
            sizes["last half"] = half.start
        if kind == "inference":
            return sizes
        return sizes | self._store_sizes

    @cached_property
    def _store_sizes(self) -> dict[str, int]:
        sizes = {f"start of {array}": start for array, start in self.store.starts.items()}
        sizes |= {"stored": self.store.size, "first states": self.time.initial.start}
        if isinstance(self.time.last, slice):
            sizes["last states"] = self.time.last.start
        for name, rows in (("before", self.time.before), ("after", self.time.after)):
            if isinstance(rows, slice):
                sizes[f"states {name}"] = rows.start
        return sizes | {"total": self.time.total}

    # Tensors.

    @cached_property
    def given(self) -> dict[Buffer, Form]:
        """What sources, states and weights have to be."""

        def settled(form: Form) -> Form:
            shape = (self.time.total if isinstance(n, Linear) else n for n in form.shape)
            return form._replace(shape=tuple(shape))

        return {buffer: settled(form) for buffer, form in self.outline.given.items()}

    @cached_property
    def arriving(self) -> list[tuple[int, int]]:
        """The shapes of the gradients of recorded values, and of last states."""
        recorded = [(self.time.total, units) for units in self.outline.widths.values()]
        return recorded + [(self.time.batch, units) for units in self.outline.states.values()]

    def read(self, sources: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
        """Return what every loop reads: banks and weights."""
        product = self.recurrence.product
        if product is not None:
            sources = product.run(sources, weights, self.time.total)
        return [*sources, *weights]

    def results(self, states: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return new arrays for the last states, like the first, and for recorded values."""
        last = self.last(states)
        return last, [empty(last[0], *shape) for shape in self.recorded_shapes]

    def last(self, states: Sequence[Tensor]) -> list[Tensor]:
        """Return new arrays for the last states, like the first: (1, B, units) if shared."""
        if not self.outline.shared:
            return list(map(rows_like, states))
        return [state.new_empty(1, self.time.batch, len(state)) for state in states]

    @cached_property
    def recorded_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of recorded values, (T, B, units), or (N, units) if ragged."""
        return [(*self.shape, units) for units in self.outline.widths.values()]

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """The shapes of states before and after a step, (2 B, units), where they are operands."""
        return [] if self.time.is_dense else list(self.outline.pairs.values())

    @cached_property
    def store(self) -> Offsets:
        """What is kept for the backward pass: states before and after all steps, saved values."""
        return offsets(self.outline.store_counts(self.time.total), self.recurrence.dtype)

    def full(self, store: Tensor, name: str) -> Tensor:
        """Return a state before and after all steps, (B + N, units), of what is kept."""
        units, rows = self.outline.states[name], self.time.batch + self.time.total
        start = self.store.starts[Buffer(Role.OLD, name)]
        return store[start : start + rows * units].view(rows, units)
