"""Cells on compiled kernels: whole sequences forward and backward, as one node of autograd."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, final

import torch
from torch import Tensor

from ..equations import Graph
from ..equations.node import Size
from ..equations.operation import Operation
from . import eager, timeline
from .llvm.kernel import Kernel, Rows
from .llvm.schedule import Schedule, UnsupportedError
from .split import split
from .timeline import Timeline
from .training import TrainingPlan


@final
class Recurrence:
    """One cell at one size and dtype, and its kernels as they become needed.

    Args:
        graph: of the cell.
        sizes: how many units I, H, P and 1 are.
        dtype: float32 or float64.

    Raises:
        UnsupportedError: if no kernel can be written; the message says why.
    """

    def __init__(self, graph: Graph, sizes: Mapping[Size, int], dtype: torch.dtype) -> None:
        self.graph = graph
        self.sizes = dict(sizes)
        self.dtype = dtype
        self.split = split(graph)
        self.hoisted = eager.Program(self.split.hoisted, sizes)
        self.step = eager.Program(self.split.step, sizes)
        self.strides = {
            name: 0 if name in self.split.vectors else self.width(names)
            for names in self.split.banks
            for name in names
        }
        if len(self.split.vectors) == len(self.strides):
            raise UnsupportedError("nothing in the loop depends on the input")
        Schedule(self.split.step, {}, {}, {})  # raises now what it would raise later
        self._lock = threading.Lock()  # a kernel is compiled once, whoever asks first
        self._forward: dict[tuple[str, ...], Kernel] = {}
        self._training: dict[tuple[str, ...], Training] = {}

    def text(self, backward: bool) -> str:
        """The kernel of inference, or the backward one of training, as LLVM IR under its plan."""
        record = (self.graph.output,)
        kernel = self.training(record).backward if backward else self.inference(record)
        plan = str(kernel.schedule).splitlines()
        arrays = [f"  array {i}: {a.name}" for i, a in enumerate(kernel.source.arrays)]
        return "\n".join([*(f"; {line}" for line in (*plan, *arrays)), "", kernel.source.text])

    def width(self, names: Sequence[str]) -> int:
        """How many numbers a row of some inputs of the loop has."""
        return sum(self.sizes[self.split.step.inputs[name]] for name in names)

    def inference(self, record: tuple[str, ...]) -> Kernel:
        """The kernel that stores the recorded values and nothing else."""
        with self._lock:
            if record not in self._forward:
                self._forward[record] = self.kernel(self.taps(record))
            return self._forward[record]

    def training(self, record: tuple[str, ...]) -> Training:
        """The kernels of a training step."""
        with self._lock:
            if record not in self._training:
                self._training[record] = Training(self, record)
            return self._training[record]

    def taps(self, record: tuple[str, ...]) -> dict[str, Any]:
        """The recorded values that are not states: those are stored anyway."""
        step = self.split.step
        return {f"tap {name}": step.probes[name] for name in record if name not in step.states}

    def kernel(self, stored: Mapping[str, Any], strides: Mapping[str, int] | None = None) -> Kernel:
        """A kernel of the loop."""
        schedule = Schedule(self.split.step, {}, stored, {})
        return Kernel(schedule, self.sizes, {**self.strides, **(strides or {})}, self.dtype)


_known: OrderedDict[tuple[Any, ...], Recurrence] = OrderedDict()
_lock = threading.Lock()
KEPT = 256
"""How many cells and sizes keep their kernels while no module uses them."""


def recurrence(graph: Graph, sizes: Mapping[Size, int], dtype: torch.dtype) -> Recurrence:
    """The kernels of a cell, the same for all modules with these equations, sizes and dtype."""
    used = {size: count for size, count in sizes.items() if size != "input"}
    names = (*graph.inputs.items(), *graph.states.items(), *graph.values.items())
    key = (graph.name, *names, *used.items(), dtype)
    with _lock:
        if key not in _known:
            _known[key] = Recurrence(graph, sizes, dtype)
        _known.move_to_end(key)
        if len(_known) > KEPT:
            _known.popitem(last=False)
        return _known[key]


@final
class Training:
    """The kernels forward and backward of one cell."""

    def __init__(self, recurrence: Recurrence, record: tuple[str, ...]) -> None:
        self.plan = TrainingPlan(recurrence.split, record, recurrence.sizes)
        plan, sizes = self.plan, recurrence.sizes
        step = recurrence.split.step
        units = [sizes[step.sizes[node]] for node in plan.saved.values()]
        self.columns = dict(zip(plan.saved, _starts(units), strict=True))
        self.width = sum(units)
        strides = dict.fromkeys(plan.saved, self.width)
        stored = {**recurrence.taps(record), **plan.saved}
        self.forward = recurrence.kernel(stored, strides)
        for name, (_, place) in plan.gradients.items():
            strides[name] = plan.widths[place.buffer]
        schedule = Schedule(
            plan.backward,
            plan.given,
            {name: node for name, (node, _) in plan.gradients.items()},
            {f"sum {name}": node for name, node in plan.reduced.items()},
        )
        self.backward = Kernel(schedule, sizes, {**recurrence.strides, **strides}, recurrence.dtype)


def _starts(widths: list[int]) -> list[int]:
    return [sum(widths[:place]) for place in range(len(widths))]


@final
class Call:
    """One run over a sequence: what does not change between forward and backward.

    Args:
        recurrence: the cell.
        record: names of the values that are returned for every step.
        time: where the rows of the steps stand.
        shape: (T, B), or (N,) if ragged.
        batch_sizes, reverse: as for `eager.run`.
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
        self.state_sizes = {
            state: recurrence.sizes[size] for state, size in recurrence.split.step.states.items()
        }
        self.weights = list(recurrence.step.weights)

    def named(self, tensors: Sequence[Any]) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
        """The tensors of banks, states and weights, of one flat list."""
        first = len(self.banks)
        second = first + len(self.state_sizes)
        states = dict(zip(self.state_sizes, tensors[first:second], strict=True))
        return list(tensors[:first]), states, dict(zip(self.weights, tensors[second:], strict=True))

    def inputs(self, banks: Sequence[Tensor]) -> dict[str, Rows]:
        """The arrays of hoisted values, each a part of the rows of its bank."""
        recurrence, arrays = self.recurrence, {}
        for names, bank in zip(self.banks, banks, strict=True):
            start = 0
            for name in names:
                fixed = name in recurrence.split.vectors
                arrays[name] = Rows(bank[..., start:], None if fixed else self.time.step)
                start += recurrence.width([name])
        return arrays

    def learned(self, weights: Mapping[str, Tensor]) -> dict[str, Rows]:
        """The arrays of learned vectors and scalars."""
        return {
            f"learned {name}": Rows(weight.detach().contiguous())
            for name, weight in weights.items()
        }

    def full(self, states: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Arrays for the states of all steps, with the first states in place."""
        arrays = {}
        for name, state in states.items():
            arrays[name] = state.new_empty(self.time.batch + self.time.total, state.shape[1])
            arrays[name][self.time.initial] = state.detach()
        return arrays

    def taps(self, like: Tensor) -> dict[str, Tensor]:
        """Arrays for the recorded values that are not states."""
        step = self.recurrence.split.step
        return {
            f"tap {name}": like.new_empty(
                self.time.total, self.recurrence.sizes[step.sizes[step.probes[name]]]
            )
            for name in self.record
            if name not in step.states
        }

    def recorded(self, full: Mapping[str, Tensor], taps: Mapping[str, Tensor]) -> list[Tensor]:
        """The recorded values, (N, units) each."""
        return [
            full[name][self.time.after] if name in full else taps[f"tap {name}"]
            for name in self.record
        ]


def infer(
    call: Call, banks: list[Tensor], states: dict[str, Tensor], weights: dict[str, Tensor]
) -> tuple[Tensor, ...]:
    """Run without saving anything for a backward pass."""
    time = call.time
    kernel = call.recurrence.inference(call.record)
    full = call.full({name: state for name, state in states.items() if name in call.record})
    taps = call.taps(banks[0])
    arrays = {**call.inputs(banks), **call.learned(weights)}
    old, new, places = time.pair
    pairs = {}
    for name, state in states.items():
        if name in full:
            arrays[f"old {name}"] = Rows(full[name], time.old)
            arrays[f"new {name}"] = Rows(full[name], time.new)
        else:
            pairs[name] = torch.cat([state.detach(), state.detach()])
            arrays[f"old {name}"] = Rows(pairs[name], old)
            arrays[f"new {name}"] = Rows(pairs[name], new)
    arrays.update({name: Rows(tap, time.step) for name, tap in taps.items()})
    kernel(arrays, weights, time.counts, time.batch, time.total)
    finals = [
        full[name][time.last].clone() if name in full else pairs[name].index_select(0, places)
        for name in states
    ]
    return *call.recorded(full, taps), *finals


class _Loop(torch.autograd.Function):
    """The loop as one node of autograd; its double backward runs the eager definition."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        banks, states, weights = call.named(tensors)
        training, time = call.recurrence.training(call.record), call.time
        full, taps = call.full(states), call.taps(banks[0])
        saved = banks[0].new_empty(time.total, training.width)
        arrays = {**call.inputs(banks), **call.learned(weights)}
        for name, array in full.items():
            arrays[f"old {name}"] = Rows(array, time.old)
            arrays[f"new {name}"] = Rows(array, time.new)
        for name, column in training.columns.items():
            arrays[name] = Rows(saved[:, column:], time.step)
        arrays.update({name: Rows(tap, time.step) for name, tap in taps.items()})
        training.forward(arrays, weights, time.counts, time.batch, time.total)
        ctx.call = call
        ctx.save_for_backward(*tensors, saved, *full.values())
        finals = [array[time.last].clone() for array in full.values()]
        # Copies: what is saved must not change when the caller changes the output in place.
        return *(each.clone() for each in call.recorded(full, taps)), *finals

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        call: Call = ctx.call
        count = len(call.banks) + len(call.state_sizes) + len(call.weights)
        saved = ctx.saved_tensors  # asked for once: checkpointing hands it out only once
        tensors, stored = saved[:count], saved[count:]
        again = torch.is_grad_enabled()
        if again or any(map(_batched, gradients)):
            wanted = ctx.needs_input_grad[1:]
            return None, *_eager_gradients(call, tensors, gradients, wanted, again)
        return None, *_Backward(call, tensors, stored).run(gradients)


def _batched(gradient: Tensor | None) -> bool:
    """Whether a gradient stands for many, as for a vectorized jacobian: no kernel takes that."""
    return gradient is not None and (
        torch._C._functorch.is_legacy_batchedtensor(gradient)  # pyright: ignore
        or torch._C._functorch.is_batchedtensor(gradient)  # pyright: ignore
    )


@final
class _Backward:
    """One backward pass."""

    def __init__(self, call: Call, tensors: Sequence[Tensor], stored: Sequence[Tensor]) -> None:
        self.call = call
        self.training = call.recurrence.training(call.record)
        self.banks, self.states, self.weights = call.named(tensors)
        self.saved, *full = stored
        self.full = dict(zip(call.state_sizes, full, strict=True))

    def run(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The gradients with respect to banks, states and weights."""
        call, plan, time = self.call, self.training.plan, self.call.time
        back = time.backward
        like = self.full[next(iter(self.full))]
        returned, finals = gradients[: len(call.record)], gradients[len(call.record) :]
        arrays = {**self._given(back), **call.learned(self.weights)}
        for name, gradient in zip(call.record, returned, strict=True):
            arrays[f"returned_{name}"] = Rows(self._dense(name, gradient, like), back.step)
        old, new, places = back.pair
        pairs = {}
        for (name, units), gradient in zip(call.state_sizes.items(), finals, strict=True):
            last = like.new_zeros(time.batch, units) if gradient is None else gradient
            pairs[name] = torch.cat([last, last])
            arrays[f"old d_{name}"] = Rows(pairs[name], old)
            arrays[f"new d_{name}"] = Rows(pairs[name], new)
        buffers = [like.new_empty(time.total, width) for width in plan.widths]
        for name, (_, place) in plan.gradients.items():
            arrays[name] = Rows(buffers[place.buffer][:, place.start :], back.step)
        kernel = self.training.backward
        sums = self._sums(kernel, like)
        arrays.update({name: Rows(total) for name, total in sums.items()})
        kernel(arrays, self.weights, back.counts, time.batch, time.total)
        summed = {name.removeprefix("sum "): total.sum(0) for name, total in sums.items()}
        banks = [self._bank(names, buffers, summed) for names in call.banks]
        states = [pairs[name].index_select(0, places) for name in call.state_sizes]
        weights = self._weight_gradients(buffers, summed)
        return [*banks, *states, *(weights.get(name) for name in call.weights)]

    def _given(self, back: Timeline) -> dict[str, Rows]:
        """What the forward pass left: inputs, states before and after each step, saved values."""
        arrays = {
            name: rows if rows.first is None else rows._replace(first=back.step)
            for name, rows in self.call.inputs(self.banks).items()
        }
        for name, array in self.full.items():
            arrays[name] = Rows(array, back.old)
            arrays[f"new {name}"] = Rows(array, back.new)
        for name, column in self.training.columns.items():
            arrays[name] = Rows(self.saved[:, column:], back.step)
        return arrays

    def _dense(self, name: str, gradient: Tensor | None, like: Tensor) -> Tensor:
        """The gradient with respect to a returned value, laid out row by row."""
        if gradient is not None:
            return gradient.contiguous()
        step = self.call.recurrence.split.step
        units = self.call.recurrence.sizes[step.sizes[step.probes[name]]]
        return like.new_zeros(self.call.time.total, units)

    def _sums(self, kernel: Kernel, like: Tensor) -> dict[str, Tensor]:
        """For each gradient that is summed over rows and steps, a row of zeros for each thread."""
        threads = kernel.threads(self.call.time.batch, self.call.time.total)
        return {
            array.name: like.new_zeros(threads, array.stride)
            for array in kernel.source.arrays
            if array.kind == "thread"
        }

    def _bank(
        self, names: tuple[str, ...], buffers: list[Tensor], summed: Mapping[str, Tensor]
    ) -> Tensor | None:
        if names[0] in self.call.recurrence.split.vectors:
            total = summed.get(names[0])
            one = self.call.recurrence.width(names) == 1
            return total if total is None or not one else total.sum().view(1)
        buffer = self.training.plan.hoisted[names]
        return None if buffer is None else buffers[buffer]

    def _weight_gradients(
        self, buffers: list[Tensor], summed: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Large products over all rows and steps."""
        sizes = self.call.recurrence.sizes
        found = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        for layer in self.training.plan.layers:
            place = layer.place
            gradient = buffers[place.buffer][:, place.start : place.stop]
            height = (place.stop - place.start) // layer.layers
            for block, source in zip(layer.blocks, layer.sources, strict=True):
                rows = slice(block.row * height, (block.row + layer.layers) * height)
                found[f"weight_{block.group}"][rows] = gradient.t() @ self._source(source)
                if block.bias is not None:
                    rows = slice(block.bias * height, (block.bias + layer.layers) * height)
                    found[f"bias_{block.group}"][rows] = gradient.sum(0)
        for node in self.call.recurrence.split.step.learned:
            name, size = node.attribute.name, node.attribute.size
            total = summed.get(name)
            if total is not None:
                found[name] = total.sum().view(1) if size == "one" else total[: sizes[size]]
        return found

    def _source(self, source: Any) -> Tensor:
        """What a layer read, for all N rows."""
        if source.operation is Operation.STATE:
            return self.full[source.attribute][self.call.time.before]
        plan = self.training.plan
        for state in self.full:
            if self.call.recurrence.split.step.values[state] is source:
                return self.full[state][self.call.time.after]
        name = next(name for name, node in plan.saved.items() if node is source)
        column = self.training.columns[name]
        size = self.call.recurrence.split.step.sizes[source]
        return self.saved[:, column : column + self.call.recurrence.sizes[size]]


@torch.enable_grad()
def _eager_gradients(
    call: Call,
    tensors: Sequence[Tensor],
    gradients: Sequence[Tensor | None],
    wanted: Sequence[bool],
    again: bool,
) -> list[Tensor | None]:
    """The gradients through the eager definition; if asked, they can be differentiated again."""
    banks, states, weights = call.named(tensors)
    recurrence = call.recurrence
    rows, vectors = {}, {}
    for names, bank in zip(call.banks, banks, strict=True):
        parts = bank.split([recurrence.width([name]) for name in names], -1)
        for name, part in zip(names, parts, strict=True):
            if name in recurrence.split.vectors:
                vectors[name] = part.expand(*call.shape, -1)
            else:
                rows[name] = part.view(*call.shape, -1)
    values, last = eager.run(
        recurrence.step,
        weights,
        {**rows, **vectors},
        states,
        call.record,
        call.batch_sizes,
        call.reverse,
    )
    outputs = [value.reshape(call.time.total, -1) for value in values.values()]
    outputs += [last[name] for name in call.state_sizes]
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


def run(
    recurrence: Recurrence,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    batch_sizes: Sequence[int] | None = None,
    reverse: bool = False,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a cell over a sequence; arguments and results are those of `eager.run`."""
    x = next(iter(inputs.values()))
    shape = list(x.shape)[:-1]
    turned = None
    if batch_sizes is None:
        time = timeline.dense(shape[0], shape[1], reverse)
    else:
        time = timeline.ragged(batch_sizes, next(iter(states.values())).shape[0])
        if reverse:
            turned = timeline.turned(batch_sizes)
            inputs = {name: value.index_select(0, turned) for name, value in inputs.items()}
    banks = _banks(recurrence, weights, inputs, time)
    backwards = reverse and batch_sizes is None
    call = Call(recurrence, tuple(record), time, tuple(shape), batch_sizes, backwards)
    tensors = [*banks, *(states[name] for name in call.state_sizes)]
    tensors += [weights[name] for name in call.weights]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        results = _Loop.apply(call, *tensors)
    else:
        results = infer(call, *call.named(tensors))
    values = dict(zip(record, results, strict=False))
    if turned is not None:
        values = {name: value.index_select(0, turned) for name, value in values.items()}
    values = {name: value.view(*shape, value.shape[-1]) for name, value in values.items()}
    return values, dict(zip(call.state_sizes, results[len(record) :], strict=True))


def _banks(
    recurrence: Recurrence,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    time: Timeline,
) -> list[Tensor]:
    """The hoisted values, each bank as one tensor (N, width), or (width,) for fixed ones."""
    program = recurrence.hoisted
    slots = eager.hoisted(program, weights, inputs)
    banks = []
    for names in recurrence.split.banks:
        first, *others = names
        value = slots[program.bank(names) if others else program.values[first]]
        fixed = first in recurrence.split.vectors
        rows = value.reshape(-1) if fixed else value.reshape(time.total, -1)
        banks.append(rows.contiguous())
    return banks
