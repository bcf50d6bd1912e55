"""What calls of one kind have in common: operands, and where each buffer of a kernel stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, final

from ...graph.derivative import returned_input
from ...locks import cached_property, compiling
from . import cache
from .abi import Buffer, Role
from .kernel import Kernel
from .launch import Move, Place, Template
from .launcher import Form
from .linear import Linear, size
from .product import bank
from .recurrence import Recurrence, Training
from .timeline import TABLES

Kind = str | tuple[str, frozenset[int]]
"""Of a launch: single, inference, forward, or backward into some buffers."""

STORE = Buffer(Role.STORE)
"""All that the forward pass keeps for the backward pass."""

SAVED = Buffer(Role.SAVED)
"""The saved values among what is kept."""

V = TypeVar("V")

Forms = dict[Buffer, Form]
Places = dict[Buffer, Place]


@final
class Outline:
    """All about calls but how many steps there are, and where their rows stand.

    Sizes have names: ``total`` rows of all steps; where in what is kept each array starts, and how
    much that is in all; which half of a pair holds the last states; and where, among the B + N rows
    of a state, those before the first step and after the last stand.

    Args:
        recurrence: the cell.
        record: names of the values that are returned for every step.
        batch: B.
        is_dense: whether all rows have all steps.
        shared: whether all rows begin with the same states, which are given once.

    Attributes:
        banks: names of what the loop reads, as they stand side by side.
        sources: what a call is given: the cell's inputs if a product makes the banks of them, or
            the banks.
        states: how many units each state has.
        weights: names of the parameters.
        taken: how many sources, states and weights there are.
        derivatives: of calls, by what is asked for.
    """

    def __init__(
        self,
        recurrence: Recurrence,
        record: tuple[str, ...],
        batch: int,
        is_dense: bool,
        shared: bool,
    ) -> None:
        self.recurrence, self.record = recurrence, record
        self.batch, self.is_dense, self.shared = batch, is_dense, shared
        self.total = size("total")
        self.banks = recurrence.split.banks
        self.states = recurrence.states
        self.sources = self.banks
        if recurrence.is_whole:
            self.sources = tuple((name,) for name in recurrence.split.hoisted.inputs)
        self.weights = recurrence.weights
        self.taken = len(self.sources) + len(self.states) + len(self.weights)
        self.derivatives: dict[tuple[bool, ...], Any] = {}
        self._templates: dict[tuple[Kind, int], Template] = {}  # by kind and threads

    @cached_property
    def training(self) -> Training:
        """The kernels that save for a backward pass, and make it."""
        return self.recurrence.training(self.record)

    def parted(self, values: Sequence[V]) -> tuple[Sequence[V], Sequence[V], Sequence[V]]:
        """Return what belongs to sources, states and weights, of one flat list."""
        first, second = len(self.sources), len(self.sources) + len(self.states)
        return values[:first], values[first:second], values[second:]

    @cached_property
    def widths(self) -> dict[str, int]:
        """How many units each recorded value has."""
        return {name: self.recurrence.probe_width(name) for name in self.record}

    # Operands.

    @cached_property
    def given(self) -> Forms:
        """Sources, states and weights."""
        recurrence = self.recurrence
        forms: Forms = {}
        for names in self.sources:
            if recurrence.is_whole:
                shape = (self.total, recurrence.sizes[recurrence.graph.inputs[names[0]]])
            elif names[0] in recurrence.split.vectors:
                shape = (recurrence.width(names),)
            else:
                shape = (self.total, recurrence.width(names))
            forms[bank(names)] = Form(" ".join(names), shape)
        forms |= self.first_states
        weights = {Buffer(Role.WEIGHT, n): Form(n, recurrence.shapes[n]) for n in self.weights}
        return forms | weights

    @cached_property
    def first_states(self) -> Forms:
        """The states before the first step, (B, units), or (units,) if they are shared."""
        forms = self.rows_of_states(Role.INITIAL, "{}")
        if not self.shared:
            return forms
        return {buffer: form._replace(shape=form.shape[1:]) for buffer, form in forms.items()}

    def rows_of_states(self, role: Role, label: str) -> Forms:
        """Return an operand for each state, (B, units)."""
        return {
            Buffer(role, name): Form(label.format(name), (self.batch, units))
            for name, units in self.states.items()
        }

    @cached_property
    def _read(self) -> Forms:
        """What every loop reads: banks and weights."""
        if self.recurrence.product is None:
            given = self.given.items()
            return {b: form for b, form in given if b.role is not Role.INITIAL}
        banks = {
            bank(names): Form(" ".join(names), (self.total, self.recurrence.width(names)))
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

    @cached_property
    def recorded(self) -> Forms:
        """The recorded values, (N, units)."""
        return {
            Buffer(Role.RECORDED, name): Form(name, (self.total, units))
            for name, units in self.widths.items()
        }

    @cached_property
    def pairs(self) -> dict[Buffer, tuple[int, int]]:
        """For each state, an array for it before and after a step, (2 B, units)."""
        return {Buffer(Role.PAIR, name): (2 * self.batch, u) for name, u in self.states.items()}

    @property
    def _given_pairs(self) -> Forms:
        """The same as operands, if rows are ragged; else they are workspace."""
        pairs = {} if self.is_dense else self.pairs
        return {buffer: Form(buffer.name, shape) for buffer, shape in pairs.items()}

    @cached_property
    def arriving(self) -> Forms:
        """The gradients of the recorded values and of the last states."""
        recorded = {
            buffer: form._replace(label=f"the gradient of {form.label}")
            for buffer, form in self.recorded.items()
        }
        return recorded | self.rows_of_states(Role.FINAL, "the gradient of the last {}")

    # What the forward pass keeps.

    def store_counts(self, total: Any) -> dict[Buffer, Any]:
        """Return how many numbers each array has that is kept.

        The array of a state before and after all steps is (B + N, units), that of saved values
        (N, width).
        """
        rows = self.batch + total
        counts = {Buffer(Role.OLD, name): rows * units for name, units in self.states.items()}
        counts[SAVED] = total * self.training.width
        return counts

    def start(self, array: Buffer) -> Linear:
        """Return where an array starts in what is kept."""
        return size(f"start of {array}")

    @property
    def stored(self) -> Form:
        """All that is kept, one after the other."""
        return Form("what was kept", (size("stored"),))

    @property
    def saved(self) -> Places:
        """Where the saved values stand in what is kept."""
        start, columns = self.start(SAVED), self.training.columns.items()
        return {buffer: Place(STORE, start + column) for buffer, column in columns}

    def full_place(self, name: str) -> Place:
        """Return where a state before and after all steps stands, (B + N, units)."""
        return Place(STORE, self.start(Buffer(Role.OLD, name)))

    # Launches.

    def kernel(self, kind: Kind) -> Kernel:
        """Return the kernel of a kind of launch."""
        if isinstance(kind, tuple):
            return self.training.backward(kind[1])
        if kind == "forward":
            return self.training.forward
        return self.recurrence.inference(() if kind == "single" else self.record)

    def template(self, kind: Kind, threads: int) -> Template:
        """Return a launch on some threads, but for sizes."""
        key = kind, threads
        if key not in self._templates:
            with compiling():
                if key not in self._templates:
                    self._templates[key] = self._made(kind, threads)
        return self._templates[key]

    def _made(self, kind: Kind, threads: int) -> Template:
        kernel = self.kernel(kind)
        if isinstance(kind, tuple):
            parts = self._backward(kind[1], kernel, threads)
        else:
            parts = {
                "single": self._single,
                "inference": self._inference,
                "forward": self._forward,
            }[kind]()
        forms, places, before, after = parts
        user = self.recurrence.graph.name
        pairs = {b: rows * units for b, (rows, units) in self.pairs.items() if b not in forms}
        template = Template(
            user if isinstance(kind, str) else f"{user}, backward",
            kernel.code,
            kernel.block,
            forms,
            {b: place for b, place in places.items() if b in kernel.block},
            {**kernel.workspace(self.batch, threads), **pairs},
            self.recurrence.dtype,
            threads,
            before=before,
            after=after,
            tables={buffer: TABLES.index(name) for buffer, name in self._tables(kind).items()},
        )
        cache.calls.charge(template.size)
        return template

    def _tables(self, kind: Kind) -> dict[Buffer, str]:
        """Return which table tells where the rows of a state begin."""
        old, new = {
            "single": ("step", "step"),
            "forward": ("old", "new"),
        }.get(str(kind), ("old of a pair", "new of a pair"))
        tables: dict[Buffer, str] = {}
        for name in self.states:
            own = f"d_{name}" if isinstance(kind, tuple) else name
            tables |= {Buffer(Role.OLD, own): old, Buffer(Role.NEW, own): new}
            tables |= {Buffer(Role.INPUT, name): "old", Buffer(Role.AFTER, name): "new"}
        return tables

    def _bindings(self) -> Places:
        """Return where that stands which every loop reads."""
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

    def _both_states(self) -> tuple[Forms, Forms]:
        return self.first_states, self.rows_of_states(Role.FINAL, "the last {}")

    def _entering(self, name: str, units: int, target: Place) -> Move:
        """Return the copy of a state before the first step, a row for each of the batch."""
        source = Place(Buffer(Role.INITIAL, name))
        if self.shared:
            return Move(source, target, units, self.batch)
        return Move(source, target, self.batch * units)

    def _single(self) -> Parts:
        """Lay out one step: what is read, states before it; states after it, recorded states."""
        initial, final = self._both_states()
        forms = {**self._read, **initial, **final, **self.recorded}
        places = self._bindings() | {
            Buffer(role, b.name): Place(b)
            for role, buffers in ((Role.OLD, initial), (Role.NEW, final))
            for b in buffers
        }
        count = {name: self.batch * units for name, units in self.states.items()}
        after = [
            Move(Place(Buffer(Role.FINAL, b.name)), Place(b), count[b.name]) for b in self.recorded
        ]
        return forms, places, [], after

    def _inference(self) -> Parts:
        """Lay out all steps: what is read, first states; last states, records, pairs if ragged.

        Of ragged sequences the last states are not written: they stand in the pairs.
        """
        initial, final = self._both_states()
        forms = {**self._read, **initial, **final, **self.recorded, **self._given_pairs}
        places = self._bindings() | {b: Place(b) for b in self.recorded}
        before, after = [], []
        for name, units in self.states.items():
            pair, count = Buffer(Role.PAIR, name), self.batch * units
            places |= {Buffer(role, name): Place(pair) for role in (Role.OLD, Role.NEW)}
            before.append(self._entering(name, units, Place(pair)))
            if self.is_dense:
                target = Place(Buffer(Role.FINAL, name))
                after.append(Move(Place(pair, size("last half") * units), target, count))
            else:  # rows that enter late read the other half
                before.append(self._entering(name, units, Place(pair, count)))
        return forms, places, before, after

    def _forward(self) -> Parts:
        """Lay out all steps: what is read, first states; last states, records, what is kept.

        Of ragged sequences the last states are not written: they stand in what is kept.
        """
        initial, final = self._both_states()
        forms = {**self._read, **initial, **final, **self.recorded, STORE: self.stored}
        places = self._bindings() | {b: Place(b) for b in self.recorded} | self.saved
        before, after = [], []
        for name, units in self.states.items():
            place, count = self.full_place(name), self.batch * units
            places |= {Buffer(role, name): place for role in (Role.OLD, Role.NEW)}
            into = Place(STORE, place.offset + size("first states") * units)
            before.append(self._entering(name, units, into))
            if self.is_dense:
                end = Place(STORE, place.offset + size("last states") * units)
                after.append(Move(end, Place(Buffer(Role.FINAL, name)), count))
        return forms, places, before, after

    def _backward(self, buffers: frozenset[int], kernel: Kernel, threads: int) -> Parts:
        """Lay out the derivative, from the last step to the first, into some buffers.

        It takes what is read, sources that are not, what was kept, the gradients of recorded values
        and of last states; gradients of the first states, or pairs of them if ragged; the buffers
        of gradients, and sums.
        """
        forms = {**self._read, **self._unread, STORE: self.stored, **self.arriving}
        leaving = self.rows_of_states(Role.INITIAL, "the gradient of the first {}")
        forms |= leaving if self.is_dense else self._given_pairs
        places = self._bindings() | self.saved
        for name in self.record:
            key = Buffer(Role.INPUT, returned_input(self.recurrence.split.step, name))
            places[key] = Place(Buffer(Role.RECORDED, name))
        before: list[Move] = []
        after: list[Move] = []
        for name, units in self.states.items():
            full, pair = self.full_place(name), Place(Buffer(Role.PAIR, name))
            places |= {Buffer(role, name): full for role in (Role.INPUT, Role.AFTER)}
            places |= {Buffer(role, f"d_{name}"): pair for role in (Role.OLD, Role.NEW)}
            count, final = self.batch * units, Place(Buffer(Role.FINAL, name))
            before += [Move(final, pair, count)]
            before += [Move(final, Place(pair.operand, count), count)]
            if self.is_dense:
                end = Place(pair.operand, size("last half") * units)
                after.append(Move(end, Place(Buffer(Role.INITIAL, name)), count))
        plan = self.training.plan
        for buffer, (_, place) in plan.stored(buffers).items():
            whole = Buffer(Role.GRADIENT, f"buffer {place.buffer}")
            forms[whole] = Form(str(whole), (self.total, plan.widths[place.buffer]))
            places[buffer] = Place(whole, place.start)
        for name in plan.reduced:
            buffer = Buffer(Role.SUM, name)
            forms[buffer] = Form(str(buffer), (threads, kernel.block.field(buffer).stride))
            places[buffer] = Place(buffer)
        return forms, places, before, after


Parts = tuple[Mapping[Buffer, Form], Places, Sequence[Move], Sequence[Move]]
