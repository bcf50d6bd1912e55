"""One run over a sequence: what does not change between forward and backward."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor

from ...graph.derivative import returned_input
from ...locks import cached_property
from . import cache
from .buffers import Buffers, Form, solid
from .launch import Job, Kernel, Shares
from .memory import Layout, empty, layout
from .recurrence import Recurrence, Training
from .timeline import Timeline

if TYPE_CHECKING:
    from ..autograd.gradients import Gradients

Kind = str | tuple[str, frozenset[int]]
"""Of a job: inference, a single step, forward, or backward into some buffers."""

Arrays = tuple[list[str], dict[str, Tensor]]
"""The names of a job's further arrays, and where the steps of some begin."""

ALONE = 0
"""Instead of the threads of a job, if it is one of several that run side by side."""

SAVED = "what is saved"
"""The array of saved values: no state has such a name."""

NOWHERE = torch.zeros(1, dtype=torch.int64, device="cpu")
"""The beginning of the only step."""


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
        size: bytes that it takes, but for its jobs.
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
        self._size = recurrence.dtype.itemsize
        self.states = recurrence.states
        self.sources = self.banks
        if recurrence.is_whole:
            self.sources = tuple((name,) for name in recurrence.split.hoisted.inputs)
        self.weights = recurrence.weights
        self._inputs = list(self._columns())
        self.taken = len(self.sources) + len(self.states) + len(self.weights)
        self._names = [node.attribute.name for node in recurrence.split.step.learned]
        self._jobs: dict[tuple[Kind, int], Job] = {}
        self.size = 2 * cache.OBJECT + time.size
        self._gradients: dict[tuple[bool, ...], Gradients] = {}

    def _columns(self) -> Any:
        """Of each value that the loop reads: its name, its bank, and at which byte of a row."""
        for place, names in enumerate(self.banks):
            column = 0
            for name in names:
                yield name, place, column * self._size
                column += self.recurrence.width([name])

    def gradients(self, wanted: tuple[bool, ...]) -> Gradients:
        """The backward pass for some of what the forward pass was given."""
        known = self._gradients.get(wanted)
        if known is None:
            from ..autograd.gradients import Gradients

            known = self._gradients[wanted] = Gradients(self, wanted)
        return known

    @cached_property
    def training(self) -> Training:
        """The kernels that save for a backward pass, and make it."""
        return self.recurrence.training(self.record)

    # Jobs. Their arrays come in the order: inputs, learned vectors, then what is said here.

    @property
    def single(self) -> Job:
        """One step without saving anything: states before it, states after it."""
        kernel = self.recurrence.inference(())
        order = [f"{which} {name}" for which in ("old", "new") for name in self.states]
        return self._job("single", kernel, lambda: (order, dict.fromkeys(order, NOWHERE)))

    @property
    def inference(self) -> Job:
        """All steps without saving anything: states before them, states after them, taps."""
        return self._job("inference", self.recurrence.inference(self.record), self._inference)

    @property
    def abreast(self) -> Job | None:
        """The same on one thread, if that is better where another call runs beside it."""
        return self._lone("inference", self.recurrence.inference(self.record), self._inference)

    def _inference(self) -> Arrays:
        old, new, _ = self.time.pair
        starts = {f"old {name}": old for name in self.states}
        starts |= {f"new {name}": new for name in self.states}
        return [*starts, *(f"tap {name}" for name in self.record)], starts

    @property
    def forward(self) -> Job:
        """All steps: states before them, states after them, all that is recorded, and is saved."""
        return self._job("forward", self.training.forward, self._forward)

    @property
    def forward_abreast(self) -> Job | None:
        """The same on one thread, if that is better where another call runs beside it."""
        return self._lone("forward", self.training.forward, self._forward)

    def _forward(self) -> Arrays:
        starts = {f"old {name}": self.time.old for name in self.states}
        starts |= {f"new {name}": self.time.new for name in self.states}
        taps = [f"tap {name}" for name in self.record]
        return [*starts, *taps, *self.training.columns], starts

    def backward(self, buffers: frozenset[int]) -> Job:
        """The derivative, from the last step to the first, into some buffers: see `Gradients`."""
        kernel = self.training.backward(buffers)
        return self._job(("backward", buffers), kernel, lambda: self._backward(buffers))

    def backward_abreast(self, buffers: frozenset[int]) -> Job | None:
        """The same on one thread, if that is better where another call runs beside it."""
        kernel = self.training.backward(buffers)
        return self._lone(("backward", buffers), kernel, lambda: self._backward(buffers))

    def _backward(self, buffers: frozenset[int]) -> Arrays:
        training, back = self.training, self.time.backward
        old, new, _ = back.pair
        starts = dict.fromkeys(self.states, back.old)
        starts |= {f"after {name}": back.new for name in self.states}
        starts |= {f"old d_{name}": old for name in self.states}
        starts |= {f"new d_{name}": new for name in self.states}
        step = self.recurrence.split.step
        returned = [returned_input(step, name) for name in self.record]
        order = [*starts, *training.columns, *returned]
        gradients = training.plan.stored(buffers)
        sums = [f"sum {name}" for name in training.plan.reduced]
        return [*order, *gradients, *sums], starts

    def _job(self, kind: Kind, kernel: Kernel, arrays: Callable[[], Arrays]) -> Job:
        """What takes all threads that are worth it."""
        threads = kernel.threads(self.time.batch, self.time.total)
        known = self._jobs.get((kind, threads))
        if known is None:
            lengths = None if self.time.is_dense else self._time(kind).lengths.tolist()
            shares = kernel.shares(self.time.batch, self.time.total, lengths)
            known = self._jobs[kind, threads] = self._made(kind, kernel, arrays, shares)
        return known

    def _lone(self, kind: Kind, kernel: Kernel, arrays: Callable[[], Arrays]) -> Job | None:
        """What takes one thread, if that is better where another call runs beside it."""
        rows, total = self.time.batch, self.time.total
        if not self.time.is_dense or not kernel.gains_abreast(rows, total):
            return None
        known = self._jobs.get((kind, ALONE))
        if known is None:
            shares = kernel.alone_with(rows)
            known = self._jobs[kind, ALONE] = self._made(kind, kernel, arrays, shares)
        return known

    def _time(self, kind: Kind) -> Timeline:
        """The steps in the order in which a job takes them."""
        return self.time if isinstance(kind, str) else self.time.backward

    def _made(
        self, kind: Kind, kernel: Kernel, arrays: Callable[[], Arrays], shares: Shares
    ) -> Job:
        further, starts = arrays()
        order = [name for name, _, _ in self._inputs]
        order += [*(f"learned {name}" for name in self._names), *further]
        time = self._time(kind)
        job = Job(kernel, order, starts, time.step, time.counts, shares)
        cache.calls.charge(job.size)
        return job

    # Tensors.

    @cached_property
    def given(self) -> Buffers:
        """What the loop is handed: sources, states and weights."""
        return Buffers(self.recurrence.graph.name, self._forms, self.recurrence.dtype)

    def handed_back(
        self, tensors: Sequence[Tensor], store: Tensor, gradients: Sequence[Tensor | None]
    ) -> tuple[Sequence[Tensor], Tensor, list[Tensor | None]]:
        """What the backward pass is handed, checked, each tensor laid out row by row.

        Args:
            tensors: sources, states and weights.
            store: what the forward pass kept.
            gradients: those that arrive.
        """
        *tensors, store = self.kept.dense([*tensors, store])
        arriving: list[Tensor | None] = []
        for buffers, gradient in zip(self.returned, gradients, strict=True):
            if gradient is not None:
                gradient = gradient if gradient.layout is torch.strided else gradient.to_dense()
                (gradient,) = buffers.dense([solid(gradient)])
            arriving.append(gradient)
        return tensors, store, arriving

    @cached_property
    def kept(self) -> Buffers:
        """What the backward pass is handed: the same, and what the forward pass kept."""
        forms = [*self._forms, Form("what was kept", (self.store.size,))]
        user = f"{self.recurrence.graph.name}, backward"
        return Buffers(user, forms, self.recurrence.dtype)

    @cached_property
    def returned(self) -> list[Buffers]:
        """The gradients that arrive, each by itself: of the recorded values and the last states."""
        rows = {name: (self.time.total, units) for name, units in self.widths.items()}
        forms = [Form(f"the gradient of {name}", shape) for name, shape in rows.items()]
        forms += [
            Form(f"the gradient of the last {name}", (self.time.batch, units))
            for name, units in self.states.items()
        ]
        user = f"{self.recurrence.graph.name}, backward"
        return [Buffers(user, [form], self.recurrence.dtype) for form in forms]

    @cached_property
    def _forms(self) -> list[Form]:
        """Of sources, states and weights."""
        recurrence, time = self.recurrence, self.time
        forms = []
        for names in self.sources:
            if recurrence.is_whole:
                shape = (time.total, recurrence.sizes[recurrence.graph.inputs[names[0]]])
            elif names[0] in recurrence.split.vectors:
                shape = (recurrence.width(names),)
            else:
                shape = (time.total, recurrence.width(names))
            forms.append(Form(" ".join(names), shape))
        forms += [Form(name, (time.batch, units)) for name, units in self.states.items()]
        return [*forms, *(Form(name, recurrence.shapes[name]) for name in self.weights)]

    def named(self, tensors: Sequence[Any]) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
        """The tensors of sources, states and weights, of one flat list."""
        first = len(self.sources)
        second = first + len(self.states)
        states = dict(zip(self.states, tensors[first:second], strict=True))
        return list(tensors[:first]), states, dict(zip(self.weights, tensors[second:], strict=True))

    def read(self, sources: list[Tensor], weights: Mapping[str, Tensor]) -> list[Tensor]:
        """What the loop reads, by bank."""
        product = self.recurrence.product
        return sources if product is None else product.run(sources, weights, self.time.total)

    def inputs(self, banks: Sequence[Tensor], learned: Sequence[Tensor]) -> list[int]:
        """Where what the loop reads stands: each value in some columns of its bank."""
        starts = [bank.data_ptr() for bank in banks]
        found = [starts[place] + begin for _, place, begin in self._inputs]
        return [*found, *(vector.data_ptr() for vector in learned)]

    def learned(self, weights: Mapping[str, Tensor]) -> list[Tensor]:
        """The learned vectors and scalars that the kernels read."""
        return [weights[name].detach().contiguous() for name in self._names]

    def taps(self, like: Tensor) -> list[Tensor]:
        """Arrays for the recorded values, each (T, B, units), or (N, units) if ragged."""
        return [empty(like, *self.shape, units) for units in self.widths.values()]

    @cached_property
    def widths(self) -> dict[str, int]:
        """How many units each recorded value has."""
        return {name: self.recurrence.probe_width(name) for name in self.record}

    @cached_property
    def store(self) -> Layout:
        """What is kept for the backward pass: states before and after all steps, saved values.

        The array of a state, (B + N, units), has the name of the state; `SAVED` is (N, width).
        """
        rows = self.time.batch + self.time.total
        counts = {name: rows * units for name, units in self.states.items()}
        counts[SAVED] = self.time.total * self.training.width
        return layout(counts, self.recurrence.dtype)

    @cached_property
    def offsets(self) -> tuple[list[int], list[int]]:
        """In bytes, where in what is kept each state's array stands, and where saved values do."""
        starts = {name: start * self._size for name, start in self.store.starts.items()}
        saved = starts.pop(SAVED)
        return list(starts.values()), self.training.saved(saved)

    @cached_property
    def initial(self) -> list[tuple[int, int]]:
        """Where in what is kept the first states stand, and how large each is; in bytes."""
        return self._states_at(self.time.initial)

    @cached_property
    def final(self) -> list[tuple[int, int]] | None:
        """The same of the last states; None if they do not stand one after the other."""
        last = self.time.last
        return self._states_at(last) if isinstance(last, slice) else None

    def _states_at(self, rows: slice) -> list[tuple[int, int]]:
        widths = [units * self._size for units in self.states.values()]
        return [
            (offset + rows.start * width, self.time.batch * width)
            for offset, width in zip(self.offsets[0], widths, strict=True)
        ]

    def full(self, store: Tensor, name: str) -> Tensor:
        """A state before and after all steps, (B + N, units), of what is kept."""
        units = self.states[name]
        rows = self.time.batch + self.time.total
        return store.as_strided((rows, units), (units, 1), self.store.starts[name])

    def last(self, store: Tensor) -> list[Tensor]:
        """The states after each row's last step, (B, units), in memory of their own."""
        if self.final is None:
            return [self.full(store, name)[self.time.last] for name in self.states]
        start, found = store.data_ptr(), []
        for units, (begin, size) in zip(self.states.values(), self.final, strict=True):
            state = store.new_empty((self.time.batch, units))
            ctypes.memmove(state.data_ptr(), start + begin, size)
            found.append(state)
        return found


def put(state: Tensor, place: int, size: int) -> None:
    """Copy a state, which takes so many bytes row by row, to a place in memory."""
    assert state.is_contiguous(), "a state is laid out row by row before it is put anywhere"
    assert state.nbytes == size, f"{state.nbytes} bytes do not fill {size}"
    ctypes.memmove(place, state.data_ptr(), size)
