"""The backward pass of a run on kernels: the loop backwards, then the weights' gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from ..equations import Node
from ..equations.operation import Operation
from . import eager
from .call import Call
from .llvm.weights import Sums
from .memory import empty
from .training import LayerGradient


@final
class Gradients:
    """One backward pass.

    Args:
        call: of the forward pass.
        tensors: what it was given: banks, states and weights.
        stored: what it stored: the saved values, and the states of all steps.
        wanted: for each of `tensors`, whether its gradient is asked for.
    """

    def __init__(
        self,
        call: Call,
        tensors: Sequence[Tensor],
        stored: Sequence[Tensor],
        wanted: Sequence[bool],
    ) -> None:
        self.call = call
        self.plan = call.training.plan
        self.banks, self.states, self.weights = call.named(tensors)
        self.wanted_banks, self.wanted_states, self.wanted_weights = call.named(wanted)
        self.saved, *full = stored
        self.full = dict(zip(call.states, full, strict=True))
        self.like = full[0]
        asked = zip(call.banks, self.wanted_banks, strict=True)
        filled = {self.plan.hoisted[names] for names, wanted in asked if wanted}
        self.filled = frozenset(self.plan.optional & filled)
        self.buffers = {
            place.buffer: empty(self.like.dtype, call.time.total, self.plan.widths[place.buffer])
            for _, place in self.plan.stored(self.filled).values()
        }

    def run(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The gradients with respect to banks, states and weights."""
        call, training = self.call, self.call.training
        job = call.backward(self.filled)
        returned = [
            self._dense(name, gradient)
            for name, gradient in zip(call.record, gradients, strict=False)
        ]
        pairs = self._pairs(gradients[len(call.record) :])
        learned = call.learned(self.weights)
        threads = job.shares.threads
        widths = {a.name: a.stride for a in job.kernel.source.arrays if a.kind == "thread"}
        sums = {name: self.like.new_zeros(threads, wide) for name, wide in widths.items()}
        full = [array.data_ptr() for array in self.full.values()]
        ends = [pair.data_ptr() for pair in pairs.values()]
        addresses = [*call.inputs(self.banks, learned), *full, *full, *ends, *ends]
        addresses += training.saved(self.saved)
        addresses += [gradient.data_ptr() for gradient in returned]
        addresses += self._places()
        addresses += [sums[f"sum {name}"].data_ptr() for name in self.plan.reduced]
        job.run(addresses, self.weights)
        summed = {name.removeprefix("sum "): total.sum(0) for name, total in sums.items()}
        states = [
            call.time.backward.final(pairs[name]) if self.wanted_states[name] else None
            for name in call.states
        ]
        return [*self._banks(summed), *states, *self._weights(summed)]

    def _places(self) -> list[int]:
        """Where the loop stores the gradients."""
        found = []
        for _, place in self.plan.stored(self.filled).values():
            buffer = self.buffers[place.buffer]
            found.append(buffer.data_ptr() + place.start * buffer.element_size())
        return found

    def _pairs(self, finals: Sequence[Tensor | None]) -> dict[str, Tensor]:
        """For each state, an array for its gradients before and after a step, (2 B, units)."""
        pairs = {}
        for (name, units), gradient in zip(self.call.states.items(), finals, strict=True):
            if gradient is None:
                pairs[name] = self.like.new_zeros(2 * self.call.time.batch, units)
            else:
                pairs[name] = torch.cat([gradient, gradient])
        return pairs

    def _dense(self, name: str, gradient: Tensor | None) -> Tensor:
        """The gradient with respect to a returned value, laid out row by row."""
        if gradient is not None:
            return gradient.contiguous()
        return self.like.new_zeros(self.call.time.total, self.call.recurrence.probe_width(name))

    def _banks(self, summed: Mapping[str, Tensor]) -> list[Tensor | None]:
        return [
            self._bank(names, summed) if wanted else None
            for names, wanted in zip(self.call.banks, self.wanted_banks, strict=True)
        ]

    def _bank(self, names: tuple[str, ...], summed: Mapping[str, Tensor]) -> Tensor | None:
        """The gradient of what the loop reads."""
        if names[0] in self.call.recurrence.split.vectors:
            total = summed.get(names[0])
            one = self.call.recurrence.width(names) == 1
            return total if total is None or not one else total.sum().view(1)
        buffer = self.plan.hoisted[names]
        return None if buffer is None else self.buffers[buffer]

    def _gradient(self, layer: LayerGradient) -> Tensor:
        """The gradient of some layers' pre-activations, (N, rows)."""
        place = layer.place
        return self.buffers[place.buffer][:, place.start : place.stop]

    def _weights(self, summed: Mapping[str, Tensor]) -> list[Tensor | None]:
        """Sums over all rows and steps: large products, and what the loop has added up."""
        found = {name: self._new(name) for name in self.call.weights if self.wanted_weights[name]}
        totals: dict[str, list[tuple[slice, Tensor]]] = {}
        sums = []
        for layer in self.plan.layers:
            gradient = self._gradient(layer)
            biases: list[tuple[str, slice]] = []
            sources: list[tuple[Tensor, Tensor | None]] = []
            for block, source in zip(layer.blocks, layer.sources, strict=True):
                weight = found.get(f"weight_{block.group}")
                weight = None if weight is None else _part(weight, _rows(layer, block.row))
                sources.append((self._source(source), weight))
                if block.bias is not None and f"bias_{block.group}" in found:
                    biases.append((f"bias_{block.group}", _rows(layer, block.bias)))
            total = gradient.new_empty(gradient.shape[1])
            sums.append(Sums(gradient, sources, total if biases else None))
            for name, rows in biases:
                totals.setdefault(name, []).append((rows, total))
        if found and sums:
            self.call.training.weights.run(sums)
        sizes = self.call.recurrence.sizes
        for node in self.call.recurrence.split.step.learned:
            name, size = node.attribute.name, node.attribute.size
            total = summed.get(name)
            if total is not None and name in found:
                total = total.sum().view(1) if size == "one" else total[: sizes[size]]
                totals.setdefault(name, []).append((slice(0, sizes[size]), total))
        for name, parts in totals.items():
            for rows, total in parts:
                if total.shape == found[name].shape:
                    found[name] = total
                else:
                    found[name][rows] = total
        return [found.get(name) for name in self.call.weights]

    def _new(self, name: str) -> Tensor:
        """The gradient of a parameter, 0 where no layer is going to write it."""
        weight = self.weights[name]
        if self.plan.written.get(name, 0) == len(weight):
            return torch.empty_like(weight, memory_format=torch.contiguous_format)
        return torch.zeros_like(weight, memory_format=torch.contiguous_format)

    def _source(self, source: Node) -> Tensor:
        """What a layer read, for all N rows."""
        call = self.call
        if source.operation is Operation.STATE:
            return self.full[source.attribute][call.time.before]
        if source.operation is Operation.INPUT:
            place = next(i for i, names in enumerate(call.banks) if source.attribute in names)
            return self.banks[place]
        step = call.recurrence.split.step
        for state in self.full:
            if step.values[state] is source:
                return self.full[state][call.time.after]
        name = next(name for name, node in self.plan.saved.items() if node is source)
        column = call.training.columns[name]
        return self.saved[:, column : column + call.recurrence.sizes[step.sizes[source]]]


def _part(weight: Tensor, rows: slice) -> Tensor:
    """Some rows of a weight's gradient."""
    return weight if rows.stop - rows.start == len(weight) else weight[rows]


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
    banks, states, weights = call.named(tensors)
    recurrence = call.recurrence
    rows = {}
    for names, bank in zip(call.banks, banks, strict=True):
        parts = bank.split([recurrence.width([name]) for name in names], -1)
        for name, part in zip(names, parts, strict=True):
            fixed = name in recurrence.split.vectors
            rows[name] = part.expand(*call.shape, -1) if fixed else part.view(*call.shape, -1)
    values, last = eager.run(
        recurrence.step, weights, rows, states, call.record, call.batch_sizes, call.reverse
    )
    outputs = [value.reshape(call.time.total, -1) for value in values.values()]
    outputs += [last[name] for name in call.states]
    pairs = [(o, g) for o, g in zip(outputs, gradients, strict=True) if g is not None]
    inputs = [tensor for tensor, asked in zip(tensors, wanted, strict=True) if asked]
    found = iter(
        torch.autograd.grad(
            [output for output, _ in pairs],
            inputs,
            [gradient for _, gradient in pairs],
            create_graph=again,
            allow_unused=True,
        )
    )
    return [next(found) if asked else None for asked in wanted]
