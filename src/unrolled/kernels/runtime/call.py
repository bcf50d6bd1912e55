"""One run over a sequence: what does not change between forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, final

import torch
from torch import Tensor

from ...graph.derivative import returned_input
from ...locks import cached_property
from . import cache
from .abi import Buffer, Role
from .kernel import Kernel
from .launch import Launch, Move, Place, Steps, Template
from .launcher import Form
from .memory import Layout, empty, layout
from .product import bank
from .recurrence import Recurrence, Training
from .timeline import Timeline

Kind = str | tuple[str, frozenset[int]]
"""Of a launch: inference, a single step, forward, or backward into some buffers."""

STORE = Buffer(Role.STORE)
"""All that the forward pass keeps for the backward pass."""

SAVED = Buffer(Role.SAVED)
"""The saved values among what is kept."""

NOWHERE = torch.zeros(1, dtype=torch.int64, device="cpu")
"""The beginning of the only step."""

V = TypeVar("V")

Prepare = Callable[[Kernel, int, tuple[int, ...]], Launch]

Forms = dict[Buffer, Form]
Places = dict[Buffer, Place]


@final
class Call:
    """One run over a sequence.

    Args:
        recurrence: the cell.
        record: names of the values that are returned for every step.
        time: where the rows of the steps stand.
        shape: (T, B), or (N,) if ragged.
        batch_sizes, reverse: as for `eager.run`.

    Attributes:
        banks: names of what the loop reads, as they stand side by side.
        sources: what a call is given: the cell's inputs if a product makes the banks of them, or
            the banks.
        states: how many units each state has.
        weights: names of the parameters.
        taken: how many sources, states and weights there are.
        size: bytes that it takes, but for its launches.
    """

    def __init__(
        self,
        recurrence: Recurrence,
        record: tuple[str, ...],
        time: Timeline,
        shape: tuple[int, ...],
        batch_sizes: Sequence[int] | None,
        reverse: bool,
    ) -> None:
        self.recurrence = recurrence
        self.record = record
        self.time = time
        self.shape = shape
        self.batch_sizes = batch_sizes
        self.reverse = reverse
        self.banks = recurrence.split.banks
        self.states = recurrence.states
        self.sources = self.banks
        if recurrence.is_whole:
            self.sources = tuple((name,) for name in recurrence.split.hoisted.inputs)
        self.weights = recurrence.weights
        self.taken = len(self.sources) + len(self.states) + len(self.weights)
        self._launches: dict[tuple[Kind, int], Launch] = {}  # by number of threads
        self._alones: dict[tuple[Kind, int], Launch | None] = {}
        self.size = 2 * cache.OBJECT + time.size
        self.derivatives: dict[tuple[bool, ...], Any] = {}

    @cached_property
    def training(self) -> Training:
        """The kernels that save for a backward pass, and make it."""
        return self.recurrence.training(self.record)

    # Operands.

    @cached_property
    def given(self) -> Forms:
        """Sources, states and weights."""
        recurrence, time = self.recurrence, self.time
        forms: Forms = {}
        for names in self.sources:
            if recurrence.is_whole:
                shape = (time.total, recurrence.sizes[recurrence.graph.inputs[names[0]]])
            elif names[0] in recurrence.split.vectors:
                shape = (recurrence.width(names),)
            else:
                shape = (time.total, recurrence.width(names))
            forms[bank(names)] = Form(" ".join(names), shape)
        forms |= self.rows_of_states(Role.INITIAL, "{}")
        weights = {Buffer(Role.WEIGHT, n): Form(n, recurrence.shapes[n]) for n in self.weights}
        return forms | weights

    def rows_of_states(self, role: Role, label: str) -> Forms:
        """Return an operand for each state, (B, units)."""
        return {
            Buffer(role, name): Form(label.format(name), (self.time.batch, units))
            for name, units in self.states.items()
        }

    @cached_property
    def _read(self) -> Forms:
        """What every loop reads: banks and weights."""
        if self.recurrence.product is None:
            states = self.rows_of_states(Role.INITIAL, "{}")
            return {buffer: form for buffer, form in self.given.items() if buffer not in states}
        banks = {
            bank(names): Form(" ".join(names), (self.time.total, self.recurrence.width(names)))
            for names in self.banks
        }
        weights = {b: form for b, form in self.given.items() if b.role is Role.WEIGHT}
        return banks | weights

    @property
    def _unread(self) -> Forms:
        """Sources that no loop reads, but what comes before or after it."""
        if self.recurrence.product is None:
            return {}
        return {bank(names): self.given[bank(names)] for names in self.sources}

    def read(self, sources: Sequence[Tensor], weights: Sequence[Tensor]) -> list[Tensor]:
        """Return the tensors of `_read`."""
        product = self.recurrence.product
        if product is not None:
            sources = product.run(sources, weights, self.time.total)
        return [*sources, *weights]

    @cached_property
    def _bindings(self) -> Places:
        """Where stands what every loop reads."""
        step = self.recurrence.split.step
        places: Places = {}
        for names in self.banks:
            column = 0
            for name in names:
                places[Buffer(Role.INPUT, name)] = Place(bank(names), column)
                column += self.recurrence.width([name])
        for name in self.weights:
            places[Buffer(Role.WEIGHT, name)] = Place(Buffer(Role.WEIGHT, name))
        for node in step.learned:
            name = node.attribute.name
            places[Buffer(Role.LEARNED, name)] = Place(Buffer(Role.WEIGHT, name))
        return places

    @cached_property
    def recorded(self) -> Forms:
        """The recorded values, (N, units)."""
        return {
            Buffer(Role.RECORDED, name): Form(name, (self.time.total, units))
            for name, units in self.widths.items()
        }

    # Launches.

    @cached_property
    def is_single(self) -> bool:
        """Whether it is one step that records nothing but states."""
        steps = self.time.is_dense and self.time.batch == self.time.total
        return steps and self.states.keys() >= set(self.record)

    @property
    def single(self) -> Launch:
        """One step: what is read, states before it; states after it, recorded states."""

        def prepare(kernel: Kernel, threads: int, shards: tuple[int, ...]) -> Launch:
            initial, final = self._both_states()
            forms = {**self._read, **initial, **final, **self.recorded}
            places = self._bindings | {
                Buffer(role, b.name): Place(b)
                for role, buffers in ((Role.OLD, initial), (Role.NEW, final))
                for b in buffers
            }
            starts = {b: NOWHERE for b in places if b.role in (Role.OLD, Role.NEW)}
            after = [
                Move(Place(Buffer(Role.FINAL, b.name)), Place(b), form.numbers)
                for b, form in self.recorded.items()
            ]
            return self._prepared(
                self.time, kernel, threads, shards, forms, places, starts, after=after
            )

        return self._launch("single", lambda: self.recurrence.inference(()), prepare)

    def _both_states(self) -> tuple[Forms, Forms]:
        initial = self.rows_of_states(Role.INITIAL, "{}")
        return initial, self.rows_of_states(Role.FINAL, "the last {}")

    @property
    def inference(self) -> Launch:
        """All steps: what is read, first states; last states, recorded values, pairs if ragged.

        Of ragged sequences the last states are not written: they stand in the pairs.
        """
        return self._launch("inference", self._inferring, self._inference)

    @property
    def inference_alone(self) -> Launch | None:
        """The same on one thread, if that is better where another call runs beside it."""
        return self._alone("inference", self._inferring, self._inference)

    def _inferring(self) -> Kernel:
        return self.recurrence.inference(self.record)

    def _inference(self, kernel: Kernel, threads: int, shards: tuple[int, ...]) -> Launch:
        initial, final = self._both_states()
        forms = {**self._read, **initial, **final, **self.recorded, **self.pairs}
        places = self._bindings | {b: Place(b) for b in self.recorded}
        old, new, last = self.time.pair
        starts: dict[Buffer, Tensor] = {}
        before, after = [], []
        for name, units in self.states.items():
            pair, count = Buffer(Role.PAIR, name), self.time.batch * units
            places |= {Buffer(role, name): Place(pair) for role in (Role.OLD, Role.NEW)}
            starts |= {Buffer(Role.OLD, name): old, Buffer(Role.NEW, name): new}
            source = Place(Buffer(Role.INITIAL, name))
            before.append(Move(source, Place(pair), count))
            if isinstance(last, slice):
                target = Place(Buffer(Role.FINAL, name))
                after.append(Move(Place(pair, last.start * units), target, count))
            else:  # rows that enter late read the other half
                before.append(Move(source, Place(pair, count), count))
        return self._prepared(
            self.time, kernel, threads, shards, forms, places, starts, before, after
        )

    @cached_property
    def pairs(self) -> Forms:
        """For each state, an array for it before and after a step, (2 B, units), if ragged."""
        shapes = {} if self.time.is_dense else self._pairs
        return {buffer: Form(buffer.name, shape) for buffer, shape in shapes.items()}

    @property
    def _pairs(self) -> dict[Buffer, tuple[int, int]]:
        """The same, which is workspace of launches for rows of one length."""
        batch = 2 * self.time.batch
        return {Buffer(Role.PAIR, name): (batch, units) for name, units in self.states.items()}

    @property
    def forward(self) -> Launch:
        """All steps: what is read, first states; last states, recorded values, all that is kept.

        Of ragged sequences the last states are not written: they stand in what is kept.
        """
        return self._launch("forward", lambda: self.training.forward, self._forward)

    @property
    def forward_alone(self) -> Launch | None:
        """The same on one thread, if that is better where another call runs beside it."""
        return self._alone("forward", lambda: self.training.forward, self._forward)

    def _forward(self, kernel: Kernel, threads: int, shards: tuple[int, ...]) -> Launch:
        initial, final = self._both_states()
        forms = {**self._read, **initial, **final, **self.recorded, STORE: self._stored}
        places = self._bindings | {b: Place(b) for b in self.recorded} | self.saved
        starts: dict[Buffer, Tensor] = {}
        before, after = [], []
        for name, units in self.states.items():
            place, count = self.full_place(name), self.time.batch * units
            places |= {Buffer(role, name): place for role in (Role.OLD, Role.NEW)}
            starts |= {Buffer(Role.OLD, name): self.time.old, Buffer(Role.NEW, name): self.time.new}
            into = Place(STORE, place.offset + self.time.initial.start * units)
            before.append(Move(Place(Buffer(Role.INITIAL, name)), into, count))
            if isinstance(self.time.last, slice):
                end = Place(STORE, place.offset + self.time.last.start * units)
                after.append(Move(end, Place(Buffer(Role.FINAL, name)), count))
        return self._prepared(
            self.time, kernel, threads, shards, forms, places, starts, before, after
        )

    @property
    def _stored(self) -> Form:
        return Form("what was kept", (self.store.size,))

    @property
    def saved(self) -> Places:
        """Where the saved values stand in what is kept."""
        start = self.store.starts[SAVED]
        columns = self.training.columns.items()
        return {buffer: Place(STORE, start + column) for buffer, column in columns}

    def full_place(self, name: str) -> Place:
        """Return where a state before and after all steps stands, (B + N, units)."""
        return Place(STORE, self.store.starts[Buffer(Role.OLD, name)])

    def backward(self, buffers: frozenset[int]) -> Launch:
        """Return the derivative, from the last step to the first, into some buffers.

        It takes what is read, sources that are not, what was kept, the gradients of recorded values
        and of last states; gradients of the first states, or pairs of them if ragged; the buffers
        of gradients, and sums.
        """
        make = partial(self.training.backward, buffers)
        return self._launch(("backward", buffers), make, self._backward(buffers))

    def backward_alone(self, buffers: frozenset[int]) -> Launch | None:
        """Return the same on one thread, if that is better where another call runs beside it."""
        make = partial(self.training.backward, buffers)
        return self._alone(("backward", buffers), make, self._backward(buffers))

    def _backward(self, buffers: frozenset[int]) -> Prepare:
        def prepare(kernel: Kernel, threads: int, shards: tuple[int, ...]) -> Launch:
            forms = {**self._read, **self._unread, STORE: self._stored}
            forms |= {**self.arriving, **(self.pairs or self.leaving)}
            places = self._bindings | self.saved
            step, back = self.recurrence.split.step, self.time.backward
            for name in self.record:
                key = Buffer(Role.INPUT, returned_input(step, name))
                places[key] = Place(Buffer(Role.RECORDED, name))
            old, new, last = back.pair
            starts: dict[Buffer, Tensor] = {}
            before: list[Move] = []
            after: list[Move] = []
            for name, units in self.states.items():
                starts[Buffer(Role.INPUT, name)] = back.old
                starts[Buffer(Role.AFTER, name)] = back.new
                full, pair = self.full_place(name), Place(Buffer(Role.PAIR, name))
                places |= {Buffer(role, name): full for role in (Role.INPUT, Role.AFTER)}
                gradient = f"d_{name}"
                starts |= {Buffer(Role.OLD, gradient): old, Buffer(Role.NEW, gradient): new}
                places |= {Buffer(role, gradient): pair for role in (Role.OLD, Role.NEW)}
                count = self.time.batch * units
                final = Place(Buffer(Role.FINAL, name))
                before += [Move(final, pair, count)]
                before += [Move(final, Place(pair.operand, count), count)]
                if isinstance(last, slice):
                    end = Place(pair.operand, last.start * units)
                    after.append(Move(end, Place(Buffer(Role.INITIAL, name)), count))
            plan = self.training.plan
            for buffer, (_, place) in plan.stored(buffers).items():
                whole = Buffer(Role.GRADIENT, f"buffer {place.buffer}")
                width = plan.widths[place.buffer]
                forms[whole] = Form(str(whole), (self.time.total, width))
                places[buffer] = Place(whole, place.start)
            for name in plan.reduced:
                buffer = Buffer(Role.SUM, name)
                forms[buffer] = Form(str(buffer), (threads, kernel.block.field(buffer).stride))
                places[buffer] = Place(buffer)
            return self._prepared(
                back, kernel, threads, shards, forms, places, starts, before, after
            )

        return prepare

    @cached_property
    def arriving(self) -> Forms:
        """The gradients of the recorded values and of the last states."""
        recorded = {
            buffer: form._replace(label=f"the gradient of {form.label}")
            for buffer, form in self.recorded.items()
        }
        return recorded | self.rows_of_states(Role.FINAL, "the gradient of the last {}")

    @cached_property
    def leaving(self) -> Forms:
        """The gradients of the states before the first step."""
        return self.rows_of_states(Role.INITIAL, "the gradient of the first {}")

    def _launch(self, kind: Kind, make: Callable[[], Kernel], prepare: Prepare) -> Launch:
        """Return what takes all threads that are worth it."""
        known = self._launches.get((kind, torch.get_num_threads()))
        if known is None:
            lengths = None if self.time.is_dense else self._time(kind).lengths.tolist()
            kernel = make()
            shards = kernel.shards(self.time.batch, self.time.total, lengths)
            known = self._kept(prepare(kernel, *shards))
            self._launches[kind, torch.get_num_threads()] = known
        return known

    def _alone(self, kind: Kind, make: Callable[[], Kernel], prepare: Prepare) -> Launch | None:
        """Return what takes one thread, if that is better where another call runs beside it."""
        key = kind, torch.get_num_threads()
        if key not in self._alones:
            kernel, rows = make(), self.time.batch
            gains = self.time.is_dense and kernel.gains_abreast(rows, self.time.total)
            known = self._kept(prepare(kernel, 1, (1, 0, rows))) if gains else None
            self._alones[key] = known
        return self._alones[key]

    @staticmethod
    def _kept(launch: Launch) -> Launch:
        cache.calls.charge(launch.size)
        return launch

    def _time(self, kind: Kind) -> Timeline:
        """Return the steps in the order in which a launch takes them."""
        return self.time if isinstance(kind, str) else self.time.backward

    def _prepared(
        self,
        time: Timeline,
        kernel: Kernel,
        threads: int,
        shards: tuple[int, ...],
        forms: Forms,
        places: Places,
        starts: Mapping[Buffer, Tensor],
        before: Sequence[Move] = (),
        after: Sequence[Move] = (),
    ) -> Launch:
        user = self.recurrence.graph.name
        pairs = {b: rows * units for b, (rows, units) in self._pairs.items() if b not in forms}
        template = Template(
            user if time is self.time else f"{user}, backward",
            kernel.code,
            kernel.block,
            forms,
            {b: place for b, place in places.items() if b in kernel.block},
            {**kernel.workspace(time.batch), **pairs},
            self.recurrence.dtype,
            threads,
            before=before,
            after=after,
        )
        return template.at(steps=Steps(time.counts, starts, time.step, shards, time.batch))

    # Tensors.

    def parted(self, values: Sequence[V]) -> tuple[Sequence[V], Sequence[V], Sequence[V]]:
        """Return what belongs to sources, states and weights, of one flat list."""
        first, second = len(self.sources), len(self.sources) + len(self.states)
        return values[:first], values[first:second], values[second:]

    def results(self, states: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Return new arrays for the last states, like the first, and for recorded values."""
        last = [torch.empty_like(state) for state in states]
        return last, [empty(last[0], *shape) for shape in self.recorded_shapes]

    @cached_property
    def recorded_shapes(self) -> list[tuple[int, ...]]:
        """The shapes of recorded values, (T, B, units), or (N, units) if ragged."""
        return [(*self.shape, units) for units in self.widths.values()]

    @cached_property
    def widths(self) -> dict[str, int]:
        """How many units each recorded value has."""
        return {name: self.recurrence.probe_width(name) for name in self.record}

    @cached_property
    def store(self) -> Layout:
        """What is kept for the backward pass: states before and after all steps, saved values.

        The array of a state is (B + N, units), that of saved values (N, width).
        """
        rows = self.time.batch + self.time.total
        counts = {Buffer(Role.OLD, name): rows * units for name, units in self.states.items()}
        counts[SAVED] = self.time.total * self.training.width
        return layout(counts, self.recurrence.dtype)

    def full(self, store: Tensor, name: str) -> Tensor:
        """Return a state before and after all steps, (B + N, units), of what is kept."""
        units = self.states[name]
        rows = self.time.batch + self.time.total
        return store.as_strided((rows, units), (units, 1), self.full_place(name).offset)
