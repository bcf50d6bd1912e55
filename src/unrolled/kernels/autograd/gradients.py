"""The backward pass of one call: the loop backwards on its kernel, or the eager definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor

from .. import eager
from ..runtime.abi import Buffer, Role
from ..runtime.buffers import arriving, check, solid
from ..runtime.call import Call
from ..runtime.launch import Launch
from ..runtime.memory import empty, reserve
from ..runtime.outline import Outline
from ..runtime.product import bank
from ..runtime.torch_state import PLAIN
from ..tuning import SMALL_ARRAY
from .weight_gradients import Summed, WeightProducts, over_rows


@final
class Gradients:
    """The backward pass of calls, for some of what the forward pass was given.

    Args:
        outline: of the calls.
        wanted: for each of the sources, states and weights, whether its gradient is asked for.

    Attributes:
        kind: of the launch of the loop.
        weights: the gradients of weights.
    """

    def __init__(self, outline: Outline, wanted: Sequence[bool]) -> None:
        self.outline = outline
        self.plan = plan = outline.training.plan
        self.dtype = outline.recurrence.dtype
        self.like = torch.empty(0, dtype=self.dtype, device="cpu")
        self.wanted_sources, self.wanted_states, wanted_weights = outline.parted(wanted)
        self.product = outline.recurrence.product
        asked = [] if self.product else zip(outline.banks, self.wanted_sources, strict=True)
        returned = {plan.hoisted[names] for names, is_wanted in asked if is_wanted} - {None}
        filled = frozenset(plan.optional & returned)
        self.kind = "backward", filled
        places = [place for _, place in plan.stored(filled).values()]
        self.widths = {p.buffer: (plan.widths[p.buffer], p.buffer in returned) for p in places}
        given = {buffer: is_returned for buffer, (_, is_returned) in self.widths.items()}
        self.weights = WeightProducts(outline, wanted_weights, given)

    def begin(
        self,
        call: Call,
        tensors: Sequence[Tensor],
        store: Tensor,
        gradients: Sequence[Tensor | None],
        alone: Launch | None = None,
    ) -> Begun:
        """Return the loop and what it reads and writes; who calls runs it.

        Args:
            call: of the forward pass.
            tensors: sources, states and weights, as the forward pass was given them.
            store: what it kept.
            gradients: of the recorded values and of the last states.
            alone: the loop on one thread, if it runs beside others.
        """
        launch = alone or call.launch(self.kind)
        sources, states, weights = self.outline.parted(tensors)
        total = call.time.total
        if self.product is None or not launch.reads.isdisjoint(map(bank, self.outline.banks)):
            read = call.read(sources, weights)
        else:  # no bank is read: any memory will do
            widths = self.product.widths
            read = [*(reserve.take(self.dtype, total * w).view(-1, w) for w in widths), *weights]
        if self.product is not None:
            read += sources  # which the gradients of the weights read
        given = list(map(self._dense, call.arriving, gradients))
        if call.pairs:
            ends = list(map(self.like.new_empty, call.pairs))
        elif self.outline.shared:
            ends = [self.like.new_empty(call.time.batch, len(state)) for state in states]
        else:
            ends = [self.like.new_empty(state.shape) for state in states]
        buffers = [  # large ones that nobody else sees are kept
            empty(self.like, total, width)
            if is_returned or total * width < SMALL_ARRAY
            else reserve.take(self.dtype, total * width).view(total, width)
            for width, is_returned in self.widths.values()
        ]
        sums = [
            self.like.new_zeros(launch.form(Buffer(Role.SUM, name)).shape)
            for name in self.plan.reduced
        ]
        arrays = [*read, store, *given, *ends, *buffers, *sums]
        return Begun(call, launch, arrays, sources, states, weights, store, buffers, ends, sums)

    def end(self, begun: Begun) -> list[Tensor | None]:
        """Return the gradients of sources, states and weights, once the loop has run."""
        found, summed = self.before(begun)
        weights = self.weights.of_call(
            begun.call, begun.sources, begun.store, begun.buffers, summed
        )
        return [*found, *map(weights.get, self.outline.weights)]

    def before(self, begun: Begun) -> tuple[list[Tensor | None], Summed]:
        """Return the gradients of sources and states, and what the loop has added up by name."""
        sums = zip(self.plan.reduced, begun.sums, strict=True)
        summed = {name: total.sum(0) for name, total in sums}
        ends = begun.ends
        if begun.call.pairs:
            final = begun.call.time.backward.final
            ends = [final(p).view(s.shape) for p, s in zip(ends, begun.states, strict=True)]
        if self.outline.shared:
            ends = [end.sum(0) for end in ends]
        asked = zip(ends, self.wanted_states, strict=True)
        states = [end if wanted else None for end, wanted in asked]
        return [*self._sources(begun, summed), *states], summed

    def _dense(self, shape: tuple[int, ...], gradient: Tensor | None) -> Tensor:
        """Return an arriving gradient with its numbers in memory; 0 where there is none."""
        if gradient is None:
            return self.like.new_zeros(shape)
        return solid(gradient if gradient.layout is torch.strided else gradient.to_dense())

    def _sources(self, begun: Begun, summed: Summed) -> list[Tensor | None]:
        """Return the gradients of what the call was given."""
        sources = begun.sources
        if not any(self.wanted_sources):
            return [None] * len(sources)
        buffers = dict(zip(self.widths, begun.buffers, strict=True))
        if self.product is None:
            asked = zip(self.outline.banks, sources, self.wanted_sources, strict=True)
            return [
                self._bank(names, source, buffers, summed) if wanted else None
                for names, source, wanted in asked
            ]
        rows = begun.call.time.total
        banks = [
            self.like.new_zeros(rows, width) if buffer is None else buffers[buffer]
            for width, buffer in zip(self.product.widths, self.plan.hoisted.values(), strict=True)
        ]
        found = self.product.gradients(banks, begun.weights, rows)
        return [each.view(source.shape) for each, source in zip(found, sources, strict=True)]

    def _bank(
        self, names: tuple[str, ...], source: Tensor, buffers: dict[int, Tensor], summed: Summed
    ) -> Tensor | None:
        """Return the gradient of what the loop reads; None if nothing depends on it."""
        recurrence = self.outline.recurrence
        if names[0] not in recurrence.split.vectors:
            buffer = self.plan.hoisted[names]
            return None if buffer is None else buffers[buffer].view(source.shape)
        if summed.keys().isdisjoint(names):
            return None
        parts = []  # the same for all rows and steps; 0 where nothing reads it
        for name in names:
            units = recurrence.width([name])
            parts.append(
                over_rows(summed[name], units) if name in summed else self.like.new_zeros(units)
            )
        return torch.cat(parts)


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
    buffers: list[Tensor]
    ends: list[Tensor]
    sums: list[Tensor]


def by_definition(
    call: Call,
    tensors: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients through the eager definition.

    Where PyTorch records operations, they can be differentiated again.
    """
    again = torch.is_grad_enabled()
    recurrence, outline = call.recurrence, call.outline
    user = recurrence.graph.name
    with torch.enable_grad():
        if all(type(tensor) in PLAIN for tensor in tensors):
            tensors = check(user, recurrence.dtype, call.given, tensors)
        gradients = arriving(f"{user}, backward", gradients)
        tensors = [tensor.view_as(tensor) for tensor in tensors]  # one may be computed from another
        sources, states, weights = outline.parted(tensors)
        first = {
            name: state.expand(outline.batch, -1)
            if outline.shared
            else state.view(state.shape[-2:])
            for name, state in zip(outline.states, states, strict=True)
        }
        values, last = eager.run(
            recurrence.program if recurrence.is_whole else recurrence.step,
            dict(zip(outline.weights, weights, strict=True)),
            _named_rows(call, sources),
            first,
            call.record,
            call.batch_sizes,
            call.reverse,
        )
        results = [*values.values(), *(last[name] for name in outline.states)]
        given = [
            (result.view(gradient.shape), gradient)
            for result, gradient in zip(results, gradients, strict=True)
            if gradient is not None
        ]
        return eager.differentiated(given, tensors, wanted, again)


def _named_rows(call: Call, sources: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return what a call was given by the names of the program's inputs, (*shape, units)."""
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
