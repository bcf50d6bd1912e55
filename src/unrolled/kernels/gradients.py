"""The backward pass of a run on kernels: the loop backwards, then large products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from ..equations import Node
from ..equations.operation import Operation
from . import eager
from .call import Call
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
        self.wanted_banks, _, self.wanted_weights = call.named(wanted)
        self.saved, *full = stored
        self.full = dict(zip(call.states, full, strict=True))
        self.like = full[0]
        self.buffers = [self.like.new_empty(call.time.total, width) for width in self.plan.widths]

    def run(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The gradients with respect to banks, states and weights."""
        call, training = self.call, self.call.training
        job = call.backward
        returned = [
            self._dense(name, gradient)
            for name, gradient in zip(call.record, gradients, strict=False)
        ]
        pairs = self._pairs(gradients[len(call.record) :])
        learned = call.learned(self.weights)
        threads = job.shares.threads
        sums = {name: self.like.new_zeros(threads, wide) for name, wide in training.sums.items()}
        full = [array.data_ptr() for array in self.full.values()]
        ends = [pair.data_ptr() for pair in pairs.values()]
        addresses = [*call.inputs(self.banks, learned), *full, *full, *ends, *ends]
        addresses += training.saved(self.saved)
        addresses += [gradient.data_ptr() for gradient in returned]
        addresses += self._places()
        job.run([*addresses, *(total.data_ptr() for total in sums.values())], self.weights)
        summed = {name.removeprefix("sum "): total.sum(0) for name, total in sums.items()}
        places = call.time.backward.pair[2]
        states = [pairs[name].index_select(0, places) for name in call.states]
        return [*self._banks(summed), *states, *self._weights(summed)]

    def _places(self) -> list[int]:
        """Where the loop stores the gradients."""
        found = []
        for _, place in self.plan.gradients.values():
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
        """The gradient of what the loop reads: from the loop, and through learned layers."""
        if names[0] in self.call.recurrence.split.vectors:
            total = summed.get(names[0])
            one = self.call.recurrence.width(names) == 1
            return total if total is None or not one else total.sum().view(1)
        buffer = self.plan.hoisted[names]
        total = None if buffer is None else self.buffers[buffer]
        for layer in self.plan.layers:
            for block, source in zip(layer.blocks, layer.sources, strict=True):
                if source.operation is Operation.INPUT and names == (source.attribute,):
                    weight = self.weights[f"weight_{block.group}"][_rows(layer, block.row)]
                    part = self._gradient(layer) @ weight
                    total = part if total is None else total + part
        return total

    def _gradient(self, layer: LayerGradient) -> Tensor:
        """The gradient of some layers' pre-activations, (N, rows)."""
        place = layer.place
        return self.buffers[place.buffer][:, place.start : place.stop]

    def _weights(self, summed: Mapping[str, Tensor]) -> list[Tensor | None]:
        """Large products over all rows and steps."""
        parts: dict[str, list[tuple[slice, Tensor]]] = {name: [] for name in self.call.weights}
        for layer in self.plan.layers:
            gradient, total = self._gradient(layer), None
            for block, source in zip(layer.blocks, layer.sources, strict=True):
                name = f"weight_{block.group}"
                if self.wanted_weights[name]:
                    product = gradient.t() @ self._source(source)
                    parts[name].append((_rows(layer, block.row), product))
                name = f"bias_{block.group}"
                if block.bias is not None and self.wanted_weights[name]:
                    total = gradient.sum(0) if total is None else total
                    parts[name].append((_rows(layer, block.bias), total))
        sizes = self.call.recurrence.sizes
        for node in self.call.recurrence.split.step.learned:
            name, size = node.attribute.name, node.attribute.size
            total = summed.get(name)
            if total is not None:
                total = total.sum().view(1) if size == "one" else total[: sizes[size]]
                parts[name].append((slice(0, sizes[size]), total))
        return [self._whole(name, parts[name]) for name in self.call.weights]

    def _whole(self, name: str, parts: list[tuple[slice, Tensor]]) -> Tensor | None:
        """A parameter's gradient, of the gradients of some of its rows."""
        if not self.wanted_weights[name]:
            return None
        weight = self.weights[name]
        if len(parts) == 1 and parts[0][1].shape == weight.shape:
            return parts[0][1]
        whole = torch.zeros_like(weight)
        for rows, part in parts:
            whole[rows] = part
        return whole

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


def _rows(layer: LayerGradient, first: int) -> slice:
    """The rows of a parameter that belong to some layers, from a block on."""
    height = (layer.place.stop - layer.place.start) // layer.layers
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
