"""The backward pass of a run on kernels: the loop backwards, then the weights' gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, final

import torch
from torch import Tensor

from ...graph.node import Node
from ...graph.operation import Operation
from ...locks import cached_property
from .. import eager
from ..planning.training import LayerGradient
from ..runtime import cache
from ..runtime.abi import Buffer, Role
from ..runtime.buffers import arriving, check, solid
from ..runtime.cache import Cache
from ..runtime.call import Call
from ..runtime.launch import Launch, Place, Template
from ..runtime.launcher import Form
from ..runtime.linear import Numbers, size
from ..runtime.memory import empty, reserve
from ..runtime.outline import STORE, Outline
from ..runtime.product import bank
from ..runtime.torch_state import PLAIN
from ..runtime.weight_gradients import Rows, Sums
from ..tuning import SMALL_ARRAY


@final
class Gradients:
    """The backward pass of calls, for some of what the forward pass was given.

    Args:
        outline: of the calls.
        wanted: for each of the sources, states and weights, whether its gradient is asked for.
    """

    def __init__(self, outline: Outline, wanted: Sequence[bool]) -> None:
        self.outline = outline
        self.plan = plan = outline.training.plan
        self.dtype = outline.recurrence.dtype
        self.like = torch.empty(0, dtype=self.dtype, device="cpu")
        self.wanted_sources, self.wanted_states, wanted_weights = outline.parted(wanted)
        self.product = outline.recurrence.product
        asked = [] if self.product else zip(outline.banks, self.wanted_sources, strict=True)
        returned = {plan.hoisted[names] for names, wanted in asked if wanted} - {None}
        self.filled = frozenset(plan.optional & returned)
        self._kind = "backward", self.filled
        places = [place for _, place in plan.stored(self.filled).values()]
        self.widths = {p.buffer: (plan.widths[p.buffer], p.buffer in returned) for p in places}
        shapes = outline.recurrence.shapes
        pairs = zip(outline.weights, wanted_weights, strict=True)
        self.weights = {name: shapes[name] for name, wanted in pairs if wanted}
        learned = [node.attribute for node in outline.recurrence.split.step.learned]
        sizes = outline.recurrence.sizes
        self.vectors = {p.name: None if p.size == "one" else sizes[p.size] for p in learned}
        self.gathered: dict[Buffer, str] = {}  # rows of states that are not adjoining
        self.layers = [self._layer(layer) for layer in plan.layers] if self.weights else []
        self._templates: dict[tuple[str, int], Template] = {}  # of weight gradients, by threads
        self._places: dict[bool, list[Any]] = {}  # of the rows of a step, by direction
        self._of_steps = Cache(cache.calls)  # launches, by number of rows and threads

    def run(
        self,
        call: Call,
        tensors: Sequence[Tensor],
        store: Tensor,
        gradients: Sequence[Tensor | None],
    ) -> list[Tensor | None]:
        """Return the gradients with respect to sources, states and weights.

        Args:
            call: of the forward pass.
            tensors: sources, states and weights, as the forward pass was given them.
            store: what it kept.
            gradients: of the recorded values and of the last states.
        """
        return self.end(self.through(call, tensors, store, gradients))

    def through(
        self,
        call: Call,
        tensors: Sequence[Tensor],
        store: Tensor,
        gradients: Sequence[Tensor | None],
    ) -> Begun:
        """Run the loop; arguments as of `run`."""
        begun = self.begin(call, call.launch(self._kind), tensors, store, gradients)
        begun.launch.run(begun.tensors)
        return begun

    def alone(self, call: Call) -> Launch | None:
        """Return the loop on one thread, if that is better beside another call's."""
        return call.alone(self._kind)

    def begin(
        self,
        call: Call,
        launch: Launch,
        tensors: Sequence[Tensor],
        store: Tensor,
        gradients: Sequence[Tensor | None],
    ) -> Begun:
        """Return what the loop reads and writes; arguments as of `run`."""
        sources, states, weights = self.outline.parted(tensors)
        total, buffers = call.time.total, self._buffers(call.time.total)
        if self.product is None or not launch.reads.isdisjoint(map(bank, self.outline.banks)):
            read = call.read(sources, weights)
        else:  # no bank is read: any memory will do
            unread = [reserve.take(self.dtype, total * w) for w in self.product.widths]
            banks = [u.view(-1, w) for u, w in zip(unread, self.product.widths, strict=True)]
            read = [*banks, *weights]
        if self.product is not None:
            read += sources  # which the gradients of the weights read
        given = list(map(self._dense, call.arriving, gradients))
        if call.pairs:
            ends = list(map(self.like.new_empty, call.pairs))
        elif self.outline.shared:
            ends = [self.like.new_empty(call.time.batch, len(state)) for state in states]
        else:
            ends = list(map(torch.empty_like, states))
        sums = {
            name: self.like.new_zeros(launch.form(Buffer(Role.SUM, name)).shape)
            for name in self.plan.reduced
        }
        arrays = [*read, store, *given, *ends, *buffers.values(), *sums.values()]
        return Begun(call, launch, arrays, sources, states, weights, store, buffers, ends, sums)

    def end(self, begun: Begun) -> list[Tensor | None]:
        """Return what `run` does, once the loop has run."""
        found, summed = self.before(begun)
        weights = self._weights(begun, summed)
        return [*found, *(weights.get(name) for name in self.outline.weights)]

    def before(self, begun: Begun) -> tuple[list[Tensor | None], dict[str, Tensor]]:
        """Return the gradients of sources and states, and what the loop has added up by name."""
        summed = {name: total.sum(0) for name, total in begun.sums.items()}
        ends: list[Tensor | None] = list(begun.ends)
        if begun.call.pairs:
            final = begun.call.time.backward.final
            ends = [final(p).view(s.shape) for p, s in zip(begun.ends, begun.states, strict=True)]
        if self.outline.shared:
            ends = [end.sum(0) for end in begun.ends]
        for number, wanted in enumerate(self.wanted_states):
            if not wanted:
                ends[number] = None
        return [*self._sources(begun, summed), *ends], summed

    def _buffers(self, total: int) -> dict[int, Tensor]:
        """The arrays of the gradients, (N, width); large ones that nobody else sees are kept."""
        return {
            buffer: empty(self.like, total, width)
            if is_returned or total * width < SMALL_ARRAY
            else reserve.take(self.dtype, total * width).view(total, width)
            for buffer, (width, is_returned) in self.widths.items()
        }

    def _dense(self, shape: tuple[int, ...], gradient: Tensor | None) -> Tensor:
        """Return an arriving gradient with its numbers in memory; 0 where there is none."""
        if gradient is None:
            return self.like.new_zeros(shape)
        return solid(gradient if gradient.layout is torch.strided else gradient.to_dense())

    def _sources(self, begun: Begun, summed: Mapping[str, Tensor]) -> list[Tensor | None]:
        """The gradients of what the call was given."""
        sources, buffers = begun.sources, begun.buffers
        if not any(self.wanted_sources):
            return [None] * len(sources)
        if self.product is None:
            return [
                self._bank(names, source, buffers, summed) if wanted else None
                for names, source, wanted in zip(
                    self.outline.banks, sources, self.wanted_sources, strict=True
                )
            ]
        rows = begun.call.time.total
        banks = [
            sources[0].new_zeros(rows, width) if buffer is None else buffers[buffer]
            for width, buffer in zip(self.product.widths, self.plan.hoisted.values(), strict=True)
        ]
        found = self.product.gradients(banks, begun.weights, rows)
        return [each.view(source.shape) for each, source in zip(found, sources, strict=True)]

    def _bank(
        self,
        names: tuple[str, ...],
        source: Tensor,
        buffers: Mapping[int, Tensor],
        summed: Mapping[str, Tensor],
    ) -> Tensor | None:
        """The gradient of what the loop reads."""
        if names[0] in self.outline.recurrence.split.vectors:
            if summed.keys().isdisjoint(names):
                return None
            return torch.cat([self._vector(name, source, summed) for name in names])
        buffer = self.plan.hoisted[names]
        return None if buffer is None else buffers[buffer].view(source.shape)

    def _vector(self, name: str, source: Tensor, summed: Mapping[str, Tensor]) -> Tensor:
        """The gradient of what is the same for all rows and steps; 0 where nothing reads it."""
        units = self.outline.recurrence.width([name])
        if name not in summed:
            return source.new_zeros(units)
        return summed[name].sum().view(1) if units == 1 else summed[name]

    def _layer(self, layer: LayerGradient) -> _Layer:
        """Where the gradients of some learned layers come from and go to."""
        sources, biases = [], []
        for block, source in zip(layer.blocks, layer.sources, strict=True):
            weight, bias = f"weight_{block.group}", f"bias_{block.group}"
            begin = _rows(layer, block.row).start * self._width(source)
            into = Place(Buffer(Role.WEIGHT, weight), begin) if weight in self.weights else None
            sources.append(_Source(self._source(source), self._width(source), into))
            if block.bias is not None and bias in self.weights:
                biases.append((bias, _rows(layer, block.bias)))
        place = layer.place
        rows = Rows(Place(_buffer(place.buffer), place.start), self.plan.widths[place.buffer])
        return _Layer(rows, place.units, sources, biases)

    def _width(self, source: Node) -> int:
        """How many units what a layer reads has."""
        return self.outline.training.width_of(source)

    def _source(self, source: Node) -> Rows:
        """Where what a layer read stands, for all N rows."""
        outline, plan = self.outline, self.plan
        step, units = outline.recurrence.split.step, self._width(source)
        if source.operation is Operation.INPUT:
            for names in outline.sources:
                if source.attribute in names:
                    width = units if self.product else outline.recurrence.width(names)
                    return Rows(Place(bank(names)), width)
        for state in outline.states:
            is_before = source.operation is Operation.STATE and source.attribute == state
            if is_before and not outline.is_dense:
                self.gathered[Buffer(Role.OLD, state)] = state
                return Rows(Place(Buffer(Role.OLD, state)), units)
            if is_before or step.values[state] is source:
                first = size("states before" if is_before else "states after")
                return Rows(Place(STORE, outline.full_place(state).offset + first * units), units)
        if source in plan.sources:
            return Rows(Place(_buffer(plan.sources[source])), units)
        buffer = next(buffer for buffer, node in plan.saved.items() if node is source)
        return Rows(outline.saved[buffer], outline.training.width)

    def _weights(self, begun: Begun, summed: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Sums over all rows and steps: large products, and what the loop has added up."""
        call = begun.call
        gathered = [
            call.full(begun.store, state)[call.time.before] for state in self.gathered.values()
        ]
        operands = [*begun.sources, begun.store, *gathered, *begun.buffers.values()]

        def launch() -> Launch:
            return call.prepared(
                self, lambda: self._template("call", call.time.total).at(call.sizes("forward"))
            )

        return self._summed(launch, operands, summed)

    def _summed(
        self,
        launch: Callable[[], Launch],
        operands: Sequence[Tensor],
        summed: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Return the gradients of weights: products of rows of operands, and sums of vectors."""
        found = {name: self._new(name, shape) for name, shape in self.weights.items()}
        totals = [self.like.new_empty(layer.units) for layer in self.layers]
        if self.layers:
            launch().run([*operands, *found.values(), *totals])
        for layer, total in zip(self.layers, totals, strict=True):
            for name, rows in layer.biases:
                _write(found, name, rows, total)
        for name, total in summed.items():
            if name in found:
                units = self.vectors[name]
                total = total.sum().view(1) if units is None else total[:units]
                _write(found, name, slice(0, units), total)
        return found

    def _template(self, which: str, total: int) -> Template:
        """Return the launch for one call, or for steps, on the threads that are worth it."""
        threads = self.outline.training.weights.threads(total)
        known = self._templates.get((which, threads))
        if known is None:
            made = self._for_call(threads) if which == "call" else self._for_steps(threads)
            known = self._templates[which, threads] = made
        return known

    def _for_call(self, threads: int) -> Template:
        outline, total = self.outline, self.outline.total
        forms = {bank(names): outline.given[bank(names)] for names in outline.sources}
        forms[STORE] = outline.stored
        for buffer, state in self.gathered.items():
            forms[buffer] = Form(str(buffer), (total, outline.states[state]))
        for buffer, (width, _) in self.widths.items():
            forms[_buffer(buffer)] = Form(str(_buffer(buffer)), (total, width))
        return self._products(forms, threads, lambda rows, _: rows)

    def _products(
        self, forms: dict[Buffer, Form], threads: int, stands: Callable[[Rows, int], Rows]
    ) -> Template:
        """Return the launch of all products.

        Args:
            forms: of the operands that are read.
            threads: that run it.
            stands: tells where rows of so many units stand, given where they do in this call.
        """
        for name, shape in self.weights.items():
            forms[Buffer(Role.WEIGHT, name)] = Form(name, shape)
        sums = []
        for number, layer in enumerate(self.layers):
            bias = Buffer(Role.BIAS, str(number))
            forms[bias] = Form(str(bias), (layer.units,))
            sources = [(stands(each.rows, each.units), each.weight) for each in layer.sources]
            rows = stands(layer.rows, layer.units)
            sums.append(Sums(rows, sources, Place(bias) if layer.biases else None))
        user = f"{self.outline.recurrence.graph.name}, backward"
        weights = self.outline.training.weights
        return weights.template(user, forms, sums, self.outline.total, threads)

    # Steps whose gradients of weights are made together.

    @cached_property
    def reads(self) -> dict[tuple[Rows, int], int]:
        """The rows that the gradients of the weights are made of, and how many units they have."""
        every = {(layer.rows, layer.units): 0 for layer in self.layers}
        every |= {(each.rows, each.units): 0 for layer in self.layers for each in layer.sources}
        return {key: number for number, key in enumerate(every)}

    def _gathers(self, call: Call) -> list[tuple[int, tuple[int, int], tuple[int, int], int] | int]:
        """Of those rows, which operand holds them, their shape and strides, and where they begin.

        Operands are sources, buffers, and what was kept; of one that is nothing else, its number.
        """
        operands = [*map(bank, self.outline.sources), *map(_buffer, self.widths), STORE]
        total = call.time.total
        offsets = Numbers([rows.place.offset for rows, _ in self.reads]).at(call.sizes("forward"))
        found = []
        for (rows, units), offset in zip(self.reads, offsets, strict=True):
            number = operands.index(rows.place.operand)
            whole = number < len(operands) - 1 and rows.stride == units and offset == 0
            found.append(number if whole else (number, (total, units), (rows.stride, 1), offset))
        return found

    def gather(self, begun: Begun) -> list[Tensor]:
        """Return those rows of one step, B of them, once its loop has run."""
        operands = [*begun.sources, *begun.buffers.values(), begun.store]
        reverse = begun.call.reverse
        if reverse not in self._places:
            self._places[reverse] = self._gathers(begun.call)
        found = []
        for each in self._places[reverse]:
            if isinstance(each, int):
                found.append(operands[each])
                continue
            place, shape, strides, offset = each
            part = operands[place].contiguous()
            found.append(part.as_strided(shape, strides, part.storage_offset() + offset))
        return found

    def of_steps(
        self, rows: Sequence[Sequence[Tensor]], summed: Sequence[Mapping[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Return the gradients of weights for several steps.

        Args:
            rows: of each step, what `gather` returned.
            summed: of each, what its loop has added up.
        """
        operands = [torch.cat(each) for each in zip(*rows, strict=True)]
        total = len(rows) * self.outline.batch

        def launch() -> Launch:
            key = total, torch.get_num_threads()
            known = self._of_steps.get(key)
            if known is None:
                known = self._template("steps", total).at({"total": total})
                self._of_steps.keep(key, known, known.size)
            return known

        together = {name: sum(each[name] for each in summed) for name in self.plan.reduced}
        return self._summed(launch, operands, together)  # pyright: ignore[reportArgumentType]

    def _for_steps(self, threads: int) -> Template:
        total = self.outline.total
        names = [Buffer(Role.SOURCE, f"rows {number}") for number in self.reads.values()]
        forms = {
            name: Form(str(name), (total, units))
            for name, (_, units) in zip(names, self.reads, strict=True)
        }

        def stands(rows: Rows, units: int) -> Rows:
            return Rows(Place(names[self.reads[rows, units]]), units)

        return self._products(forms, threads, stands)

    def _new(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """The gradient of a parameter, 0 where no layer is going to write it."""
        is_written = self.plan.written[name] == shape[0]
        return self.like.new_empty(shape) if is_written else self.like.new_zeros(shape)


class Begun(NamedTuple):
    """The derivative of a loop, ready to run.

    Attributes:
        call: of the forward pass.
        launch: that makes it.
        tensors: its operands.
        sources, states, weights: what the forward pass was given.
        store: what the forward pass kept.
        buffers: the arrays of the gradients, (N, width).
        ends: of each state, its gradients before the first step; if ragged, before and after one.
        sums: what each thread adds up.
    """

    call: Call
    launch: Launch
    tensors: list[Tensor]
    sources: Sequence[Tensor]
    states: Sequence[Tensor]
    weights: Sequence[Tensor]
    store: Tensor
    buffers: dict[int, Tensor]
    ends: list[Tensor]
    sums: dict[str, Tensor]


class _Source(NamedTuple):
    """What a learned layer read.

    Attributes:
        rows: where it stands.
        units: how many it has.
        weight: where the gradient of the matrix goes, if it is wanted.
    """

    rows: Rows
    units: int
    weight: Place | None


class _Layer(NamedTuple):
    """The gradient of some learned layers."""

    rows: Rows
    units: int
    sources: list[_Source]
    biases: list[tuple[str, slice]]  # and which rows


def _buffer(number: int) -> Buffer:
    """Return the operand that is a buffer of gradients."""
    return Buffer(Role.GRADIENT, f"buffer {number}")


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
        tensors = check(call.recurrence.graph.name, call.recurrence.dtype, call.given, tensors)
    gradients = arriving(f"{call.recurrence.graph.name}, backward", gradients)
    tensors = [tensor.view_as(tensor) for tensor in tensors]  # one may be computed from another
    outline = call.outline
    sources, states, weights = outline.parted(tensors)
    first = {
        n: s.expand(outline.batch, -1) if outline.shared else s.view(s.shape[-2:])
        for n, s in zip(outline.states, states, strict=True)
    }
    named = dict(zip(outline.weights, weights, strict=True))
    program = call.recurrence.program if call.recurrence.is_whole else call.recurrence.step
    rows = _named_rows(call, sources)
    values, last = eager.run(
        program, named, rows, first, call.record, call.batch_sizes, call.reverse
    )
    recorded = len(call.record)
    finals = zip((last[name] for name in outline.states), gradients[recorded:], strict=True)
    pairs = [*zip(values.values(), gradients[:recorded], strict=True)]
    pairs += [(end if g is None else end.view(g.shape), g) for end, g in finals]
    given = [(output, gradient) for output, gradient in pairs if gradient is not None]
    return eager.differentiated(given, tensors, wanted, again)


def _named_rows(call: Call, sources: Sequence[Tensor]) -> dict[str, Tensor]:
    """What a call was given by the names of the program's inputs, (*shape, units)."""
    recurrence = call.recurrence
    if recurrence.is_whole:
        pairs = zip(call.outline.sources, sources, strict=True)
        return {name: value.view(*call.shape, value.shape[-1]) for (name,), value in pairs}
    rows = {}
    for names, source in zip(call.outline.banks, sources, strict=True):
        parts = source.split([recurrence.width([name]) for name in names], -1)
        for name, part in zip(names, parts, strict=True):
            fixed = name in recurrence.split.vectors
            rows[name] = part.expand(*call.shape, -1) if fixed else part.view(*call.shape, -1)
    if not rows:  # one that nothing reads tells shape and dtype
        rows[""] = torch.zeros((), dtype=recurrence.dtype, device="cpu").expand(*call.shape, 1)
    return rows
