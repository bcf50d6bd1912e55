"""The gradients of weights: products of rows that loops leave, of one call or of many steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from ...graph.node import Node
from ...graph.operation import Operation
from ..planning.training import LayerGradient
from ..runtime import cache
from ..runtime.abi import Buffer, Role
from ..runtime.cache import Cache
from ..runtime.call import Call
from ..runtime.launch import Launch, Place, Template
from ..runtime.launcher import Form
from ..runtime.linear import Numbers, size
from ..runtime.outline import STORE, Outline
from ..runtime.product import bank
from ..runtime.weight_gradients import StridedRows, Sums

Summed = Mapping[str, Tensor]
"""What a loop has added up over rows and steps, by the name of what it is the gradient of."""


class _Read(NamedTuple):
    """Rows that products read.

    Attributes:
        rows: where they stand among the operands of a call.
        units: how many numbers of each row are read.
    """

    rows: StridedRows
    units: int


class _Layer(NamedTuple):
    """The products and sums of some learned layers.

    Attributes:
        gradient: which of the reads is the gradient of their results.
        units: how many it has.
        sources: which of the reads they are, and where the gradient of the matrix goes if wanted.
        biases: whose gradients are wanted, and which of their rows.
    """

    gradient: int
    units: int
    sources: list[tuple[int, Place | None]]
    biases: list[tuple[str, slice]]


@final
class WeightProducts:
    """The gradients of the weights that are asked for.

    Args:
        outline: of the calls.
        wanted: whether the gradient of each weight is asked for.
        buffers: numbers of the buffers of gradients that the loop fills, and whether the caller is
            given each.

    Attributes:
        kind: equal for those that can make products of one another's rows.
    """

    def __init__(
        self, outline: Outline, wanted: Sequence[bool], buffers: Mapping[int, bool]
    ) -> None:
        self.outline, self.plan = outline, outline.training.plan
        self.like = torch.empty(0, dtype=outline.recurrence.dtype, device="cpu")
        asked = zip(outline.weights, wanted, strict=True)
        self.shapes = {
            name: outline.recurrence.shapes[name] for name, is_wanted in asked if is_wanted
        }
        self.kind = id(outline.recurrence.split), outline.record, *self.shapes
        self._buffers = {gradient_buffer(number): self.plan.widths[number] for number in buffers}
        returned = (gradient_buffer(number) for number, is_given in buffers.items() if is_given)
        self._shared = {*map(bank, outline.sources), *returned}  # with the caller
        self._gathered: dict[str, Buffer] = {}  # by state, if its rows are not adjoining
        self._reads: dict[_Read, int] = {}
        self._layers = [self._layer(layer) for layer in self.plan.layers] if self.shapes else []
        self._templates: dict[tuple[int, bool], Template] = {}  # by threads; whether of steps
        self._views: dict[bool, list[Any]] = {}  # of the rows of a step, by direction
        self._launches = Cache(cache.calls)  # of steps, by number of rows and threads

    def of_call(
        self,
        call: Call,
        sources: Sequence[Tensor],
        store: Tensor,
        buffers: Iterable[Tensor],
        summed: Summed,
    ) -> dict[str, Tensor]:
        """Return the gradients of weights, once the loop of a call has run.

        Args:
            call: of the forward pass.
            sources: that it was given.
            store: what it kept.
            buffers: of gradients, (N, width).
            summed: what the loop has added up.
        """
        states = [call.full(store, state)[call.time.before] for state in self._gathered]
        launch = None
        if self._layers:
            launch = call.prepared(
                self, lambda: self._template(call.time.total, False).at(call.sizes("forward"))
            )
        return self._made(launch, [*sources, store, *states, *buffers], summed)

    def gather(
        self, call: Call, sources: Sequence[Tensor], store: Tensor, buffers: Iterable[Tensor]
    ) -> list[Tensor]:
        """Return the rows of one step that products read, each (B, units); as for `of_call`.

        What the caller has, too, is copied: a hook may change it before products are made.
        """
        operands = [*sources, *buffers, store]
        views = self._views.get(call.reverse)
        if views is None:
            views = self._views[call.reverse] = self._views_of(call)
        rows = []
        for number, shape, strides, offset, is_shared in views:
            operand = operands[number]
            if shape is not None:
                operand = operand.contiguous()
                operand = operand.as_strided(shape, strides, operand.storage_offset() + offset)
            if operand.dim() > 2:  # of a layer: (1, B, units)
                operand = operand.flatten(0, -2)
            rows.append(operand.clone() if is_shared else operand)
        return rows

    def of_steps(
        self, steps: Sequence[tuple[Sequence[Tensor], Summed]], total: int
    ) -> dict[str, Tensor]:
        """Return the gradients of weights for several steps together.

        Args:
            steps: of each, what `gather` returned, and what its loop has added up.
            total: N, how many rows they have together.
        """
        rows, summed = zip(*steps, strict=True)
        operands = [torch.cat(parts) for parts in zip(*rows, strict=True)]
        together: dict[str, Any] = {
            name: sum(part[name] for part in summed) for name in self.plan.reduced
        }
        launch = None
        if self._layers:
            key = total, torch.get_num_threads()
            launch = self._launches.get(key)
            if launch is None:
                launch = self._template(total, True).at({"total": total})
                self._launches.keep(key, launch, launch.size)
        return self._made(launch, operands, together)

    def _made(
        self, launch: Launch | None, operands: Sequence[Tensor], summed: Summed
    ) -> dict[str, Tensor]:
        """Return the gradients: products of rows of operands, and what loops have added up."""
        found = {name: self._new(name, shape) for name, shape in self.shapes.items()}
        totals = [self.like.new_empty(layer.units) for layer in self._layers]
        if launch is not None:
            launch.run([*operands, *found.values(), *totals])
        for layer, total in zip(self._layers, totals, strict=True):
            for name, rows in layer.biases:
                if total.shape == found[name].shape:
                    found[name] = total
                else:
                    found[name][rows] = total
        for name, total in summed.items():
            if name in found:
                found[name] = over_rows(total, found[name].shape[0])
        return found

    def _new(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Return memory for a parameter's gradient, 0 where no layer is going to write it."""
        is_written = self.plan.written[name] == shape[0]
        return self.like.new_empty(shape) if is_written else self.like.new_zeros(shape)

    # Where rows stand.

    def _layer(self, layer: LayerGradient) -> _Layer:
        place, height = layer.place, layer.place.units // layer.layers
        sources: list[tuple[int, Place | None]] = []
        biases: list[tuple[str, slice]] = []
        for block, source in zip(layer.blocks, layer.sources, strict=True):
            weight, bias = f"weight_{block.group}", f"bias_{block.group}"
            units = self.outline.training.width_of(source)
            into = Place(Buffer(Role.WEIGHT, weight), block.row * height * units)
            read = self._read(self._rows_of(source, units), units)
            sources.append((read, into if weight in self.shapes else None))
            if block.bias is not None and bias in self.shapes:
                begin = block.bias * height
                biases.append((bias, slice(begin, begin + place.units)))
        rows = StridedRows(
            Place(gradient_buffer(place.buffer), place.start), self.plan.widths[place.buffer]
        )
        return _Layer(self._read(rows, place.units), place.units, sources, biases)

    def _read(self, rows: StridedRows, units: int) -> int:
        return self._reads.setdefault(_Read(rows, units), len(self._reads))

    def _rows_of(self, source: Node, units: int) -> StridedRows:
        """Return where what a layer read stands, for all N rows."""
        outline, plan = self.outline, self.plan
        recurrence, step = outline.recurrence, outline.recurrence.split.step
        if source.operation is Operation.INPUT:
            for names in outline.sources:
                if source.attribute in names:
                    width = units if recurrence.is_whole else recurrence.width(names)
                    return StridedRows(Place(bank(names)), width)
        for state in outline.states:
            is_before = source.operation is Operation.STATE and source.attribute == state
            if is_before and not outline.is_dense:
                self._gathered[state] = Buffer(Role.OLD, state)
                return StridedRows(Place(self._gathered[state]), units)
            if is_before or step.values[state] is source:
                first = size("states before" if is_before else "states after")
                return StridedRows(
                    Place(STORE, outline.full_place(state).offset + first * units), units
                )
        if source in plan.sources:
            return StridedRows(Place(gradient_buffer(plan.sources[source])), units)
        buffer = next(buffer for buffer, node in plan.saved.items() if node is source)
        return StridedRows(outline.saved[buffer], outline.training.width)

    def _views_of(self, call: Call) -> list[tuple[int, Any, Any, int, bool]]:
        """Return which operand of `gather` holds rows, their shape and strides, and their begin.

        The shape is None where they are all of an operand. Last comes whether the caller has it.
        """
        operands = [*map(bank, self.outline.sources), *self._buffers, STORE]
        total = call.time.total
        offsets = Numbers([read.rows.place.offset for read in self._reads])
        views = []
        for (rows, units), offset in zip(
            self._reads, offsets.at(call.sizes("forward")), strict=True
        ):
            operand = rows.place.operand
            is_whole = operand != STORE and rows.stride == units and offset == 0
            shape = None if is_whole else (total, units)
            place, is_shared = operands.index(operand), operand in self._shared
            views.append((place, shape, (rows.stride, 1), offset, is_shared))
        return views

    # Launches.

    def _template(self, total: int, of_steps: bool) -> Template:
        """Return the launch of all products, on the threads that are worth it for N rows."""
        threads = self.outline.training.weights.threads(total)
        key = threads, of_steps
        known = self._templates.get(key)
        return known or self._templates.setdefault(key, self._products(threads, of_steps))

    def _products(self, threads: int, of_steps: bool) -> Template:
        outline, total = self.outline, self.outline.total
        if of_steps:
            names = [Buffer(Role.SOURCE, f"rows {number}") for number in self._reads.values()]
            rows = [
                StridedRows(Place(n), read.units)
                for n, read in zip(names, self._reads, strict=True)
            ]
            forms = {n: Form(str(n), (total, r.stride)) for n, r in zip(names, rows, strict=True)}
        else:
            rows = [read.rows for read in self._reads]
            forms = {bank(names): outline.given[bank(names)] for names in outline.sources}
            forms[STORE] = outline.stored
            widths = {b: outline.states[state] for state, b in self._gathered.items()}
            widths |= self._buffers
            forms |= {b: Form(str(b), (total, width)) for b, width in widths.items()}
        forms |= {Buffer(Role.WEIGHT, n): Form(n, shape) for n, shape in self.shapes.items()}
        sums = []
        for number, layer in enumerate(self._layers):
            bias = Buffer(Role.BIAS, str(number))
            forms[bias] = Form(str(bias), (layer.units,))
            sources = [(rows[read], weight) for read, weight in layer.sources]
            sums.append(Sums(rows[layer.gradient], sources, Place(bias) if layer.biases else None))
        user = f"{outline.recurrence.graph.name}, backward"
        return outline.training.weights.template(user, forms, sums, total, threads)


def gradient_buffer(number: int) -> Buffer:
    """Return the operand that is a buffer of gradients."""
    return Buffer(Role.GRADIENT, f"buffer {number}")


def over_rows(total: Tensor, units: int) -> Tensor:
    """Return what a loop has added up for a vector; for one number, it is to be added up again."""
    return total.sum().view(1) if units == 1 else total
