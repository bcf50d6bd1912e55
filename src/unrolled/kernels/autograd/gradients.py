"""The backward pass of a run on kernels: the loop backwards, then the weights' gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from ...graph.node import Node
from ...graph.operation import Operation
from .. import eager
from ..planning.training import LayerGradient
from ..runtime.buffers import arriving
from ..runtime.call import SAVED, Call, put
from ..runtime.launch import Job
from ..runtime.memory import empty, reserve
from ..runtime.torch_state import PLAIN


@final
class Gradients:
    """The backward pass of a call, for some of what the forward pass was given.

    Args:
        call: of the forward pass.
        wanted: for each of the sources, states and weights, whether its gradient is asked for.
    """

    def __init__(self, call: Call, wanted: Sequence[bool]) -> None:
        self.call = call
        self.plan = plan = call.training.plan
        self.dtype = call.recurrence.dtype
        self.wanted_sources, self.wanted_states, wanted_weights = call.named(wanted)
        self.product = call.recurrence.product
        asked = [] if self.product else zip(call.banks, self.wanted_sources, strict=True)
        returned = {plan.hoisted[names] for names, wanted in asked if wanted} - {None}
        self.filled = frozenset(plan.optional & returned)
        places = [place for _, place in plan.stored(self.filled).values()]
        self.places = [(place.buffer, place.start * self.dtype.itemsize) for place in places]
        self.widths = {p.buffer: (plan.widths[p.buffer], p.buffer in returned) for p in places}
        shapes = call.recurrence.shapes
        self.weights = {name: shapes[name] for name in call.weights if wanted_weights[name]}
        learned = [node.attribute for node in call.recurrence.split.step.learned]
        sizes = call.recurrence.sizes
        self.vectors = {p.name: None if p.size == "one" else sizes[p.size] for p in learned}
        self.layers = [self._layer(layer) for layer in plan.layers] if self.weights else []

    def run(
        self, tensors: Sequence[Tensor], store: Tensor, gradients: Sequence[Tensor | None]
    ) -> list[Tensor | None]:
        """The gradients with respect to sources, states and weights.

        Args:
            tensors: sources, states and weights, as the forward pass was given them.
            store: what it kept.
            gradients: of the recorded values and of the last states.
        """
        tensors, store, gradients = self.call.handed_back(tensors, store, gradients)
        begun = self.begin(self.call.backward(self.filled), tensors, store, gradients)
        begun.job.run(begun.addresses, begun.weights)
        return self.end(begun, tensors, store)

    @property
    def lone(self) -> Job | None:
        """The loop on one thread, if that is better beside another call's."""
        return self.call.backward_abreast(self.filled)

    def end(self, begun: Begun, tensors: Sequence[Tensor], store: Tensor) -> list[Tensor | None]:
        """What `run` returns, once the loop has run."""
        call, buffers = self.call, begun.buffers
        sources, _, weights = call.named(tensors)
        summed = {name.removeprefix("sum "): total.sum(0) for name, total in begun.sums.items()}
        found = self._weights(sources, weights, store, buffers, summed)
        states = [
            call.time.backward.final(pair) if self.wanted_states[name] else None
            for name, pair in begun.pairs.items()
        ]
        return [
            *self._sources(sources, weights, buffers, summed),
            *states,
            *(found.get(name) for name in call.weights),
        ]

    def _buffers(self, store: Tensor) -> dict[int, Tensor]:
        """The arrays of the gradients, (N, width); those that are returned are new."""
        total = self.call.time.total
        return {
            buffer: empty(store, total, width)
            if is_returned
            else reserve.take(self.dtype, total * width).view(total, width)
            for buffer, (width, is_returned) in self.widths.items()
        }

    def begin(
        self,
        job: Job,
        tensors: Sequence[Tensor],
        store: Tensor,
        gradients: Sequence[Tensor | None],
    ) -> Begun:
        """All that the loop reads and writes.

        Args:
            job: that runs it.
            tensors, store, gradients: as `Call.handed_back` returns them.
        """
        call = self.call
        sources, _, weights = call.named(tensors)
        buffers, learned = self._buffers(store), call.learned(weights)
        banks = sources
        if self.product is not None:
            banks = [store] * len(call.banks)  # any array: they are not read
            if job.reads(name for names in call.banks for name in names):
                banks = self.product.run(sources, weights, call.time.total)
        count, threads = len(call.record), job.shares.threads
        returned = [
            self._dense(name, gradient, store)
            for name, gradient in zip(call.record, gradients, strict=False)
        ]
        pairs = self._pairs(gradients[count:], store)
        sums = {name: store.new_zeros((threads, wide)) for name, wide in job.sums.items()}
        start, (full, saved) = store.data_ptr(), call.offsets
        full = [start + offset for offset in full]
        ends = [pair.data_ptr() for pair in pairs.values()]
        starts = {buffer: array.data_ptr() for buffer, array in buffers.items()}
        addresses = [*call.inputs(banks, learned), *full, *full, *ends, *ends]
        addresses += [start + offset for offset in saved]
        addresses += [gradient.data_ptr() for gradient in returned]
        addresses += [starts[buffer] + begin for buffer, begin in self.places]
        addresses += [sums[f"sum {name}"].data_ptr() for name in self.plan.reduced]
        return Begun(job, addresses, weights, buffers, pairs, sums, (banks, learned, returned))

    def _pairs(self, finals: Sequence[Tensor | None], like: Tensor) -> dict[str, Tensor]:
        """For each state, an array for its gradients before and after a step, (2 B, units)."""
        pairs = {}
        for (name, units), gradient in zip(self.call.states.items(), finals, strict=True):
            pair = like.new_zeros((2 * self.call.time.batch, units))
            if gradient is not None:
                put(gradient, pair.data_ptr(), gradient.nbytes)
                put(gradient, pair.data_ptr() + gradient.nbytes, gradient.nbytes)
            pairs[name] = pair
        return pairs

    def _dense(self, name: str, gradient: Tensor | None, like: Tensor) -> Tensor:
        """The gradient with respect to a returned value, laid out row by row."""
        if gradient is not None:
            return gradient
        return like.new_zeros((self.call.time.total, self.call.widths[name]))

    def _sources(
        self,
        sources: Sequence[Tensor],
        weights: Mapping[str, Tensor],
        buffers: Mapping[int, Tensor],
        summed: Mapping[str, Tensor],
    ) -> list[Tensor | None]:
        """The gradients of what the call was given."""
        if not any(self.wanted_sources):
            return [None] * len(sources)
        if self.product is None:
            return [
                self._bank(names, bank, buffers, summed) if wanted else None
                for names, bank, wanted in zip(
                    self.call.banks, sources, self.wanted_sources, strict=True
                )
            ]
        rows = self.call.time.total
        banks = [
            sources[0].new_zeros(rows, width) if buffer is None else buffers[buffer]
            for width, buffer in zip(self.product.widths, self.plan.hoisted.values(), strict=True)
        ]
        found = self.product.gradients(banks, weights, rows)
        return [each.view(source.shape) for each, source in zip(found, sources, strict=True)]

    def _bank(
        self,
        names: tuple[str, ...],
        bank: Tensor,
        buffers: Mapping[int, Tensor],
        summed: Mapping[str, Tensor],
    ) -> Tensor | None:
        """The gradient of what the loop reads."""
        if names[0] in self.call.recurrence.split.vectors:
            if summed.keys().isdisjoint(names):
                return None
            return torch.cat([self._vector(name, bank, summed) for name in names])
        buffer = self.plan.hoisted[names]
        return None if buffer is None else buffers[buffer].view(bank.shape)

    def _vector(self, name: str, bank: Tensor, summed: Mapping[str, Tensor]) -> Tensor:
        """The gradient of what is the same for all rows and steps; 0 where nothing reads it."""
        units = self.call.recurrence.width([name])
        if name not in summed:
            return bank.new_zeros(units)
        return summed[name].sum().view(1) if units == 1 else summed[name]

    def _layer(self, layer: LayerGradient) -> _Layer:
        """Where the gradients of some learned layers come from and go to."""
        sources, biases = [], []
        for block, source in zip(layer.blocks, layer.sources, strict=True):
            weight, bias = f"weight_{block.group}", f"bias_{block.group}"
            begin = _rows(layer, block.row).start * self._width(source) * self.dtype.itemsize
            into = (weight, begin) if weight in self.weights else None
            sources.append((self._source(source), into))
            if block.bias is not None and bias in self.weights:
                biases.append((bias, _rows(layer, block.bias)))
        place = layer.place
        array = Array(
            place.buffer, place.start * self.dtype.itemsize, self.plan.widths[place.buffer]
        )
        return _Layer(array, place.units, sources, biases)

    def _width(self, source: Node) -> int:
        """How many units what a layer reads has."""
        return self.call.training.width_of(source)

    def _source(self, source: Node) -> Array | _Gathered:
        """Where what a layer read stands, for all N rows."""
        call, plan, size = self.call, self.plan, self.dtype.itemsize
        step, units = call.recurrence.split.step, self._width(source)
        if source.operation is Operation.INPUT:
            for place, names in enumerate(call.sources):
                if source.attribute in names:
                    width = units if self.product else call.recurrence.width(names)
                    return Array(f"source {place}", 0, width)
        for state in call.states:
            is_before = source.operation is Operation.STATE and source.attribute == state
            if is_before or step.values[state] is source:
                rows = call.time.before if is_before else call.time.after
                if not isinstance(rows, slice):
                    return _Gathered(state, rows)
                return Array("store", (call.store.starts[state] + rows.start * units) * size, units)
        if source in plan.sources:
            return Array(plan.sources[source], 0, units)
        name = next(name for name, node in plan.saved.items() if node is source)
        begin = call.store.starts[SAVED] + call.training.columns[name]
        return Array("store", begin * size, call.training.width)

    def _weights(
        self,
        given: list[Tensor],
        weights: Mapping[str, Tensor],
        store: Tensor,
        buffers: Mapping[int, Tensor],
        summed: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Sums over all rows and steps: large products, and what the loop has added up."""
        found = {name: self._new(name, shape, store) for name, shape in self.weights.items()}
        starts: dict[int | str, int] = {key: buffer.data_ptr() for key, buffer in buffers.items()}
        starts |= {f"source {place}": each.data_ptr() for place, each in enumerate(given)}
        starts["store"] = store.data_ptr()
        totals, products, alive = [], [], []
        for layer in self.layers:
            total = store.new_empty(layer.units)
            totals.append(total)
            product = [starts[layer.array.base] + layer.array.begin, layer.array.stride]
            product.append(total.data_ptr() if layer.biases else 0)
            for source, into in layer.sources:
                if isinstance(source, Array):
                    product += (starts[source.base] + source.begin, source.stride)
                else:
                    rows = self.call.full(store, source.state)[source.rows]
                    alive.append(rows)
                    product += (rows.data_ptr(), rows.stride(0))
                product.append(0 if into is None else found[into[0]].data_ptr() + into[1])
            products.append(product)
        if products:
            self.call.training.weights.start(self.call.time.total, products)
        for layer, total in zip(self.layers, totals, strict=True):
            for name, rows in layer.biases:
                _write(found, name, rows, total)
        for name, total in summed.items():
            if name in found:
                units = self.vectors[name]
                total = total.sum().view(1) if units is None else total[:units]
                _write(found, name, slice(0, units), total)
        return found

    def _new(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """The gradient of a parameter, 0 where no layer is going to write it."""
        is_written = self.plan.written[name] == shape[0]
        return like.new_empty(shape) if is_written else like.new_zeros(shape)


class Begun(NamedTuple):
    """The derivative of a loop, ready to run.

    Attributes:
        job: that makes it.
        addresses: of its arrays.
        weights: the parameters, by name.
        buffers: the arrays of the gradients, (N, width).
        pairs: of each state, its gradients before and after a step.
        sums: what each thread sums up.
        alive: what else the job reads.
    """

    job: Job
    addresses: list[int]
    weights: Mapping[str, Tensor]
    buffers: dict[int, Tensor]
    pairs: dict[str, Tensor]
    sums: dict[str, Tensor]
    alive: Any


class Array(NamedTuple):
    """Columns of an array with a row for each of the N.

    Attributes:
        base: what it is in: a buffer, ``source 0``, ... or ``store``, which is what is kept.
        begin: the byte where it begins there.
        stride: from row to row, in numbers.
    """

    base: int | str
    begin: int
    stride: int


class _Gathered(NamedTuple):
    """Rows of a state that do not stand one after the other."""

    state: str
    rows: Tensor


class _Layer(NamedTuple):
    """The gradient of some learned layers."""

    array: Array
    units: int
    sources: list[tuple[Array | _Gathered, tuple[str, int] | None]]  # the weight, and at which byte
    biases: list[tuple[str, slice]]  # and which rows


def _write(found: dict[str, Tensor], name: str, rows: slice, total: Tensor) -> None:
    """Set some rows of a parameter's gradient."""
    if total.shape == found[name].shape:
        found[name] = total
    else:
        found[name][rows] = total


def _rows(layer: LayerGradient, first: int) -> slice:
    """The rows of a parameter that belong to some layers, from a block on."""
    height = layer.place.units // layer.layers
    return slice(first * height, (first + layer.layers) * height)


@torch.enable_grad()
def by_definition(
    call: Call,
    tensors: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
    again: bool,
) -> list[Tensor | None]:
    """The gradients through the eager definition; if asked, they can be differentiated again."""
    if all(type(tensor) in PLAIN for tensor in tensors):
        tensors = call.given.dense(tensors)
    gradients = arriving(f"{call.recurrence.graph.name}, backward", gradients)
    tensors = [tensor.view_as(tensor) for tensor in tensors]  # one may be computed from another
    sources, states, weights = call.named(tensors)
    program = call.recurrence.program if call.recurrence.is_whole else call.recurrence.step
    rows = _named_rows(call, sources)
    values, last = eager.run(
        program, weights, rows, states, call.record, call.batch_sizes, call.reverse
    )
    outputs = [*values.values(), *(last[name] for name in call.states)]
    given = [(o, g) for o, g in zip(outputs, gradients, strict=True) if g is not None]
    return eager.differentiated(given, tensors, wanted, again)


def _named_rows(call: Call, sources: Sequence[Tensor]) -> dict[str, Tensor]:
    """What a call was given by the names of the program's inputs, (*shape, units)."""
    recurrence = call.recurrence
    if recurrence.is_whole:
        pairs = zip(call.sources, sources, strict=True)
        return {name: value.view(*call.shape, value.shape[-1]) for (name,), value in pairs}
    rows = {}
    for names, bank in zip(call.banks, sources, strict=True):
        parts = bank.split([recurrence.width([name]) for name in names], -1)
        for name, part in zip(names, parts, strict=True):
            fixed = name in recurrence.split.vectors
            rows[name] = part.expand(*call.shape, -1) if fixed else part.view(*call.shape, -1)
    if not rows:  # one that nothing reads tells shape and dtype
        rows[""] = torch.zeros((), dtype=recurrence.dtype, device="cpu").expand(*call.shape, 1)
    return rows
